"""Calls over time as bars, as wide as the terminal and readable without colour."""

import sys
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_policy.manage.audit.query import CallStats, TimeSpan

MAX_ROWS = 24
_MIN_CELLS = 4
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second"))
_BAR_CHARACTERS = (("█", "░"), ("#", "."))  # allowed, denied; the second where the first cannot be printed


def format_bar_lines(stats: "CallStats", width: int) -> list[str]:
    """Return the lines of a bar chart, within the width if that leaves room for bars."""
    marks = _bar_characters()
    labels = [_time_label(span.at, stats) for span in stats.spans]
    counts = [f"{span.allowed} / {span.denied}" for span in stats.spans]
    max_calls = max(span.allowed + span.denied for span in stats.spans)
    cells = max(_MIN_CELLS, width - max(map(len, labels)) - max(map(len, counts)) - 2)
    rows = [
        f"{label} {_bar_of_span(span, max_calls, cells, marks)} {count}"
        for label, span, count in zip(labels, stats.spans, counts, strict=True)
    ]
    zone = " in UTC" if stats.span_seconds >= _DAY else ""
    return [*rows, f"{marks[0]} allowed {marks[1]} denied, by {_span_text(stats.span_seconds)}{zone}"]


def format_utc(at: float) -> str:
    """Return seconds since the epoch as UTC text; the number itself if no calendar has that time."""
    return _format_time(at, "%Y-%m-%dT%H:%M:%SZ")


def _format_time(at: float, form: str, zone: tzinfo | None = UTC) -> str:
    """Return a time in a zone, None for the local one."""
    try:
        return datetime.fromtimestamp(at, zone).strftime(form)
    except (ValueError, OverflowError, OSError):
        return str(int(at))


def _time_label(at: int, stats: "CallStats") -> str:
    """Return the local time of a bar, and the UTC date of a bar that is a whole day."""
    if stats.span_seconds >= _DAY:
        return _format_time(at, "%Y-%m-%d")
    clock = "%H:%M:%S" if stats.span_seconds < _MINUTE else "%H:%M"
    first_day, last_day = (_format_time(one.at, "%m-%d", None) for one in (stats.spans[0], stats.spans[-1]))
    return _format_time(at, clock if first_day == last_day else f"%m-%d {clock}", None)


def _bar_of_span(span: "TimeSpan", max_calls: int, cells: int, marks: tuple[str, str]) -> str:
    """Return a bar of allowed and then denied calls; each kind that occurred has at least one cell."""
    denied = max(1, round(cells * span.denied / max_calls)) if span.denied else 0
    allowed = max(1, round(cells * span.allowed / max_calls)) if span.allowed else 0
    if allowed + denied > cells:
        allowed, denied = (cells - denied, denied) if allowed > 1 else (allowed, cells - allowed)
    return f"{marks[0] * allowed}{marks[1] * denied}".ljust(cells)


def _bar_characters() -> tuple[str, str]:
    try:
        "".join(_BAR_CHARACTERS[0]).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _BAR_CHARACTERS[1]
    return _BAR_CHARACTERS[0]


def _span_text(seconds: int) -> str:
    size, unit = next(one for one in _UNITS if seconds % one[0] == 0)
    number = seconds // size
    return unit if number == 1 else f"{number} {unit}s"
