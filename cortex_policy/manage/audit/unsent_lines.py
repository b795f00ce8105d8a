"""The lines of an audit log that are not sent yet: they wait in the log itself, and in its rotated files."""

import os
import zlib
from functools import partial
from gzip import BadGzipFile
from hashlib import sha256
from shlex import quote

from cortex_policy.core.audit_chain import (
    parse_chain_digest_or_empty,
    parse_followed_digest_or_none,
    select_hashed_bytes,
)
from cortex_policy.library.event_delivery.complete_lines import MAX_LINE_BYTES, iterate_lines_with_end_offsets
from cortex_policy.library.event_delivery.cursor import Position, make_position
from cortex_policy.manage.audit.log_files import list_log_files, open_logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from cortex_policy.library.event_delivery.complete_lines import ReadAt
    from cortex_policy.library.event_delivery.line_delivery_queue import Lines

    OpenLogs = list[tuple[str, BinaryIO]]

_NO_MORE = (EOFError, zlib.error, BadGzipFile)  # a compressed log that is cut off


class LogLines:
    """Follows a log through rotations; a file is known again by what it holds, also if it is compressed or copied.

    `gaps` counts the places where lines may be missing.
    """

    gaps: int

    def __init__(self, file: str, position: "Position | None", report: "Callable[[str], object]") -> None:
        """Take the log, and up to where its lines are sent; `report` gets a sentence if lines are gone."""
        self._file, self._report = file, report
        self._position, self._tail = position, b""
        self.gaps = 0

    def follow(self) -> "Lines":
        """Yield each line after the position, the oldest first, and None when there is none; raise NotDoneError."""
        while True:
            names = list_log_files(self._file)
            if self._position is not None and not any(map(os.path.lexists, names)):
                yield None  # it was rotated, and the next call makes it
                continue
            with open_logs(names) as files:
                start, offset = self._find_start(files)
                for _, log in files[start:]:
                    self._check_chain(log, offset)
                    yield from self._lines_of(_reader_of(log), offset)
                    offset = 0
                name, log = files[-1]
                descriptor = os.dup(log.fileno())
            try:
                yield from self._lines_to_come(name, descriptor)
            finally:
                os.close(descriptor)

    def _lines_to_come(self, name: str, descriptor: int) -> "Lines":
        """Yield what is written to the newest file, until another one has its name."""
        read_at, offset = partial(os.pread, descriptor), 0
        if self._position is not None and _ends_at(read_at, self._position):
            offset = self._position.offset
        yield None
        while name == self._file and self._is_unchanged(descriptor, offset):
            for found in self._lines_of(read_at, offset):
                offset = found[1].offset
                yield found
            yield None
        if _ends_at(read_at, self._position) if self._position is not None and offset else name == self._file:
            yield from self._lines_of(read_at, offset)  # nobody writes to it any more

    def _is_unchanged(self, descriptor: int, offset: int) -> bool:
        """Whether a file has its name still, and nothing that was read of it has changed."""
        try:
            is_same = os.path.samestat(os.stat(self._file), os.fstat(descriptor))
        except OSError:
            return False
        return is_same and (
            not offset or self._position is None or _ends_at(partial(os.pread, descriptor), self._position)
        )

    def _lines_of(self, read_at: "ReadAt", offset: int) -> "Iterator[tuple[bytes, Position]]":
        tail = self._tail if offset else b""
        before = self._position.chain if offset and self._position is not None else ""
        try:
            for line, end, behind in iterate_lines_with_end_offsets(read_at, offset, tail):
                digest = parse_chain_digest_or_empty(line)
                if before and digest and not _is_next_in_chain(before, line, digest):
                    self._add_gap(f"a line does not follow the one before it; {self._hint_at_verify()}")
                before, self._tail = digest, behind
                self._position = make_position(0, end, behind, digest)
                yield line, self._position
        except _NO_MORE:
            self._add_gap("a compressed log is cut off")

    def _find_start(self, files: "OpenLogs") -> tuple[int, int]:
        """Return the file in which the position is, and its offset there."""
        position = self._position
        if position is None:
            return 0, 0
        for number in reversed(range(len(files))):
            read_at = _reader_of(files[number][1])
            if _ends_at(read_at, position):
                self._tail = read_at(position.tail_length, position.offset - position.tail_length)
                return number, position.offset
        for number, (_, log) in enumerate(files):
            if position.chain and _digest_before(log) == position.chain:
                return number, 0  # all of the file before it was sent
        self._add_gap("the file up to which its events were sent is gone, or was cut")
        self._position = None
        return 0, 0

    def _check_chain(self, log: "BinaryIO", offset: int) -> None:
        """Notice that a file does not follow the one before it, or goes on from lines that it does not have."""
        if offset:
            return
        before = _digest_before(log)
        if before is None and (self._position is not None or not self.gaps):  # else that place was reported just now
            self._add_gap(f"its first lines are gone; {self._hint_at_verify()}")
        elif before and self._position is not None and self._position.chain not in ("", before):
            self._add_gap("a file between two others is gone")

    def _hint_at_verify(self) -> str:
        return f"`cortex-policy audit verify {quote(self._file)}` says where"

    def _add_gap(self, why: str) -> None:
        self.gaps += 1
        self._report(f"events of `{self._file}` may be missing: {why}")


def _reader_of(log: "BinaryIO") -> "ReadAt":
    def read_at(size: int, offset: int) -> bytes:
        """Read as `os.pread` does, also from what is unpacked."""
        log.seek(offset)
        return log.read(size)

    return read_at


def _ends_at(read_at: "ReadAt", position: Position) -> bool:
    """Whether a file has, before the offset of a position, what was sent."""
    try:
        tail = read_at(position.tail_length, position.offset - position.tail_length)
    except _NO_MORE:
        return False
    return sha256(tail).hexdigest() == position.tail_sha256


def _is_next_in_chain(before: str, line: bytes, digest: str) -> bool:
    """Whether the digest of a line covers that of the line right before it: nothing was between them when it was made.

    After a line without a digest nobody asks; `audit verify` follows the chain through those as well.
    """
    return sha256(before.encode() + select_hashed_bytes(line)).hexdigest() == digest


def _digest_before(log: "BinaryIO") -> str | None:
    """Return the digest of the line that the first line of a log follows, '' if it is not known.

    None stands for a first line that has a digest, but begins no chain: it followed one in the same file.
    """
    try:
        first = _reader_of(log)(MAX_LINE_BYTES, 0).partition(b"\n")[0]
    except _NO_MORE:
        return ""
    return parse_followed_digest_or_none(select_hashed_bytes(first)) if parse_chain_digest_or_empty(first) else ""
