"""The approvals file: calls that wait for a human, and the answers; checked, and locked while it is in use.

One module of more than 250 lines, as each module costs a check that asks for approval time.
"""

import errno
import os
import stat
from shlex import quote

from cortex_policy.core.approvals import TimeSinceBoot, encode_requests_to_keep, parse_approval_requests
from cortex_policy.core.model import STATE_UNAVAILABLE, StateError
from cortex_policy.state import (
    CLOCK,
    fcntl,
    find_named_or_default_state_directory,
    lock_file,
    read_boot_id,
    read_time_namespace_id,
    read_up_to,
    sha256,
    unlock_and_close,
)
from cortex_policy.state.atomic_write import replace_file_atomically
from cortex_policy.state.grants import find_trust_problems
from cortex_policy.state.ledger import open_or_make_private_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from cortex_policy.core.approvals import ApprovalRequest
    from cortex_policy.core.model import Settings

NAME = "approvals.jsonl"
MAX_BYTES = 1 << 23
MAX_TIMEOUT = 366 * 86400  # seconds; the setting may be larger than any float
MAX_TRIES = 100  # to open a file that others keep replacing
_MIN_PRUNED = 1 << 15  # bytes of lines that no longer count
_MODE = 0o600
_LINKS = (errno.ELOOP, errno.EMLINK)
_OPEN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class ApprovalStoreError(StateError):
    """The file of approvals cannot be read or written: exit 24."""

    def __init__(self, file: str, why: str, hint: str = "") -> None:
        """Say which file, and why."""
        super().__init__(STATE_UNAVAILABLE, f"approvals `{file}`: {why}", hint)

    @property
    def message(self) -> str:
        """What failed: a log or a file of requests is not rate state."""
        return self.detail


def read_boot_id_and_time_since_boot() -> TimeSinceBoot:
    """Return the time since boot, and an id of this boot and its clock."""
    import time  # noqa: PLC0415 - loaded by the interpreter anyway

    boot = sha256(b"approvals %d " % read_time_namespace_id() + read_boot_id()).hexdigest()[:16]
    return TimeSinceBoot(boot, time.clock_gettime_ns(CLOCK))


def find_approvals_file_path(settings: "Settings") -> str:
    """Return the file that is set, or the one beside the rate state; raise StateError if that has a bad name."""
    return settings.approvals_file or f"{find_named_or_default_state_directory(settings.state_dir)}/{NAME}"


