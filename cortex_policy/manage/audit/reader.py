"""Read past calls from audit logs line by line: a line without an event is counted, never an error."""

import gc
import gzip
import os
import re
import sys
import zlib
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from json import JSONDecoder

from cortex_policy.core.decode import DECIDED_BY_RULES
from cortex_policy.core.model import REASONS, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, BinaryIO

    # when it was logged (seconds since the epoch), and its `data` with the time, as `_decode_reason_if_call` left it
    Event = tuple[float, dict[str, Any]]

MAX_LINE_BYTES = 2 << 20  # bytes of a line
STDIN = "-"
_BLOCK = 1 << 18
_MAX_BYTES_TO_FIRST_EVENT = MAX_LINE_BYTES  # bytes to search for the first event
_decode = JSONDecoder().raw_decode
_CUT = "cut"  # a member of `data`: its arguments were too long for the log
_TYPE_PREFIX = "com.cortex."
_REASON_BY_WORD = {str(reason): reason for reason in REASONS}
_RELATIVE_TIME = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UTC_MICROSECONDS = 27  # characters of `2026-11-25T08:28:12.123456Z`


class ReadCounts:
    """Numbers of the lines of a log, counted while it is read."""

    def __init__(self) -> None:
        """Start at zero."""
        self.lines = self.unreadable = self.other_roots = 0


def parse_since(word: str, now: float) -> float:
    """Return the time of `24h`, `90m` or `7d` ago, or of an RFC 3339 time; raise UsageError for another word."""
    ago = _RELATIVE_TIME.fullmatch(word)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return _parse_timestamp(word)
    except (ValueError, OverflowError):
        message = f"unknown time `{word}`"
        raise UsageError(
            message, "write how long ago, such as `24h`, `90m` or `7d`, or a time, such as `2026-11-25T08:00:00Z`"
        ) from None


def _parse_timestamp(text: str) -> float:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def list_names_of_root_in_events(root: str) -> frozenset[str]:
    """Return the names of a root in events: its path, and the digest of its path."""
    return frozenset((root, f"sha256:{sha256(os.fsencode(root)).hexdigest()[:16]}"))


def decode_calls(lines: "Iterable[bytes]", root: str | None, counts: ReadCounts) -> "Iterator[Event]":
    """Yield the calls of a root, or of all roots, in the order of their lines; the other lines are counted."""
    own_names, prefix, base = list_names_of_root_in_events(root) if root is not None else frozenset[str](), "", 0.0
    for line in lines:
        counts.lines += 1
        try:
            text = line.strip().decode()
            document, end = _decode(text)
            data, time = document["data"], document["time"]
            where = data.get("root")
            known = where is None or root is None or where in own_names
            # the events of a second follow each other, so that mostly only the fraction is parsed
            if len(time) == _UTC_MICROSECONDS and time[:20] == prefix and time[20:26].isdecimal():
                at = base + int(time[20:26]) / 1e6
            else:
                at = _parse_timestamp(time)
                prefix, base = time[:20], at - at % 1
            if end != len(text) or not _decode_reason_if_call(document["type"], data):
                counts.unreadable += 1
                continue
        # in a hostile or torn line, any value may have any type and any depth
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError):
            counts.unreadable += 1
            continue
        if known:
            data["time"] = time
            yield at, data
        else:
            counts.other_roots += 1


def decode_replayable_calls(lines: "Iterable[bytes]", root: str, counts: ReadCounts) -> "Iterator[Event]":
    """Yield the calls of a root that a grant decided and may decide again, as `decode_calls` does."""
    for at, data in decode_calls(lines, root, counts):
        if data.get(_CUT) is True:
            counts.unreadable += 1
        elif data["grant"] != DECIDED_BY_RULES:
            yield at, data


def _decode_reason_if_call(kind: str, data: "dict[str, Any]") -> bool:
    """Whether it is a decision; replaces the word of the reason by the reason, and arguments that were too long."""
    if data["args"] is None:
        data["args"], data[_CUT] = [], True
    reason = data["reason"] = _REASON_BY_WORD[data["reason"]]
    return (
        kind.startswith(_TYPE_PREFIX)
        and data["decision"] is (reason.exit_code == 0)
        and type(data["grant"]) is type(data["action"]) is str
        and type(data["args"]) in (dict, list)
    )


