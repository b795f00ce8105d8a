"""The audit log: a file that gets one whole line for each answered call (contracts, section 6)."""

import os
import stat

from cortex_policy.core.chain import LENGTH, chained, digest_at_end
from cortex_policy.core.model import STATE_UNAVAILABLE, StateError
from cortex_policy.state import ring as rings
from cortex_policy.state.grants import doubts, sha256
from cortex_policy.state.ledger import hold, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Settings

_OPEN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
TRIES = 100  # of opening a file that others keep replacing
_MODE = 0o600


class LogError(StateError):
    """The audit log cannot be written: exit 24."""

    def __init__(self, file: str, why: str, hint: str) -> None:
        """Say which file, and why."""
        super().__init__(STATE_UNAVAILABLE, f"audit log `{file}`: {why}", hint)

    def __str__(self) -> str:
        return self.detail


class Log:
    """An open audit log, judged; it is locked from the moment a line is written until it is closed."""

    def __init__(self, settings: "Settings") -> None:
        """Open the file that is set, and make it where it is not there; raise LogError."""
        self.file = settings.audit_file or ""
        self._most, self._keep = settings.audit_max_bytes, settings.audit_keep
        self._descriptor = -1
        try:
            self._descriptor = _opened(self.file)
        except OSError as error:
            raise _failed(self.file, error) from None

    def close(self) -> None:
        """Unlock it and close it."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            release(descriptor)

    def append(self, text: bytes) -> None:
        """Append a line, chained to the one before it, once a full log was rotated; raise LogError."""
        try:
            self._lock(len(text) + LENGTH)
            self._write(text)
        except OSError as error:
            raise _failed(self.file, error) from None

    def _lock(self, more: int) -> None:
        """Lock the file that stands at the name now, with room for so many bytes: it may be rotated, by anyone."""
        for _ in range(TRIES):
            try:
                hold(self._descriptor)
            except StateError:  # after a second, which no honest line takes
                from cortex_policy.state.audit_faults import held  # noqa: PLC0415 - only a failure needs it

                raise held(self.file) from None
            if _stands(self._descriptor, self.file):
                if not self._is_full(more):
                    return
                from cortex_policy.state.rotation import rotate  # noqa: PLC0415 - once in a while

                rotate(self.file, self._keep)
            self.close()
            self._descriptor = _opened(self.file)
        raise LogError(self.file, "it is replaced again and again", "")

    def _is_full(self, more: int) -> bool:
        size = os.fstat(self._descriptor).st_size if self._most else 0
        return bool(size) and size + more > self._most

    def _write(self, text: bytes) -> None:
        """Append a whole line in one write, or nothing."""
        size = os.fstat(self._descriptor).st_size
        end = os.pread(self._descriptor, LENGTH + 1, max(0, size - LENGTH - 1))
        before = digest_at_end(end[:-1]) if end.endswith(b"\n") else ""
        if before:
            text = chained(text, before, b"", lambda data: sha256(data).hexdigest())
        else:  # a new file, or a writer died in the middle of its line, which must not take ours with it
            from cortex_policy.state.links import linked  # noqa: PLC0415 - once in a while

            text = linked(text, self._descriptor, size, self.file)
        if os.write(self._descriptor, text) != len(text):
            os.ftruncate(self._descriptor, size)
            from cortex_policy.state.audit_faults import partial  # noqa: PLC0415 - only a failure needs it

            raise partial(self.file)


def opened(settings: "Settings") -> Log | None:
    """Open the audit log that is set; raise LogError where it cannot be, None where that is ignored."""
    try:
        return Log(settings)
    except LogError:
        if settings.audit_on_error != "ignore":
            raise
        return None


def _opened(file: str) -> int:
    if rings.fcntl is None:
        raise LogError(file, "this platform has no file locks", "")
    descriptor = _opened_or_made(file)
    try:
        _judge(file, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _opened_or_made(file: str) -> int:
    for _ in range(TRIES):
        try:
            return os.open(file, _OPEN)
        except FileNotFoundError:
            pass
        try:
            return _made(file)
        except FileExistsError:  # another one made it
            continue
    raise LogError(file, "it is replaced again and again", "")


def _made(file: str) -> int:
    descriptor = os.open(file, _OPEN | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        os.fchmod(descriptor, _MODE)  # whatever the umask
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_ours(descriptor: int) -> bool:
    """Whether an open object is a plain file that nobody else could have written."""
    status = os.fstat(descriptor)
    # no link at all: it was just renamed over, which is noticed under the lock
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1
    return is_plain and not doubts(descriptor, status, (os.geteuid(), 0))


def _judge(file: str, descriptor: int) -> None:
    """Raise LogError for what was opened, unless it can be believed."""
    if not is_ours(descriptor):
        from cortex_policy.state.audit_faults import unsafe  # noqa: PLC0415 - only a failure needs it

        raise unsafe(file, descriptor)


def _stands(descriptor: int, file: str) -> bool:
    try:
        at_name, opened_one = os.lstat(file), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (at_name.st_dev, at_name.st_ino) == (opened_one.st_dev, opened_one.st_ino)


def _failed(file: str, error: OSError) -> LogError:
    from cortex_policy.state.audit_faults import failed  # noqa: PLC0415 - only a failure needs it

    return failed(file, error)
