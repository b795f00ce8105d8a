"""What tells a resident process that something was changed, in one question to the kernel: inotify, where there is.

The kernel queues an event before the call that changed something returns, so that a queue which is empty says that
nothing was. It does not see what another host does, nor a mount: whoever watches also looks from time to time.
"""

import os
import sys

try:
    from fcntl import ioctl
except ImportError:  # a platform without file locks, where nothing is enforced
    ioctl = None  # type: ignore[assignment]

MODIFY, ATTRIB, FROM, TO, CREATE, DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
MOVED = 0x400 | 0x800  # or deleted
ITSELF = MOVED | ATTRIB  # the last link to a file, and the mode of a directory, are attributes
CONTENT = ITSELF | MODIFY  # by whatever name, and by whatever descriptor
APPEARED = ITSELF | CREATE | TO
ENTRIES = APPEARED | FROM | DELETE
_NO_LINKS, _ALSO = 0x02000000, 0x20000000
PENDING = 0x541B  # FIONREAD, which says how many bytes of events wait
NOTHING = bytes(4)
_ENOUGH = 1 << 16


class Watch:
    """A queue of events of some directories, links and files; raises OSError where there is none to have.

    What is on the way to something is named anew in each round; files that are kept stay until they are dropped.
    """

    descriptor: int

    def __init__(self) -> None:
        """Open the queue."""
        if sys.platform != "linux":
            raise OSError(None, "no inotify here")
        from ctypes import CDLL, get_errno  # noqa: PLC0415 - only a resident process needs it

        self._libc, self._errno = CDLL(None, use_errno=True), get_errno
        self.descriptor = self._call(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._all: set[int] = set()
        self._round: dict[tuple[str, int], int] = {}
        self._files: dict[str, int] = {}
        self._sure: set[str] = set()  # of the files: those that nothing has happened to since

    def is_quiet(self) -> bool:
        """Whether nothing was changed since it was drained."""
        try:
            return ioctl(self.descriptor, PENDING, NOTHING) == NOTHING
        except OSError:  # closed by another thread
            return False

    def begin(self) -> None:
        """Begin a round, before anything is looked at: drop what the last one did not name, forget what happened."""
        self._drop(self._all - set(self._round.values()) - set(self._files.values()))
        self._round = {}
        try:
            while os.read(self.descriptor, _ENOUGH):
                self._sure.clear()
        except BlockingIOError:
            return

    def add(self, name: str, mask: int) -> None:
        """Watch a directory, link or file in this round, for the events of a mask; links are not followed."""
        if (name, mask) not in self._round:
            self._round[name, mask] = self._add(name, mask)

    def keep(self, file: str) -> None:
        """Watch what bears the name of a file now, until it is dropped."""
        if file not in self._sure:
            self._files[file] = self._add(file, CONTENT)
            self._sure.add(file)

    def drop(self, file: str) -> None:
        """Let a file go, in the next round: the kernel tells even of the end of a watch."""
        self._files.pop(file, None)
        self._sure.discard(file)

    def clear(self) -> None:
        """Watch nothing any more. It costs much less than to close the queue."""
        self._drop(self._all)
        self._round, self._files, self._sure = {}, {}, set()

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _add(self, name: str, mask: int) -> int:
        flags = mask | _NO_LINKS | _ALSO  # one thing may be watched under two names
        number = self._call(self._libc.inotify_add_watch, self.descriptor, os.fsencode(name), flags)
        self._all.add(number)
        return number

    def _drop(self, numbers: set[int]) -> None:
        for number in numbers:  # of what was deleted the kernel has dropped it
            self._libc.inotify_rm_watch(self.descriptor, number)
        self._all = self._all - numbers

    def _call(self, function: "object", *words: object) -> int:
        found: int = function(*words)  # type: ignore[operator]
        if found < 0:
            number = self._errno()
            raise OSError(number, os.strerror(number))
        return found