def read_lines_of_logs(files: "Iterable[str]", counts: ReadCounts) -> "Iterator[bytes]":
    """Yield the lines of logs, the oldest first, without empty lines; raise NotDoneError if one cannot be read."""
    for name in sort_logs_oldest_first(list(files)):
        with open_log_for_reading(name) as file:
            yield from read_lines_of_open_log(file, counts)


def read_lines_of_open_log(file: "BinaryIO", counts: ReadCounts) -> "Iterator[bytes]":
    """Yield the lines of an open log; a compressed log that is cut off counts as one unreadable line."""
    try:
        yield from _split_lines(file, counts)
    except (EOFError, zlib.error, gzip.BadGzipFile):  # the lines before are valid
        counts.lines += 1
        counts.unreadable += 1


def sort_logs_oldest_first(names: list[str]) -> list[str]:
    """Sort rotated logs by their first event, so that the windows of rates continue from one log into the next."""
    if len(names) < 2 or any(not os.path.isfile(name) for name in names):  # noqa: PLR2004 - one is in order
        return names
    return sorted(names, key=_first_event_time)


def _first_event_time(name: str) -> float:
    """Return when the first event was logged, 0 if there is none near the beginning."""
    try:
        with open_log_for_reading(name) as file:
            lines = file.read(_MAX_BYTES_TO_FIRST_EVENT).split(b"\n")  # one line may be of any length
            return next(map(_event_time, filter(_event_time, lines)), 0.0)
    except (NotDoneError, EOFError, OSError, zlib.error):
        return 0.0


def _event_time(line: bytes) -> float:
    try:
        document, _ = _decode(line.decode())
        return _parse_timestamp(document["time"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return 0.0


@contextmanager
def open_log_for_reading(name: str) -> "Iterator[BinaryIO]":
    """Open a log for reading and unpack it; raise NotDoneError if it cannot be read."""
    try:
        if name == STDIN:
            yield sys.stdin.buffer
            return
        with open(name, "rb") as file:
            if name.endswith(".gz"):
                with gzip.open(file) as unpacked:
                    yield unpacked  # type: ignore[misc] # it reads as a binary file does
            else:
                yield file
    except (OSError, ValueError) as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        why = format_os_error_cause(error)
        raise NotDoneError(f"`{name}`: {why}") from None


def _split_lines(file: "BinaryIO", counts: ReadCounts) -> "Iterator[bytes]":
    """Yield lines, with one block in memory at a time; drop lines that are longer than any event."""
    rest, is_too_long = b"", False
    while block := file.read(_BLOCK):
        first, *lines = block.split(b"\n")
        rest = b"" if is_too_long else rest + first
        if not lines:
            if len(rest) > MAX_LINE_BYTES:
                rest, is_too_long = b"", True
            continue
        if is_too_long or len(rest) > MAX_LINE_BYTES:
            counts.lines += 1
            counts.unreadable += 1
            rest, is_too_long = b"", False
        *whole, last = chain((rest,), lines)
        rest = last
        yield from filter(bytes.strip, whole)
    if is_too_long:
        counts.lines += 1
        counts.unreadable += 1
    elif rest.strip():
        yield rest


def _open_without_waiting(name: str, flags: int) -> int:
    """Open a file without waiting, even if it is a pipe."""
    return os.open(name, flags | os.O_NONBLOCK)


def read_last_lines(name: str, before: "Sequence[str]", max_lines: int, max_bytes: int) -> list[bytes]:
    """Return the last lines of a log, at most `max_lines` of the last `max_bytes` bytes; raise OSError.

    If the log holds fewer lines, the newest rotated file is read too.
    """
    lines = _last_lines(name, max_lines, max_bytes) if os.path.lexists(name) else []
    with suppress(FileNotFoundError):
        if before and len(lines) < max_lines and (bytes_left := max_bytes - sum(map(len, lines))) > 0:
            lines = [*_last_lines(before[-1], max_lines - len(lines), bytes_left), *lines]
    return lines


def _last_lines(name: str, max_lines: int, max_bytes: int) -> list[bytes]:
    with open(name, "rb", opener=_open_without_waiting) as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - max_bytes)
        file.seek(start)
        lines = file.read(max_bytes).split(b"\n")
    return [line for line in (lines[1:] if start else lines) if line.strip()][-max_lines:]


@contextmanager
def pause_garbage_collector() -> "Iterator[None]":
    """Pause the garbage collector: events have no cycles, and it would inspect each of them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
