"""The audit log: a file with one whole line for each answered call.

One module of more than 250 lines: each module costs a check with an audit log time.
"""

import os
import stat
from _thread import allocate_lock, get_ident
from _weakref import ref
from time import monotonic

from cortex_policy import state
from cortex_policy.core.audit_chain import CLOSING, DIGEST, LENGTH, format_digest_as_suffix, parse_chain_digest_or_empty
from cortex_policy.core.model import StateError
from cortex_policy.state import sha256
from cortex_policy.state.audit_file import (
    IDENTITY_FIELDS,
    LOCK_SUFFIX,
    MAX_TRIES,
    make_audit_error_with_reason,
    open_log_lock_or_minus_one,
    open_or_create_log_unchecked,
    read_identity_of_safe_log,
    retry_locking_log_briefly,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from cortex_policy.core.model import Settings

    class Hash(Protocol):
        """A SHA-256 hash."""

        def hexdigest(self) -> str:
            """Return it in hexadecimal."""


_TAIL_LENGTH = LENGTH + 1  # bytes: a digest with the newline after it
_NO_WAIT_SECONDS = 60.0  # seconds
_lstat, _pread, _write = os.lstat, os.pread, os.write
if state.fcntl is not None:
    _flock, _TRY, _UNLOCK = state.fcntl.flock, state.fcntl.LOCK_EX | state.fcntl.LOCK_NB, state.fcntl.LOCK_UN
_logs: "set[ref[AuditLog]]" = set()


class AuditLog:
    """An audit log, open and checked; it is locked only while a line is written.

    Any number of threads may use it. A child of a fork opens the file again: two processes that share a descriptor
    share its lock. `descriptor` is -1 while nothing is open.
    """

    descriptor: int
    file: str
    settings: "Settings"

    __slots__ = (
        "__weakref__",
        "_before",
        "_end",
        "_hurries_until",
        "_judged",
        "_lock",
        "_lock_judged",
        "_lock_name",
        "_max_bytes",
        "_name",
        "_sha256",
        "_turn",
        "_writer",
        "descriptor",
        "file",
        "settings",
    )  # fmt: skip

    def __init__(self, settings: "Settings", digest: "Callable[[bytes], Hash]" = sha256) -> None:
        """Open the file that is set, and create it if it is missing; raise AuditLogError."""
        self._sha256 = digest
        self.descriptor = self._lock = -1
        self._end = self._before = b""  # of the last line written here, and its digest
        self._turn, self._writer = allocate_lock(), 0
        self._hurries_until = 0.0  # until then it does not wait for a process that has locked the log itself
        _logs.add(ref(self, _logs.discard))
        self.reopen(settings)

    def __del__(self) -> None:
        self._close_files()

    def reopen(self, settings: "Settings") -> None:
        """Open the file that is set now; raise AuditLogError."""
        self._open_or_append(settings, None)

    def append(self, text: bytes) -> None:
        """Append a line, chained to the one before it; rotate a full log first; raise AuditLogError."""
        self._open_or_append(None, text)

    def close(self) -> None:
        """Close the file. The next line opens it again."""
        if self._writer != get_ident():  # else a signal handler interrupts a line, which needs the file
            with self._turn:
                self._close_files()

    def make_usable_after_fork(self) -> None:
        """Start over in a child of a fork, which has no other threads."""
        self._turn, self._writer = allocate_lock(), 0
        self._close_files()

    def _open_or_append(self, settings: "Settings | None", text: bytes | None) -> None:
        """Open a file, or append a line, one thread at a time; raise AuditLogError, with nothing left open."""
        thread = get_ident()
        since = monotonic()
        if self._writer == thread:  # a signal handler interrupts a line, and wants to write another
            raise self._lock_timeout_error()
        with self._turn:
            self._writer = thread
            try:
                if text is None:
                    self._apply_settings(settings or self.settings)
                elif self.descriptor < 0 or not self._try_append(text, since):
                    self._reopen_and_append(text, since)
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                failure = self._as_log_error(error)
                self._close_files()
                raise failure from None
            finally:
                self._writer = 0

    def _as_log_error(self, error: BaseException) -> BaseException:
        """Return a failure as an AuditLogError, if it is one of the file or its lock."""
        if isinstance(error, OSError):
            from cortex_policy.state.audit_errors import make_audit_os_error  # noqa: PLC0415 - only a failure needs it

            return make_audit_os_error(self.file, error)
        return self._lock_timeout_error() if type(error) is StateError else error  # no lock within a second

    def _apply_settings(self, settings: "Settings") -> None:
        self._close_files()
        self.settings, self._max_bytes = settings, settings.audit_max_bytes
        self.file = settings.audit_file or ""
        self._name, self._lock_name = os.fsencode(self.file), self.file + LOCK_SUFFIX  # a name in bytes is found faster
        self._open_files()

    def _open_files(self) -> None:
        self.descriptor = open_or_create_log_unchecked(self.file)
        self._judged = read_identity_of_safe_log(self.file, self.descriptor)
        self._lock = open_log_lock_or_minus_one(self.file, os.fstat(self.descriptor))
        if self._lock >= 0:
            self._lock_judged = os.fstat(self._lock)[:IDENTITY_FIELDS]

    def _close_files(self) -> None:
        for descriptor in (self.descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._lock = -1

    def _reopen_and_append(self, text: bytes, since: float) -> None:
        """Append to the file that has the name now."""
        for _ in range(MAX_TRIES):
            self._close_files()
            self._open_files()
            if self._try_append(text, since):
                return
        raise make_audit_error_with_reason(self.file, "it is replaced again and again")

    def _try_append(self, text: bytes, since: float) -> bool:  # noqa: C901 - each call of its own costs 1 % of a line
        """Append a line in one write, or nothing; False if log or lock no longer have their names."""
        log, lock, is_locked = self.descriptor, self._lock, True
        try:
            try:
                if lock >= 0:
                    _flock(lock, _TRY)
                _flock(log, _TRY)
            except BlockingIOError:
                is_locked = self._wait_for_locks(log, lock, since)
            status = _lstat(self._name)
            if (status[:IDENTITY_FIELDS] != self._judged or not is_locked) and not self._check_names_again(
                status, is_locked=is_locked
            ):
                return False
            size = status.st_size
            if self._max_bytes and self._rotate_if_full(size, len(text)):
                return False
            end = _pread(log, _TAIL_LENGTH, size - _TAIL_LENGTH if size > _TAIL_LENGTH else 0)
            before = (
                self._before
                if end == self._end
                else parse_chain_digest_or_empty(end[:-1]).encode()
                if end[-1:] == b"\n"
                else b""
            )
            if before:
                body = text[:CLOSING]
                end = format_digest_as_suffix(self._sha256(before + body).hexdigest())
                text = body + end
            else:
                text = self._chain_line_to_files(text, size)
                end = text[-_TAIL_LENGTH:]
            if _write(log, text) != len(text):
                raise self._undo_short_write_error(size)
            self._end = end
            self._before = end[DIGEST]
        except FileNotFoundError:  # at the name of one of them
            return False
        finally:
            _flock(log, _UNLOCK)
            if lock >= 0:
                _flock(lock, _UNLOCK)
        return True

    def _wait_for_locks(self, log: int, lock: int, since: float) -> bool:
        """Wait for both locks, or the log's alone; False if a reader has locked the log, which stops no writer.

        Raises StateError after a second; no line takes that long.
        """
        if monotonic() - since > state.MAX_LOCK_WAIT:  # for another thread
            raise self._lock_timeout_error()
        state.lock_within_one_second(lock if lock >= 0 else log)
        if lock < 0:
            return True
        try:
            _flock(log, _TRY)
        except BlockingIOError:
            if monotonic() < self._hurries_until:
                return False
            if not retry_locking_log_briefly(lock, log):
                self._hurries_until = monotonic() + _NO_WAIT_SECONDS
                return False
        return True

    def _check_names_again(self, status: os.stat_result, *, is_locked: bool) -> bool:
        """Check the log again after a change; False if log or lock no longer have their names.

        A writer that has locked the log itself excludes all others, even if the lock file was replaced.
        """
        if not is_locked and _lstat(self._lock_name)[:IDENTITY_FIELDS] != self._lock_judged:
            return False
        # one `lstat` for both: a second link could be removed before the next one
        if status.st_nlink > 1 or status[stat.ST_INO : stat.ST_DEV + 1] != self._judged[stat.ST_INO : stat.ST_DEV + 1]:
            return False
        self._judged = read_identity_of_safe_log(self.file, self.descriptor)
        return True

    def _rotate_if_full(self, size: int, more: int) -> bool:
        """Rotate the log if it would be too large."""
        if not size or size + more + LENGTH <= self._max_bytes:
            return False
        from cortex_policy.state.audit_rotation import move_log_away_and_remove_oldest  # noqa: PLC0415 - once in a while

        move_log_away_and_remove_oldest(self.file, self.settings.audit_keep)
        return True

    def _chain_line_to_files(self, text: bytes, size: int) -> bytes:
        """Chain a line in a new file, or after a writer that was killed in the middle of its line."""
        from cortex_policy.state.audit_chain_of_file import make_line_chained_to_file  # noqa: PLC0415 - once in a while

        return make_line_chained_to_file(text, self.descriptor, size, self.file)

    def _undo_short_write_error(self, size: int) -> StateError:
        os.ftruncate(self.descriptor, size)
        from cortex_policy.state.audit_errors import make_no_space_for_line_error  # noqa: PLC0415 - only a failure needs it

        return make_no_space_for_line_error(self.file)

    def _lock_timeout_error(self) -> StateError:
        from cortex_policy.state.audit_errors import make_lock_timeout_error  # noqa: PLC0415 - only a failure needs it

        return make_lock_timeout_error(self._lock_name if self._lock >= 0 else self.file, self.file)


def open_audit_log_of_settings(settings: "Settings") -> AuditLog | None:
    """Open the audit log that is set; raise AuditLogError if that fails, None if failures are ignored."""
    try:
        return AuditLog(settings)
    except StateError:
        if settings.audit_on_error != "ignore":
            raise
        return None


def _reset_after_fork() -> None:
    for one in list(_logs):
        log = one()
        if log is not None:
            log.make_usable_after_fork()


os.register_at_fork(after_in_child=_reset_after_fork)
