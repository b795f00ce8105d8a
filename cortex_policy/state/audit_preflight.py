"""Check whether the audit log could be written, without making or writing it."""

import errno
import os

from cortex_policy.state.audit_errors import make_audit_os_error, make_no_space_for_line_error
from cortex_policy.state.audit_log import AuditLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Settings


def check_audit_log_writable(settings: "Settings") -> None:
    """Raise AuditLogError if a call would fail because its line could not be written.

    A fault that only a write shows, such as a quota, is not found.
    """
    file = settings.audit_file
    if file is None or settings.audit_on_error == "ignore":
        return
    if os.path.lexists(file):
        AuditLog(settings).close()
    else:
        _check_can_create(file)
    if _is_disk_full(os.path.dirname(file)):
        raise make_no_space_for_line_error(file)


def _check_can_create(file: str) -> None:
    directory = os.path.dirname(file)
    if not os.path.isdir(directory):
        raise make_audit_os_error(file, OSError(errno.ENOENT, ""))
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise make_audit_os_error(file, OSError(errno.EACCES, os.strerror(errno.EACCES)))


def _is_disk_full(directory: str) -> bool:
    """Whether the file system has no block left for this user; one that counts no blocks is never full."""
    space = os.statvfs(directory)
    return space.f_blocks > 0 and (space.f_bfree if os.geteuid() == 0 else space.f_bavail) == 0
