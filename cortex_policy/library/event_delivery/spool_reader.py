"""The end of a spool from which its one sender reads, and removes what is delivered."""

import os
from contextlib import suppress
from functools import partial
from hashlib import sha256

from cortex_policy.library.event_delivery.complete_lines import iterate_lines_with_end_offsets
from cortex_policy.library.event_delivery.cursor import Cursor, Position, make_position
from cortex_policy.library.event_delivery.line_delivery_queue import LineQueue
from cortex_policy.library.event_delivery.spool import (
    format_spool_file_name,
    list_spool_file_numbers,
    open_spool_directory,
)
from cortex_policy.state import OPEN_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CURSOR = "cursor"
_NONE = -1


class SpoolReader:
    """The files of a spool, read after its cursor; one thread uses it."""

    cursor: Cursor
    directory: int

    def __init__(self, directory: str) -> None:
        """Open the directory and the cursor; raise OSError, SpoolError or NotDoneError."""
        self._file = self._delivered_file = _NONE
        self.directory = open_spool_directory(directory)
        try:
            self.cursor = Cursor(CURSOR, self.directory)
        except BaseException:
            os.close(self.directory)
            raise

    def try_lock(self) -> bool:
        """Become the one that sends, if no other process does."""
        return self.cursor.try_lock()

    def is_removed(self) -> bool:
        """Whether others that send from this spool would have another lock."""
        return not self.cursor.is_still_same_file(self.directory)

    def open_queue(self) -> LineQueue:
        """Return the lines that wait. Call it with the lock."""
        return LineQueue(self._lines(self.cursor.read()), self.cursor, self._remove_delivered_files)

    def close(self) -> None:
        """Give up the lock, and close everything."""
        self.cursor.unlock()
        self.make_usable_after_fork()

    def make_usable_after_fork(self) -> None:
        """Close everything in a child of a fork; its parent keeps the lock."""
        self.cursor.close()
        directory, self.directory = self.directory, _NONE
        if directory >= 0:
            os.close(directory)
        self._close_file()

    def _lines(self, position: "Position | None") -> "Iterator[tuple[bytes, Position] | None]":
        number, offset = (position.file, position.offset) if position is not None else (0, 0)
        while True:
            if position is None:
                following = self._next_number(number)
                if following is None:
                    yield None
                    continue
                number = following
            yield from self._lines_of_file(number, offset, position)
            number, offset, position = number + 1, 0, None

    def _next_number(self, number: int) -> "int | None":
        """Return the number of the file that comes next; those that begin again at 1 come after all others."""
        numbers = list_spool_file_numbers(self.directory)
        return next((one for one in numbers if one >= number), numbers[0] if numbers else None)

    def _lines_of_file(
        self, number: int, offset: int, position: "Position | None"
    ) -> "Iterator[tuple[bytes, Position] | None]":
        """Yield the lines of a file until it is full or gone, and all of it was read."""
        try:
            file = self._file = os.open(format_spool_file_name(number), OPEN_FILE, dir_fd=self.directory)
        except FileNotFoundError:
            if position is None:
                yield None  # somebody removes files: not at once again, whatever is there
            return
        tail = b""
        if position is not None and not (tail := _tail_before(file, position)):
            offset = 0  # it is not the file that it was: after a loss of power, or by hand
        try:
            while True:
                is_full = self._is_full(number)  # before the rest is read: it is not written to any more
                if os.fstat(file).st_size < offset:  # somebody has cut it
                    offset, tail = 0, b""
                for line, end, behind in iterate_lines_with_end_offsets(partial(os.pread, file), offset, tail):
                    offset, tail = end, behind
                    yield line, make_position(number, end, behind)
                if is_full:
                    return
                yield None
        finally:
            self._close_file()

    def _is_full(self, number: int) -> bool:
        """Whether the writers have begun another file, or this one is gone."""
        return not os.fstat(self._file).st_nlink or any(one > number for one in list_spool_file_numbers(self.directory))

    def _remove_delivered_files(self, position: Position) -> None:
        """Remove the files before a position, when the first line of another one is delivered."""
        if position.file == self._delivered_file:
            return
        self._delivered_file = position.file
        for number in list_spool_file_numbers(self.directory):
            if number < position.file:
                with suppress(OSError):
                    os.unlink(format_spool_file_name(number), dir_fd=self.directory)

    def _close_file(self) -> None:
        descriptor, self._file = self._file, _NONE
        if descriptor >= 0:
            os.close(descriptor)


def _tail_before(file: int, position: Position) -> bytes:
    """Return the bytes before a position, none if they are not those that were delivered."""
    tail = os.pread(file, position.tail_length, position.offset - position.tail_length)
    return tail if sha256(tail).hexdigest() == position.tail_sha256 else b""
