"""Past calls, read from audit logs line by line: whatever is no event of ours is counted, never fatal."""

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

from cortex_policy.core.model import REASONS, UsageError
from cortex_policy.state.writer_lock import NotDone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, BinaryIO

    # when it was logged (seconds since the epoch), and what `data` holds, with its time: the members below are checked
    Event = tuple[float, dict[str, Any]]

LARGEST = 2 << 20  # bytes of a line
STDIN = "-"
_BLOCK = 1 << 18
_FIRST = 1 << 16  # bytes in which the first line is looked for
_decode = JSONDecoder().raw_decode
_TYPE = "com.cortex."
_WORDS = {str(reason): reason for reason in REASONS}
_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UTC_MICROSECONDS = 27  # characters of `2026-11-25T08:28:12.123456Z`


class Tally:
    """What a log held; counted while it is read."""

    def __init__(self) -> None:
        """Start at none."""
        self.lines = self.unreadable = self.elsewhere = 0


def since(word: str, now: float) -> float:
    """Return the time that `24h`, `90m`, `7d` ago or a time of RFC 3339 is; raise UsageError for another word."""
    ago = _AGO.fullmatch(word)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return _moment(word)
    except (ValueError, OverflowError):
        message = f"`{word}` is no time"
        raise UsageError(message, "say how long ago, as in `24h`, `90m` or `7d`, or `2026-11-25T08:00:00Z`") from None


def _moment(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def names_of(root: str) -> frozenset[str]:
    """Return what events may call a root: its path, or the digest of it."""
    return frozenset((root, f"sha256:{sha256(os.fsencode(root)).hexdigest()[:16]}"))


def events(lines: "Iterable[bytes]", root: str | None, tally: Tally) -> "Iterator[Event]":
    """Yield the calls of a root, or of all, in the order of their lines; the rest is counted."""
    ours, prefix, base = names_of(root) if root is not None else frozenset[str](), "", 0.0
    for line in lines:
        tally.lines += 1
        try:
            text = line.strip().decode()
            document, end = _decode(text)
            data, time = document["data"], document["time"]
            where = data.get("root")
            known = where is None or root is None or where in ours
            # most events of a second stand together, so that only its fraction is read
            if len(time) == _UTC_MICROSECONDS and time[:20] == prefix and time[20:26].isdecimal():
                at = base + int(time[20:26]) / 1e6
            else:
                at = _moment(time)
                prefix, base = time[:20], at - at % 1
            if end != len(text) or not _is_call(document["type"], data):
                tally.unreadable += 1
                continue
        # of a hostile or torn line anything may be of any type, and nested as deep as it likes
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError):
            tally.unreadable += 1
            continue
        if known:
            data["time"] = time
            yield at, data
        else:
            tally.elsewhere += 1


def _is_call(kind: str, data: "dict[str, Any]") -> bool:
    """Whether it is a decision of ours with what every replay needs; the words of a reason become the reason."""
    reason = data["reason"] = _WORDS[data["reason"]]
    return (
        kind.startswith(_TYPE)
        and data["decision"] is (reason.exit_code == 0)
        and type(data["grant"]) is type(data["action"]) is str
        and type(data["args"]) in (dict, list)
    )


def lines(files: "Iterable[str]", tally: Tally) -> "Iterator[bytes]":
    """Yield the lines of logs, the older log first; blank ones are none. Raise NotDone for what cannot be read."""
    for name in in_order(list(files)):
        with opened(name) as file:
            yield from lines_of(file, tally)


def lines_of(file: "BinaryIO", tally: Tally) -> "Iterator[bytes]":
    """Yield the lines of an open log; what is cut off is counted as one that cannot be read."""
    try:
        yield from _lines(file, tally)
    except (EOFError, zlib.error, gzip.BadGzipFile):  # what came before holds
        tally.lines += 1
        tally.unreadable += 1


def in_order(names: list[str]) -> list[str]:
    """Sort rotated logs by their first event, so that windows of rates run on from one into the next."""
    if len(names) < 2 or any(not os.path.isfile(name) for name in names):  # noqa: PLR2004 - one is in order
        return names
    return sorted(names, key=_first)


def _first(name: str) -> float:
    """Return when the first event was logged, 0 where none is found near the beginning."""
    try:
        with opened(name) as file:
            return next(map(_time_of, filter(_time_of, file.readlines(_FIRST))), 0.0)
    except (NotDone, EOFError, OSError, zlib.error):
        return 0.0


def _time_of(line: bytes) -> float:
    try:
        document, _ = _decode(line.decode())
        return _moment(document["time"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return 0.0


@contextmanager
def opened(name: str) -> "Iterator[BinaryIO]":
    """Open a log for reading, unpacked; raise NotDone where it cannot be read."""
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
        why = getattr(error, "strerror", None) or str(error)
        raise NotDone(f"`{name}`: {why.lower()}") from None


def _lines(file: "BinaryIO", tally: Tally) -> "Iterator[bytes]":
    """Yield lines, one block in memory at a time; what is longer than any event is dropped as it comes."""
    rest, is_too_long = b"", False
    while block := file.read(_BLOCK):
        first, *found = block.split(b"\n")
        rest = b"" if is_too_long else rest + first
        if not found:
            if len(rest) > LARGEST:
                rest, is_too_long = b"", True
            continue
        if is_too_long or len(rest) > LARGEST:
            tally.lines += 1
            tally.unreadable += 1
            rest, is_too_long = b"", False
        *whole, last = chain((rest,), found)
        rest = last
        yield from filter(bytes.strip, whole)
    if is_too_long:
        tally.lines += 1
        tally.unreadable += 1
    elif rest.strip():
        yield rest


def _at_once(name: str, flags: int) -> int:
    """Open what may be no file: a pipe is not waited for."""
    return os.open(name, flags | os.O_NONBLOCK)


def tail(name: str, before: "Sequence[str]", most: int, most_bytes: int) -> list[bytes]:
    """Return the last lines of a log, at most so many and out of so many bytes; raise OSError.

    Where it holds less, the file that was rotated last, the last of those before it, counts too.
    """
    found = _tail(name, most, most_bytes) if os.path.lexists(name) else []
    with suppress(FileNotFoundError):
        if before and len(found) < most and (left := most_bytes - sum(map(len, found))) > 0:
            found = [*_tail(before[-1], most - len(found), left), *found]
    return found


def _tail(name: str, most: int, most_bytes: int) -> list[bytes]:
    with open(name, "rb", opener=_at_once) as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - most_bytes)
        file.seek(start)
        found = file.read(most_bytes).split(b"\n")
    return [line for line in (found[1:] if start else found) if line.strip()][-most:]


@contextmanager
def unswept() -> "Iterator[None]":
    """Let the collector look for no cycles: there are none among events, and it would look at each of them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
