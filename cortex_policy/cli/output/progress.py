"""A progress bar on a terminal for commands that take longer than a second."""

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, TypeVar, cast

from cortex_policy.cli.streams import unwrap_escaping_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sized

    from rich.progress import Progress

DELAY_SECONDS = 1.0
_FRAME_SECONDS = 0.1
_Item = TypeVar("_Item")


def track_progress(items: "Iterable[_Item]", total: int | None = None, *, what: str = "grants") -> "Iterator[_Item]":
    """Yield the items and show progress on stderr; nothing is shown in a pipe or a short run."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield from items
        return
    bar: Progress | None = None
    if total is None and hasattr(items, "__len__"):  # the length of a stream is unknown
        total = len(cast("Sized", items))
    due = monotonic() + DELAY_SECONDS
    try:
        for count, item in enumerate(items):
            if monotonic() >= due:
                bar = bar or _start_bar(total, what)
                bar.update(bar.task_ids[0], completed=count, refresh=True)
                due = monotonic() + _FRAME_SECONDS
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _start_bar(total: int | None, what: str) -> "Progress":
    from rich.console import Console  # noqa: PLC0415 - only a long run needs 45 ms of it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    left = () if total is None else (TimeRemainingColumn(), "left")
    columns = BarColumn(), MofNCompleteColumn(), f"{what}," if left else what, *left
    # no thread redraws it: some callers fork
    bar = Progress(
        *columns, console=Console(file=unwrap_escaping_stream(sys.stderr)), transient=True, auto_refresh=False
    )
    bar.add_task("", total=total)
    bar.start()
    return bar