class ApprovalStore:
    """The open approvals file: locked, checked and read, until the block ends.

    A file is trusted if only the caller and root may have written it. `makes` says whether a missing file is
    created; with `is_operator`, root also works in files of other users.
    """

    clock: "TimeSinceBoot"
    file: str
    timeout_seconds: int

    def __init__(self, settings: "Settings", *, makes: bool = True, is_operator: bool = False) -> None:
        """Store the file and limits from the settings."""
        self.file = find_approvals_file_path(settings)
        self.timeout_seconds = min(settings.approvals_timeout_seconds, MAX_TIMEOUT)
        self._base = (
            None if settings.approvals_file is not None else find_named_or_default_state_directory(settings.state_dir)
        )
        self._makes, self._is_operator = makes, is_operator
        self._directory = self._descriptor = -1
        self._data = b""
        self._before = self._after = 0  # size of the file before and after the last line
        self.requests: list[ApprovalRequest] = []
        self.clock = TimeSinceBoot("", 0)

    def __enter__(self) -> "Self":
        """Open, lock and read it; raise StateError."""
        if fcntl is None:
            raise ApprovalStoreError(self.file, "this platform has no file locks")
        try:
            self._open_locked()
        except BaseException as error:
            self.__exit__()
            if isinstance(error, OSError):
                raise self._store_error(error) from None
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock it and close it."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            unlock_and_close(descriptor)
        if self._directory >= 0:
            directory, self._directory = self._directory, -1
            os.close(directory)

    def append_and_prune(self, line: bytes, max_bytes: int = MAX_BYTES) -> None:
        """Append a line, and drop the lines that no longer count; raise StateError if the file is full."""
        lines = encode_requests_to_keep(self.requests, self.clock, self.timeout_seconds)
        is_worth_it = len(self._data) - len(lines) >= _MIN_PRUNED
        if len(line) + len(lines if is_worth_it else self._data) > max_bytes:
            raise ApprovalStoreError(self.file, "it is full", "answer what waits: `cortex-policy approvals`")
        if not is_worth_it:
            self.append(line)
            return
        try:
            replace_file_atomically(self._directory, os.path.basename(self.file), lines + line, _MODE)
        except OSError as error:
            raise self._store_error(error) from None

    def append(self, line: bytes) -> None:
        """Append a whole line in one write, or nothing; raise StateError."""
        try:
            self._before = size = os.fstat(self._descriptor).st_size
            if self._data and not self._data.endswith(b"\n"):
                line = b"\n" + line  # a writer was killed in the middle of its line, which must not spoil ours
            if os.write(self._descriptor, line) != len(line):
                os.ftruncate(self._descriptor, size)
                hint = f"see how much with `df {quote(os.path.dirname(self.file))}`"
                raise ApprovalStoreError(self.file, "no space left for a line", hint)
            self._after = size + len(line)
        except OSError as error:
            raise self._store_error(error) from None

    def remove_last_line(self) -> None:
        """Remove the line that was appended last; raise StateError.

        It stays if another program, which ignores the lock, has written after it.
        """
        try:
            if os.fstat(self._descriptor).st_size == self._after:
                os.ftruncate(self._descriptor, self._before)
        except OSError as error:
            raise self._store_error(error) from None

    def _open_locked(self) -> None:
        directory = os.path.dirname(self.file)
        if self._base is not None:
            self._directory = open_or_make_private_directory(self._base, None, self._base)
        else:
            self._directory = os.open(directory, _DIRECTORY)
        for _ in range(MAX_TRIES):
            descriptor = self._open_or_create()
            if descriptor < 0:
                self.clock = read_boot_id_and_time_since_boot()
                return
            self._descriptor = descriptor
            if self._lock_if_current():
                self._read_requests()
                return
            self._descriptor = -1
            unlock_and_close(descriptor)
        raise ApprovalStoreError(self.file, "it is replaced again and again")

    def _open_or_create(self) -> int:
        """Open or create the file; return -1 if it is missing and not created."""
        name = os.path.basename(self.file)
        for _ in range(MAX_TRIES):
            try:
                return os.open(name, _OPEN, dir_fd=self._directory)
            except FileNotFoundError:
                if not self._makes:
                    return -1
            try:
                return self._create(name)
            except FileExistsError:  # another process made it
                continue
        raise ApprovalStoreError(self.file, "it is replaced again and again")

    def _create(self, name: str) -> int:
        from cortex_policy.state.ledger_directory import require_known_local_file_system  # noqa: PLC0415 - once in the life of a file

        require_known_local_file_system(self._directory, os.path.dirname(self.file))
        descriptor = os.open(name, _OPEN | os.O_CREAT | os.O_EXCL, _MODE, dir_fd=self._directory)
        try:
            os.fchmod(descriptor, _MODE)  # whatever the umask
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _lock_if_current(self) -> bool:
        """Lock the open file; return whether it still has its name."""
        self._check_only_ours()
        lock_file(self._descriptor)
        try:
            at_name = os.stat(os.path.basename(self.file), dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        opened = os.fstat(self._descriptor)
        # one `stat` for the name and the links: a file that is written has no other name
        if (at_name.st_dev, at_name.st_ino) != (opened.st_dev, opened.st_ino) or at_name.st_nlink > 1:
            return False
        self._check_only_ours()
        return True

    def _check_only_ours(self) -> None:
        """Raise ApprovalStoreError for a file that other users could have written or replaced."""
        opened, above = os.fstat(self._descriptor), os.fstat(self._directory)
        owners = {0, os.geteuid()} | ({opened.st_uid} if self._is_operator and os.geteuid() == 0 else set())
        directory, name = quote(os.path.dirname(self.file)), quote(self.file)
        if not stat.S_ISREG(opened.st_mode):
            raise ApprovalStoreError(self.file, "it is not a regular file", f"look at it with `ls -l {name}`")
        for _, sentence in find_trust_problems(self._descriptor, opened, owners):
            raise ApprovalStoreError(
                self.file, f"it {sentence}", f"remove it with `rm {name}`: anybody may have approved"
            )
        if opened.st_nlink > 1:
            raise ApprovalStoreError(self.file, "it has more than one link", f"remove it with `rm {name}`")
        for _, sentence in find_trust_problems(self._directory, above, owners, is_sticky_safe=True):
            hint = f"fix it with `chmod go-w {directory}`, or name another: `cortex-policy config set approvals.file`"
            raise ApprovalStoreError(self.file, f"others can replace it: {directory} {sentence}", hint)

    def _read_requests(self) -> None:
        self.clock = read_boot_id_and_time_since_boot()  # inside the lock, so that no line is later
        self._data = read_up_to(self._descriptor, MAX_BYTES + 1)
        if len(self._data) > MAX_BYTES:
            hint = f"move it away with `mv {quote(self.file)} {quote(self.file + '.old')}`"
            raise ApprovalStoreError(self.file, f"it is larger than {MAX_BYTES} bytes", hint)
        self.requests = parse_approval_requests(self._data)

    def _store_error(self, error: OSError) -> ApprovalStoreError:
        directory, name = os.path.dirname(self.file), quote(self.file)
        if error.errno in _LINKS and os.path.islink(self.file):
            return ApprovalStoreError(self.file, "it is a link", f"remove it with `rm {name}`")
        if error.errno == errno.EISDIR or self.file.endswith("/"):
            inside = quote(os.path.join(self.file, "approvals.jsonl"))
            hint = f"set a file in it: `cortex-policy config set approvals.file {inside}`"
            return ApprovalStoreError(self.file, "it is a directory", hint)
        if isinstance(error, FileNotFoundError):
            from cortex_policy.state.users import format_mkdir_command  # noqa: PLC0415 - only a failure needs it

            fix = f"make it with `{format_mkdir_command(directory)}`"
            return ApprovalStoreError(self.file, "its directory does not exist", fix)
        from cortex_policy.core.text import format_os_error_cause  # noqa: PLC0415 - only a failure needs it

        why = format_os_error_cause(error)
        return ApprovalStoreError(self.file, why, f"see why with `ls -ld {quote(directory)} {name}`")
