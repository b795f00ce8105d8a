"""Open, make and check the file of an audit log and the lock beside it.

`flock` needs no right to write: a process that may only read a log could lock it, and stop all calls. So writers
exclude each other by `LOG.lock`, which only users who may write the log can open. They also lock the log, unless a
reader holds it, for writers that lock the log alone: those that cannot open the lock file, find another one at its
name, or run where none can be created.
"""

import os
import stat
from time import monotonic, sleep

from cortex_policy.state import fcntl, lock_within_one_second
from cortex_policy.state.grants import find_trust_problems

LOCK_SUFFIX = ".lock"
WRITER_WAIT = 0.1  # seconds for a writer that locks the log alone; longer than any takes, unless it was stopped
MAX_TRIES = 100  # to open a file that others keep replacing
IDENTITY_FIELDS = 6  # of a `stat` result: mode, inode, device, links, owner and group
_LOCK = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OPEN = _LOCK | os.O_APPEND
_MODE, _SHARED = 0o600, 0o660
_NAP = 1e-3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import StateError


def open_or_create_log_unchecked(file: str) -> int:
    """Open a log to append to it, and create it if it is missing; raise OSError, or AuditLogError."""
    if fcntl is None:
        raise make_audit_error_with_reason(file, "this platform has no file locks")
    for _ in range(MAX_TRIES):
        try:
            return os.open(file, _OPEN)
        except FileNotFoundError:
            pass
        try:
            return _create_log(file)
        except FileExistsError:  # another process made it
            continue
    raise make_audit_error_with_reason(file, "it is replaced again and again")


def make_audit_error_with_reason(file: str, why: str) -> "StateError":
    """Return the AuditLogError that says why a log cannot be written."""
    from cortex_policy.state.audit_errors import AuditLogError  # noqa: PLC0415 - only a failure needs it

    return AuditLogError(file, why)


def _create_log(file: str) -> int:
    descriptor = os.open(file, _OPEN | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        os.fchmod(descriptor, _MODE)  # whatever the umask
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_open_log_safe(descriptor: int) -> bool:
    """Whether an open object is a plain file that nobody else could have written."""
    status = os.fstat(descriptor)
    # zero links: it was just replaced, which is noticed under the lock
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1
    return is_plain and not find_trust_problems(descriptor, status, (os.geteuid(), 0))


def read_identity_of_safe_log(file: str, descriptor: int) -> tuple[float, ...]:
    """Return the identity of an open log; raise AuditLogError if another user could have written it.

    No `stat` result shows an ACL: if a group may write, the identity is one that never equals a `stat` result.
    """
    if not is_open_log_safe(descriptor):
        from cortex_policy.state.audit_errors import make_unsafe_log_error  # noqa: PLC0415 - only a failure needs it

        raise make_unsafe_log_error(file, descriptor)
    status = os.fstat(descriptor)
    return (0, *status[1:IDENTITY_FIELDS]) if status.st_mode & stat.S_IWGRP else status[:IDENTITY_FIELDS]


def open_log_lock_or_minus_one(file: str, log: os.stat_result) -> int:
    """Open the lock of a log, and create it if it is missing; return -1 if that is impossible."""
    name = file + LOCK_SUFFIX
    try:
        descriptor = _open_or_create_lock(name, log)
        if is_lock_for_log_writers_only(descriptor, log):
            return descriptor
    except OSError:
        return -1
    os.close(descriptor)
    return -1


def retry_locking_log_briefly(lock: int, log: int) -> bool:
    """Wait a moment for a process that holds the log without its lock; say whether the log is locked now, too."""
    until = monotonic() + WRITER_WAIT
    while monotonic() < until:
        fcntl.flock(lock, fcntl.LOCK_UN)
        sleep(_NAP)
        lock_within_one_second(lock)
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def is_lock_for_log_writers_only(descriptor: int, log: os.stat_result) -> bool:
    """Whether only those who may write the log can hold it."""
    lock = os.fstat(descriptor)
    # a log that is mounted alone has another directory in each container
    is_beside = stat.S_ISREG(lock.st_mode) and lock.st_dev == log.st_dev
    if not is_beside or lock.st_uid not in (log.st_uid, 0) or lock.st_mode & stat.S_IRWXO:
        return False
    if not lock.st_mode & stat.S_IRWXG:
        return True
    from cortex_policy.state.possible_writers import read_acl_bytes  # noqa: PLC0415 - only if a group writes the log

    return bool(log.st_mode & stat.S_IWGRP) and lock.st_gid == log.st_gid and not read_acl_bytes(descriptor)


def _open_or_create_lock(name: str, log: os.stat_result) -> int:
    try:
        return os.open(name, _LOCK)
    except FileNotFoundError:
        pass
    try:
        return _create_lock(name, log)
    except FileExistsError:  # another process made it
        return os.open(name, _LOCK)


def _create_lock(name: str, log: os.stat_result) -> int:
    """Make the lock for all who may write the log."""
    descriptor = os.open(name, _LOCK | os.O_CREAT | os.O_EXCL, _MODE)
    is_made = False
    try:
        status, is_shared = os.fstat(descriptor), bool(log.st_mode & stat.S_IWGRP)
        if status.st_uid != log.st_uid or (is_shared and status.st_gid != log.st_gid):
            os.fchown(descriptor, log.st_uid, log.st_gid)
        os.fchmod(descriptor, _SHARED if is_shared else _MODE)  # whatever the umask
        is_made = is_lock_for_log_writers_only(descriptor, log)
    finally:
        if not is_made:
            os.unlink(name)
    return descriptor
