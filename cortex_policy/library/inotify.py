"""One system call that says whether anything has changed: inotify, on Linux.

The kernel queues an event before the call that changes something returns: if the queue is empty, nothing has changed.
It does not see what another host does, nor a mount, so the files are also examined from time to time.
"""

import os
import sys

try:
    from fcntl import ioctl
except ImportError:  # Windows, which has no file locks either: nothing is enforced there
    ioctl = None  # type: ignore[assignment]

MODIFY, ATTRIB, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
MOVED_OR_DELETED = 0x400 | 0x800
ITSELF = MOVED_OR_DELETED | ATTRIB  # the number of links of a file and the mode of a directory are attributes
CONTENT = ITSELF | MODIFY  # through any name and any descriptor
APPEARED = ITSELF | CREATE | MOVED_TO
ENTRIES = APPEARED | MOVED_FROM | DELETE
_DONT_FOLLOW, _MASK_ADD = 0x02000000, 0x20000000
FIONREAD = 0x541B  # the request that counts the bytes in the queue
NO_EVENTS = bytes(4)
_READ_BYTES = 1 << 16


class Inotify:
    """A queue of events of some directories, links and files.

    Directories and links are added again in each round. Files stay watched until they are dropped.
    """

    descriptor: int

    def __del__(self) -> None:
        """Close the queue: a user has few."""
        self.close()

    def __init__(self) -> None:
        """Open the queue; raise OSError if the system has none to give."""
        self.descriptor = -1
        if sys.platform != "linux":
            raise OSError(None, "no inotify here")
        from ctypes import CDLL, get_errno  # noqa: PLC0415 - only a resident process needs it

        self._libc, self._errno = CDLL(None, use_errno=True), get_errno
        self.descriptor = self._call_libc(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._all: set[int] = set()
        self._round: dict[tuple[str, int], int] = {}
        self._files: dict[str, int] = {}
        self._unchanged: set[str] = set()  # the files that have had no event since they were watched

    def is_empty(self) -> bool:
        """Whether nothing has changed since the round began."""
        try:
            return ioctl(self.descriptor, FIONREAD, NO_EVENTS) == NO_EVENTS
        except OSError:  # closed by another thread
            return False

    def begin_round(self) -> None:
        """Begin a round, before any file is examined: drop what the last round did not add, and empty the queue."""
        self._remove_watches(self._all - set(self._round.values()) - set(self._files.values()))
        self._round = {}
        try:
            while os.read(self.descriptor, _READ_BYTES):
                self._unchanged.clear()
        except BlockingIOError:
            return

    def watch(self, name: str, mask: int) -> None:
        """Watch a directory, link or file in this round for the events of a mask; do not follow links."""
        if (name, mask) not in self._round:
            self._round[name, mask] = self._add_watch(name, mask)

    def watch_file(self, file: str) -> None:
        """Watch the file that has this name now, until it is dropped."""
        if file not in self._unchanged:
            self._files[file] = self._add_watch(file, CONTENT)
            self._unchanged.add(file)

    def unwatch_file(self, file: str) -> None:
        """Stop watching a file, in the next round: ending a watch is an event too."""
        self._files.pop(file, None)
        self._unchanged.discard(file)

    def clear(self) -> None:
        """Stop watching everything; much cheaper than closing the queue."""
        self._remove_watches(self._all)
        self._round, self._files, self._unchanged = {}, {}, set()

    def close(self) -> None:
        """Close the queue; closing it twice is the same as once."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _add_watch(self, name: str, mask: int) -> int:
        flags = mask | _DONT_FOLLOW | _MASK_ADD  # the same file may be watched under two names
        number = self._call_libc(self._libc.inotify_add_watch, self.descriptor, os.fsencode(name), flags)
        self._all.add(number)
        return number

    def _remove_watches(self, numbers: set[int]) -> None:
        for number in numbers:  # the kernel has removed the watches of deleted files itself
            self._libc.inotify_rm_watch(self.descriptor, number)
        self._all = self._all - numbers

    def _call_libc(self, function: "object", *args: object) -> int:
        result: int = function(*args)  # type: ignore[operator]
        if result < 0:
            number = self._errno()
            raise OSError(number, os.strerror(number))
        return result
