"""Events that a receiver refused for good: the newest of them are kept, for somebody to look at."""

import errno
import os
import stat
from json import dumps

from cortex_policy.core.audit_event import format_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 1 << 22  # of a file, of which there are two
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS = 0o077


class RefusedEvents:
    """A file with one JSON object a line: the status, when it came, and the event. Only the sender writes it."""

    path: str

    def __init__(self, path: str, now_ns: "Callable[[], int]") -> None:
        """Name the file; it is made with the first event, and an older one gets the ending `.1`."""
        self.path, self._now_ns = path, now_ns

    def add(self, event: bytes, status: int) -> None:
        """Keep an event; raise OSError."""
        head = dumps({"status": status, "refused_at": format_timestamp(self._now_ns())})
        line = b'%b, "event": %b}\n' % (head[:-1].encode(), event)
        descriptor = os.open(self.path, _APPEND, 0o600)
        try:
            status_of_file = os.fstat(descriptor)
            size = status_of_file.st_size
            if not _is_ours_alone(status_of_file):
                raise PermissionError(errno.EPERM, "it must be a file of yours that nobody else can read", self.path)
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a sender that was killed in the middle of it
                line = b"\n" + line
            if size and size + len(line) > MAX_BYTES:
                os.rename(self.path, f"{self.path}.1")
                return self.add(event, status)
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        finally:
            os.close(descriptor)
        return None


def _is_ours_alone(status: os.stat_result) -> bool:
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return is_plain and status.st_uid == os.geteuid() and not status.st_mode & _OTHERS
