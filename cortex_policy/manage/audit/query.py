"""Queries of an audit log: calls by filter, and counts of calls by kind and over time."""

from cortex_policy.core import Value, shorten_message
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.model import REASONS, UsageError
from cortex_policy.core.text import format_guess_hint
from cortex_policy.manage.audit.reader import decode_calls, pause_garbage_collector, read_lines_of_open_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, BinaryIO

    from cortex_policy.manage.audit.reader import Event, ReadCounts

    Calls = Iterable[tuple[float, dict[str, Any], bytes]]  # when, `data` with its time, and the line

MAX_SPANS = 4096  # kept while a log is read
MAX_KINDS = 10_000  # of grant, action and reason
OTHERS = ("(others)", "(others)", "(others)")
_DAY = 86_400
_ROUND_WIDTHS = (1, 5, 10, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, _DAY)  # each divides the next


class CallFilter(Value):
    """Which calls to show: since a time, of a root, of a grant, with a reason, or only denied ones."""

    start: float = float("-inf")
    root: str | None = None
    grant: str | None = None
    reason: str | None = None
    denied: bool = False

    def matches(self, at: float, data: "dict[str, Any]") -> bool:
        """Whether a call passes the filter apart from its root, by which lines are decoded."""
        return (
            at >= self.start
            and self.grant in (None, data["grant"])
            and self.reason in (None, str(data["reason"]))
            and not (self.denied and data["decision"])
        )


class TimeSpan(Value):
    """Numbers of allowed and denied calls in a span of time; `at` is its start in seconds since the epoch."""

    at: int
    allowed: int
    denied: int


class CallStats(Value):
    """Counts of calls: over time, in spans of equal length, and by (grant, action, reason), the most first."""

    calls: int
    allowed: int
    first: float | None
    last: float | None
    span_seconds: int
    spans: tuple[TimeSpan, ...]
    kinds: "tuple[tuple[tuple[str, str, str], int], ...]"


def check_reason(word: str) -> None:
    """Raise UsageError for an unknown reason."""
    words = [str(reason) for reason in REASONS]
    if word not in words:
        guess = format_guess_hint(find_closest_word(word, words))
        raise UsageError(f"unknown reason `{word}`", f"{guess}{' ' * bool(guess)}the reasons are {', '.join(words)}")


def decode_matching_calls_with_lines(
    lines: "Iterable[bytes]", call_filter: CallFilter, counts: "ReadCounts"
) -> "Iterator[tuple[Event, bytes]]":
    """Yield the calls that pass the filter, each with its line; lines without a call are counted."""
    line = b""

    def remember_line() -> "Iterator[bytes]":
        """Yield each line, and keep it for the call that is decoded from it."""
        nonlocal line
        for one in lines:
            line = one
            yield one

    for event in decode_calls(remember_line(), call_filter.root, counts):
        if call_filter.matches(*event):
            yield event, line


def read_lines_of_open_logs(
    files: "Iterable[tuple[str, BinaryIO]]", counts: "ReadCounts", tracked: "Callable[[Any], Iterable[Any]]"
) -> "Iterator[bytes]":
    """Yield the lines of open logs, file after file; `tracked` shows the progress."""
    return iter(tracked(line for _, file in files for line in read_lines_of_open_log(file, counts)))


def count_calls(calls: "Iterable[tuple[Event, bytes]]", max_spans: int) -> CallStats:
    """Count calls by kind, and over time in at most `max_spans` spans of a round length."""
    counter = _CallCounter()
    with pause_garbage_collector():
        for (at, data), _ in calls:
            counter.add(at, data)
    return counter.result(max_spans)


class _CallCounter:
    """Counts of calls by kind, and by spans of time, which get wider when there are too many."""

    def __init__(self) -> None:
        self._width, self._spans = 1, dict[int, list[int]]()
        self._kinds = dict[tuple[str, str, str], int]()
        self._first: float | None = None
        self._last: float | None = None

    def add(self, at: float, data: "dict[str, Any]") -> None:
        """Count a call; the spans grow so that their number stays bounded."""
        self._first = at if self._first is None or at < self._first else self._first
        self._last = at if self._last is None or at > self._last else self._last
        self._spans.setdefault(int(at // self._width), [0, 0])[not data["decision"]] += 1
        while len(self._spans) > MAX_SPANS:
            self._widen_spans()
        kind = (shorten_message(data["grant"]), shorten_message(data["action"]), str(data["reason"]))
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = OTHERS
        self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def _widen_spans(self) -> None:
        width = next((one for one in _ROUND_WIDTHS if one > self._width), self._width * 2)
        spans = dict[int, list[int]]()
        for number, (allowed, denied) in self._spans.items():
            one = spans.setdefault(number * self._width // width, [0, 0])
            one[0] += allowed
            one[1] += denied
        self._width, self._spans = width, spans

    def result(self, max_spans: int) -> CallStats:
        """Return the counts, including spans without calls."""
        kinds = tuple(sorted(self._kinds.items(), key=lambda one: (-one[1], one[0])))
        if self._first is None or self._last is None:
            return CallStats(0, 0, None, None, 1, (), kinds)
        while int(self._last // self._width) - int(self._first // self._width) >= max_spans:
            self._widen_spans()
        width = self._width
        numbers = range(int(self._first // width), int(self._last // width) + 1)
        counts = [self._spans.get(number, [0, 0]) for number in numbers]
        spans = tuple(TimeSpan(number * width, *count) for number, count in zip(numbers, counts, strict=True))
        allowed = sum(span.allowed for span in spans)
        total = allowed + sum(span.denied for span in spans)
        return CallStats(total, allowed, self._first, self._last, width, spans, kinds)
