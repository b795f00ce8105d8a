"""The audit log: a file that gets one whole line for each answered call (contracts, section 6)."""

import os
import stat
from time import time_ns

from cortex_policy.core.decode import Malformed, decode_json, whole_number
from cortex_policy.core.events import FULL, Event, line, trace_of
from cortex_policy.core.model import STATE_UNAVAILABLE, CortexPolicyError, StateError
from cortex_policy.state import ring as rings
from cortex_policy.state.enforcement import guarded
from cortex_policy.state.grants import read_all, sha256
from cortex_policy.state.ledger import hold, release
from cortex_policy.state.places import places, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Place, Settings
    from cortex_policy.state.enforcement import Trail

_OPEN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_STAMP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
TRIES = 100  # of opening a file that others keep replacing
LARGEST_STAMP = 1 << 24
_HEAD = b'{\n  "format": 1,\n  "version": '  # of a stamp as it is written here
_MOST_DIGITS = 16
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
        self._detail = settings.audit_args
        self._is_ignored = settings.audit_on_error == "ignore"
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

    def record(self, trail: "Trail", error: CortexPolicyError | None) -> None:
        """Append what came of a call; raise LogError, but where that is ignored."""
        event = _event(trail, error, with_places=self._detail == FULL)
        try:
            self._append(line(event, self._detail, lambda data: sha256(data).hexdigest()))
        except LogError:
            if not self._is_ignored:
                raise

    def _append(self, text: bytes) -> None:
        try:
            self._lock()
            self._write(text)
        except OSError as error:
            raise _failed(self.file, error) from None

    def _lock(self) -> None:
        """Lock the file that stands at the name now: it may have been renamed away to be rotated."""
        for _ in range(TRIES):
            try:
                hold(self._descriptor)
            except StateError:  # after a second, which no honest line takes
                from cortex_policy.state.audit_faults import held  # noqa: PLC0415 - only a failure needs it

                raise held(self.file) from None
            if _stands(self._descriptor, self.file):
                return
            self.close()
            self._descriptor = _opened(self.file)
        raise LogError(self.file, "it is replaced again and again", "")

    def _write(self, text: bytes) -> None:
        """Append a whole line in one write, or nothing."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            text = b"\n" + text  # a writer died in the middle of its line, which must not take ours with it
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
        _judge(file, os.fstat(descriptor))
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


def _judge(file: str, status: os.stat_result) -> None:
    """Raise LogError for what was opened, unless it is a plain file that nobody else could have written."""
    others = stat.S_IWOTH if status.st_gid == os.getegid() else stat.S_IWOTH | stat.S_IWGRP
    is_owned, is_open = status.st_uid in (os.geteuid(), 0), bool(status.st_mode & others)
    # no link at all: it was just renamed over, which is noticed under the lock
    if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1 and is_owned and not is_open:
        return
    from cortex_policy.state.audit_faults import unsafe  # noqa: PLC0415 - only a failure needs it

    raise unsafe(file, status, is_owned=is_owned, is_open=is_open)


def _stands(descriptor: int, file: str) -> bool:
    try:
        at_name, opened_one = os.lstat(file), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (at_name.st_dev, at_name.st_ino) == (opened_one.st_dev, opened_one.st_ino)


def _failed(file: str, error: OSError) -> LogError:
    from cortex_policy.state.audit_faults import failed  # noqa: PLC0415 - only a failure needs it

    return failed(file, error)


def _event(trail: "Trail", error: CortexPolicyError | None, *, with_places: bool) -> Event:
    grant, decision = trail.grant, trail.decision
    is_allowed = error is None and bool(decision)
    reason = error.reason if error is not None else decision.reason if decision is not None else ""
    origin = grant.origin if grant is not None else None
    root = origin.root if origin is not None else getattr(error, "root", None)
    return Event(
        os.urandom(16).hex(), time_ns(), trail.grant_id, grant.tool if grant is not None else trail.grant_id,
        str(trail.action), trail.args, is_allowed, reason, trail.cost, trail.peek,
        _places(trail) if with_places else None, root, working_directory(), _version(root),
        os.environ.get("CORTEX_RUN_ID", ""), trace_of(os.environ.get("TRACEPARENT", "")),
        decision.approval.id if decision is not None and decision.approval is not None else None,
    )  # fmt: skip


def _places(trail: "Trail") -> "tuple[Place, ...] | None":
    """Return the paths of a call as they were resolved for its answer, which may have come before any was."""
    decision, origin = trail.decision, trail.grant.origin if trail.grant is not None else None
    if decision is not None and decision.places:
        return tuple(place for place, _ in decision.places)
    if trail.grant is None or origin is None:
        return None
    return places(trail.grant, origin, trail.args, guarded(origin, trail.settings))


def _version(root: str | None) -> int | None:
    """Return the version in the stamp of a root, None where there is none; it judges nothing and fails nothing."""
    if root is None:
        return None
    try:
        descriptor = os.open(f"{root.rstrip('/')}/.cortex/policy/stamp.json", _STAMP)
    except (OSError, ValueError):
        return None
    try:
        return _version_in(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except (OSError, Malformed):
        return None
    finally:
        os.close(descriptor)


def _version_in(descriptor: int) -> int | None:
    head = os.read(descriptor, 1 << 12)
    digits, comma, _ = head.removeprefix(_HEAD).partition(b",\n")
    if head.startswith(_HEAD) and comma and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        return int(digits)
    document = decode_json(head + read_all(descriptor, LARGEST_STAMP), LARGEST_STAMP)  # laid out by another program
    return whole_number(document.get("version")) if isinstance(document, dict) else None
