"""What tells a resident process that something was changed, in one question to the kernel: inotify, where there is.

The kernel queues an event before the call that changed something returns, so that a queue which is empty says that
nothing was. It does not see what another host does, nor a mount: who watches looks himself now and then, too.
"""

import os
import sys

try:
    from fcntl import ioctl
except ImportError:  # a platform without file locks, where nothing is enforced
    ioctl = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MODIFY, ATTRIB, FROM, TO, CREATE, DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
MOVED = 0x400 | 0x800  # or deleted
ITSELF = MOVED | ATTRIB
APPEARED = MOVED | CREATE | TO
ENTRIES = ITSELF | MODIFY | FROM | TO | CREATE | DELETE
_ONLY_DIRECTORIES, _NO_LINKS = 0x01000000, 0x02000000
PENDING = 0x541B  # FIONREAD, which says how many bytes of events wait
NOTHING = bytes(4)
_ENOUGH = 1 << 16


class Watch:
    """A queue of events of some directories; raises OSError where there is none to have."""

    def __init__(self) -> None:
        """Open the queue."""
        if sys.platform != "linux":
            raise OSError(None, "no inotify here")
        from ctypes import CDLL, get_errno  # noqa: PLC0415 - only a resident process needs it

        self._libc, self._errno = CDLL(None, use_errno=True), get_errno
        self.descriptor = self._called(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._armed: set[int] = set()

    def is_quiet(self) -> bool:
        """Whether nothing was changed since it was drained."""
        try:
            return ioctl(self.descriptor, PENDING, NOTHING) == NOTHING
        except OSError:  # closed by another thread
            return False

    def drain(self) -> None:
        """Forget what happened. Call before what was changed is looked at."""
        try:
            while os.read(self.descriptor, _ENOUGH):
                pass
        except BlockingIOError:
            return

    def arm(self, directories: "Iterable[tuple[str, int]]") -> None:
        """Watch these directories, each for the events of its mask, and no others any more."""
        armed = set()
        for name, mask in directories:
            flags = mask | _ONLY_DIRECTORIES | _NO_LINKS
            armed.add(self._called(self._libc.inotify_add_watch, self.descriptor, os.fsencode(name), flags))
        for number in self._armed - armed:
            self._libc.inotify_rm_watch(self.descriptor, number)
        self._armed = armed

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _called(self, function: "object", *words: object) -> int:
        found: int = function(*words)  # type: ignore[operator]
        if found < 0:
            number = self._errno()
            raise OSError(number, os.strerror(number))
        return found
