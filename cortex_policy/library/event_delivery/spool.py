"""Events that wait on the disk: a directory of ours alone, with files that any number of processes append to.

A file is full before the next one begins, and the sender removes the oldest when all of it is delivered. The
directory itself is the lock of those who append. Lines are not synced to the disk: they survive a killed process.
"""

import errno
import fcntl
import os
import re
import stat
from _thread import allocate_lock, get_ident
from contextlib import suppress
from shlex import quote
from threading import RLock

from cortex_policy.core.audit_event import MAX_LINE_BYTES
from cortex_policy.core.model import STATE_UNAVAILABLE, StateError, UsageError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import OPEN_DIRECTORY, lock_within_one_second

FILES = 8  # of a full spool
MIN_BYTES = 1 << 16
_NAME = re.compile(r"events-([0-9]{12})\.jsonl")
_OTHERS = 0o077
no_fork: "RLock" = RLock()  # held while something is opened that is locked later: a child must know it, to close it
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SpoolError(StateError):
    """An event cannot be kept on the disk: exit 24."""

    def __init__(self, directory: str, why: str, hint: str = "") -> None:
        """Say which spool, and why."""
        super().__init__(STATE_UNAVAILABLE, f"event spool `{directory}`: {why}", hint)

    @property
    def message(self) -> str:
        """What failed: a spool is not rate state."""
        return self.detail


class EventSpool:
    """The end of a spool to which events are appended, by any number of threads; a child of a fork opens it again."""

    directory: str
    max_line_bytes: int

    def __init__(self, directory: str, max_bytes: int) -> None:
        """Name the directory, and make it if it is missing; raise UsageError or SpoolError."""
        if type(max_bytes) is not int or max_bytes < MIN_BYTES:
            raise UsageError(f"max_bytes must be an integer of at least {MIN_BYTES}")
        self.directory, self._file_bytes = os.path.abspath(directory), max_bytes // FILES
        self.max_line_bytes = min(MAX_LINE_BYTES, self._file_bytes)
        self._turn, self._writer = allocate_lock(), 0
        self._directory = self._file = -1
        self._number, self._next_name = 0, b""
        self._end = -1  # of the file, after the last line that was written here
        try:
            os.close(open_spool_directory(self.directory))
        except OSError as error:
            raise SpoolError(self.directory, format_os_error_cause(error)) from None

    def append(self, line: bytes) -> None:
        """Append a line, which ends in a newline, or nothing; raise SpoolError within a second or so."""
        thread = get_ident()
        if self._writer == thread:  # a signal handler interrupts a line, and wants to write another
            raise SpoolError(self.directory, "an event is being written")
        with self._turn:
            self._writer = thread
            try:
                self._append_to_directory(line)
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                self._close_files()
                raise self._as_spool_error(error) from None
            finally:
                self._writer = 0

    def close(self) -> None:
        """Close the files; the next line opens them again."""
        if self._writer != get_ident():
            with self._turn:
                self._close_files()

    def make_usable_after_fork(self) -> None:
        """Start over in a child of a fork: a shared descriptor would share its lock."""
        self._turn, self._writer = allocate_lock(), 0
        self._close_files()

    def _append_to_directory(self, line: bytes) -> None:
        """Append a line; if somebody has removed the directory, make it again."""
        try:
            self._append_locked(line)
        except FileNotFoundError:
            self._close_files()
            self._append_locked(line)

    def _append_locked(self, line: bytes) -> None:
        if self._directory < 0:
            with no_fork:
                self._directory = open_spool_directory(self.directory)
        lock_within_one_second(self._directory)
        try:
            size = self._open_file_with_room(len(line))
            # a writer that was killed in the middle of its line, or a loss of power
            if size not in (0, self._end) and os.pread(self._file, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(self._file, line) != len(line):
                os.ftruncate(self._file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._end = size + len(line)
        finally:
            fcntl.flock(self._directory, fcntl.LOCK_UN)

    def _open_file_with_room(self, more: int) -> int:
        """Open the newest file, or the next one if that is full; return the size of the file."""
        size = self._size_if_newest()
        if size < 0:
            self._close_file()
            numbers = list_spool_file_numbers(self._directory)
            size = self._open_file(numbers[-1] if numbers else 1)
        if not size or size + more < self._file_bytes:  # a byte for the end of a line that was left
            return size
        if len(list_spool_file_numbers(self._directory)) >= FILES:
            raise SpoolError(self.directory, "it is full of events that wait for their receiver")
        self._close_file()
        return self._open_file(self._number + 1)

    def _size_if_newest(self) -> int:
        """Return the size of the file that is open, -1 if it is not the newest, or somebody has removed it."""
        if self._file < 0:
            return -1
        status = os.fstat(self._file)
        try:
            os.stat(self._next_name, dir_fd=self._directory)
        except FileNotFoundError:
            return status.st_size if status.st_nlink == 1 else -1
        return -1

    def _open_file(self, number: int) -> int:
        """Open a file, and make it if it is missing; return its size."""
        self._file = os.open(format_spool_file_name(number), _APPEND, 0o600, dir_fd=self._directory)
        self._number, self._next_name = number, os.fsencode(format_spool_file_name(number + 1))
        self._end = -1
        status = os.fstat(self._file)
        # perhaps others could write to the directory before
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
            raise SpoolError(
                self.directory, f"`{format_spool_file_name(number)}` must be your file, without other links"
            )
        return status.st_size

    def _close_file(self) -> None:
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _close_files(self) -> None:
        self._close_file()
        descriptor, self._directory = self._directory, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _as_spool_error(self, error: BaseException) -> BaseException:
        if isinstance(error, SpoolError) or not isinstance(error, OSError | StateError):
            return error
        why = format_os_error_cause(error) if isinstance(error, OSError) else "another process holds its lock"
        return SpoolError(self.directory, why, f"see why with `ls -la {quote(self.directory)}` and `df`")


def open_spool_directory(path: str) -> int:
    """Open the directory of a spool, and make it if it is missing; raise OSError, or SpoolError if it is not ours."""
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    descriptor = os.open(path, OPEN_DIRECTORY)
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & _OTHERS:
        return descriptor
    os.close(descriptor)
    raise SpoolError(path, "it must be a directory of yours alone", f"run `chmod 700 {quote(path)}`")


def list_spool_file_numbers(directory: int) -> list[int]:
    """Return the numbers of the files of a spool, the oldest first."""
    found = _NAME.fullmatch
    return sorted(int(match[1]) for match in map(found, os.listdir(directory)) if match is not None)


def format_spool_file_name(number: int) -> str:
    """Return the name of a file of a spool."""
    return f"events-{number:012}.jsonl"


os.register_at_fork(before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=no_fork.release)
