"""Logged calls on a terminal, as they come: columns that grow with what is in them, and a head."""

import sys
from itertools import chain, islice
from typing import TYPE_CHECKING

from cortex_policy.cli.output.audit import (
    escape_logged_line,
    format_arguments,
    format_call_line,
    format_peek_or_repeat_suffix,
)
from cortex_policy.cli.output.table_layout import GAP, measure_text_width
from cortex_policy.cli.streams import find_any_terminal_width_or_none, is_colour_wanted, write_stdout_line
from cortex_policy.core.model import GrantError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.audit.reader import list_names_of_root_in_events
from cortex_policy.state.local_times import localize_time
from cortex_policy.state.roots import find_inner_root_and_paths_above

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.manage.audit.reader import Event

COLUMNS = ("TIME", "ANSWER", "GRANT", "ACTION", "ROOT")
LAST_COLUMN = "ARGUMENTS"
MAX_COLUMN = 40  # cells; one that is longer moves only the rest of its own line
INDENT = 4  # cells before arguments that have a line of their own
_STYLES = {True: "32", False: "31"}


def print_calls(calls: "Iterable[tuple[Event, bytes]]", *, json: bool, with_root: bool, lookahead: int = 0) -> bool:
    """Print calls as they come: events as JSON, a table on a terminal, else lines with tabs.

    As many calls as `lookahead` are read before the first is printed, to find the width of columns. Return False if
    nobody reads any more.
    """
    if json or not sys.stdout.isatty():
        return all(
            write_stdout_line(escape_logged_line(line) if json else format_call_line(event)) for event, line in calls
        )
    table = CallTable(
        find_any_terminal_width_or_none(),
        with_root=with_root,
        is_coloured=is_colour_wanted(is_terminal=True),
        here=_find_root_here(),
    )
    events = (event for event, _ in calls)
    first = list(islice(events, lookahead))
    for event in first:
        table.widen_for(event)
    return all(
        write_stdout_line(line, styled=True)
        for event in chain(first, events)
        for line in table.format_call_lines(event)
    )


def _find_root_here() -> str | None:
    try:
        return find_inner_root_and_paths_above(None)[0].path
    except GrantError:
        return None


class CallTable:
    """Lines for calls: arguments follow in their line if they fit, else in the next one."""

    def __init__(self, width: int | None, *, with_root: bool, is_coloured: bool, here: str | None = None) -> None:
        """Take the width of the terminal, None for any; the root is shown where calls of several may come.

        `here` is the path of a root that the log may know by its fingerprint alone.
        """
        self._width, self._is_coloured, self._here = width, is_coloured, here or ""
        self._names_of_here = list_names_of_root_in_events(here) if here is not None else frozenset()
        self._columns = COLUMNS if with_root else COLUMNS[:-1]
        self._widths = [len(column) for column in self._columns]
        self._has_head = False

    def widen_for(self, event: "Event") -> None:
        """Make the columns as wide as a call needs."""
        cells = self._call_cells(event)
        wanted = [min(MAX_COLUMN, measure_text_width(cell)) for cell in cells]
        self._widths = [max(pair) for pair in zip(self._widths, wanted, strict=True)]

    def format_call_lines(self, event: "Event") -> list[str]:
        """Return the lines of a call; before the first, the head."""
        self.widen_for(event)
        head = [] if self._has_head else [self._head_line()]
        self._has_head = True
        cells = self._pad_cells(self._call_cells(event))
        cells[1] = self._add_style(cells[1], _STYLES[bool(event[1]["decision"])])
        line, arguments = (" " * GAP).join(cells), escape_message_to_one_line(format_arguments(event))
        if self._width is None or sum(self._widths) + GAP * len(cells) + measure_text_width(arguments) <= self._width:
            return [*head, f"{line}{' ' * GAP}{arguments}".rstrip()]
        return [*head, line.rstrip(), f"{' ' * INDENT}{arguments}"]

    def _head_line(self) -> str:
        return self._add_style((" " * GAP).join([*self._pad_cells(list(self._columns)), LAST_COLUMN]), "1")

    def _call_cells(self, event: "Event") -> list[str]:
        _, data = event
        answer = "allowed" if data["decision"] else f"denied: {data['reason']}"
        root = str(data.get("root") or "-")  # a hostile line may have any value here
        root = self._here if root in self._names_of_here else root
        cells = (
            localize_time(data["time"]),
            f"{answer}{format_peek_or_repeat_suffix(data)}",
            data["grant"],
            data["action"],
            root,
        )
        return [escape_message_to_one_line(str(cell)) for cell in cells[: len(self._columns)]]

    def _pad_cells(self, cells: list[str]) -> list[str]:
        return [cell + " " * (size - measure_text_width(cell)) for cell, size in zip(cells, self._widths, strict=True)]

    def _add_style(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._is_coloured else text
