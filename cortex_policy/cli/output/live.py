"""Commands that run until they are ended: redraw on a terminal, print changes in a pipe."""

import os
import select
import sys
from typing import TYPE_CHECKING

from cortex_policy.cli.streams import unwrap_escaping_stream, write_stdout_line

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from rich.console import RenderableType

    Row = tuple[Hashable, str, str]

POLL_SECONDS = 0.25


def can_redraw() -> bool:
    """Return whether there is a terminal to redraw on."""
    return sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM") not in ("dumb", "unknown", None)


def preload_screen_modules() -> None:
    """Load all that a redraw needs, for a process that may soon not be allowed to read these modules."""
    import io  # noqa: PLC0415 - as in `redraw_until_quit`
    import tty  # noqa: F401, PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("a", box=None, caption="b")
    table.add_row(Text("\u6f22", style="green"))  # rich loads the widths of such characters when it meets one
    with Live(table, console=Console(file=io.StringIO(), force_terminal=True), auto_refresh=False, screen=True):
        pass


def print_changes_until_closed(rows: "Callable[[], Iterable[Row]]") -> None:
    """Print a line for each row that changed, until the reader closes the pipe.

    A row is its key, the state that decides whether it changed, and its line.
    """
    reader = select.poll()
    reader.register(1, 0)  # only errors: the reading end was closed
    last_shown: dict[Hashable, str] = {}
    while True:
        shown: dict[Hashable, str] = {}  # without rows that are gone, so that it does not grow
        for key, state, line in rows():
            shown[key] = state
            if last_shown.get(key) != state and not write_stdout_line(line):
                return
        last_shown = shown
        if reader.poll(POLL_SECONDS * 1000):
            return


def redraw_until_quit(screen: "Callable[[int], RenderableType]") -> None:
    """Redraw a screen, which gets its maximum height, until `q`, Escape or the end of input."""
    import termios  # noqa: PLC0415 - only here is a terminal
    import tty  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0)
        with Live(console=Console(file=unwrap_escaping_stream(sys.stdout)), auto_refresh=False, screen=True) as live:
            while True:
                height = max(1, live.console.size.height - 2)  # the head and the last line
                live.update(screen(height), refresh=True)
                if _wait_for_quit():
                    return
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _wait_for_quit() -> bool:
    ready, _, _ = select.select([0], [], [], POLL_SECONDS)
    return bool(ready) and os.read(0, 1) in {b"", b"q", b"Q", b"\x1b"}
