"""What to do about an audit log that cannot be written: loaded only if something failed."""

import errno
import os
import stat
from shlex import quote

from cortex_policy.core.model import STATE_UNAVAILABLE, StateError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state.grants import find_trust_problems
from cortex_policy.state.possible_writers import NAMESPACE_HINT, OWNER, UNKNOWN
from cortex_policy.state.users import format_mkdir_command, format_replace_by_copy_command

_LINKS = (errno.ELOOP, errno.EMLINK)
_NO_FILE = "name a regular file, and pass on its lines with `cortex-policy audit tail --number 0 --follow --json`"
_DEVICES = ("/dev/", "/proc/", "/sys/")


class AuditLogError(StateError):
    """The audit log cannot be written: exit 24."""

    def __init__(self, file: str, why: str, hint: str = "") -> None:
        """Say which file, and why."""
        super().__init__(STATE_UNAVAILABLE, f"audit log `{file}`: {why}", hint)

    @property
    def message(self) -> str:
        """What failed: a log or a file of requests is not rate state."""
        return self.detail


def make_audit_os_error(file: str, error: OSError) -> AuditLogError:
    """Return the error for a file that cannot be opened, locked or written."""
    directory = os.path.dirname(file)
    if error.errno == errno.ENOENT:
        return AuditLogError(file, "its directory does not exist", f"make it with `{format_mkdir_command(directory)}`")
    if error.errno in _LINKS and os.path.islink(file):
        if file.startswith(_DEVICES):
            return AuditLogError(file, "it is not a regular file", _NO_FILE)
        return AuditLogError(file, "it is a link", f"name the file it leads to, or remove it with `rm {quote(file)}`")
    if error.errno == errno.EISDIR:
        inside = f"{file.rstrip('/')}/audit.jsonl"
        return AuditLogError(file, "it is a directory", f"name a file in it: `{inside}`")
    if error.errno == errno.ENXIO:
        return AuditLogError(file, "it is not a regular file", _NO_FILE)
    hint = f"see why with `ls -ld {quote(directory)} {quote(file)}` and `df {quote(directory)}`"
    return AuditLogError(file, format_os_error_cause(error), hint)


def make_unsafe_log_error(file: str, descriptor: int) -> AuditLogError:
    """Return the error for a log that is not a plain file, or that another user could have written."""
    status, name = os.fstat(descriptor), quote(file)
    mode = status.st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return AuditLogError(file, "it is a device", _NO_FILE)
    if not stat.S_ISREG(mode):
        kind = "a FIFO" if stat.S_ISFIFO(mode) else "not a regular file"
        return AuditLogError(file, f"it is {kind}", _NO_FILE)
    for kind, sentence in find_trust_problems(descriptor, status, (os.geteuid(), 0)):
        fixes = {OWNER: f"fix it with `chown {os.geteuid()} {name}`", UNKNOWN: NAMESPACE_HINT}
        return AuditLogError(file, f"it {sentence}", fixes.get(kind, f"fix it with `chmod go-w {name}`"))
    command = format_replace_by_copy_command(file, "-p ")
    fix = f"fix it with `{command}`" if command else f"put a file without other links at `{file}`"
    return AuditLogError(file, "it has more than one link", fix)


def make_lock_timeout_error(lock: str, file: str) -> AuditLogError:
    """Return the error for a log whose lock another process holds for more than a second."""
    return AuditLogError(file, "another process holds its lock", f"see which with `fuser {quote(lock)}`")


def make_no_space_for_line_error(file: str) -> AuditLogError:
    """Return the error for a line that did not fit on the disk; the part that did was removed again."""
    return AuditLogError(file, "no space left for a line", f"see how much with `df {quote(os.path.dirname(file))}`")
