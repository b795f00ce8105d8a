"""Check whether budgets could be counted in a state directory, without making or writing anything."""

import errno
import os

from cortex_policy.state import (
    OPEN_DIRECTORY,
    fcntl,
    find_named_or_default_state_directory,
    make_state_unavailable_error,
    read_boot_id,
)
from cortex_policy.state.ledger import open_or_make_private_directory
from cortex_policy.state.ledger_directory import make_state_error_of_os_error, require_known_local_file_system


def check_state_directory_usable(state_dir: str | None) -> None:
    """Raise StateError if every allowed call would fail, because its hit could not be counted.

    A fault that only a write shows, such as a full disk, is not found.
    """
    if fcntl is None:
        raise make_state_unavailable_error("this platform has no file locks")
    base = find_named_or_default_state_directory(state_dir)
    try:
        read_boot_id()
        directory = _open_existing(base)
        try:
            require_known_local_file_system(directory, base)
            is_effective = os.access in os.supports_effective_ids
            if not os.access(os.curdir, os.W_OK | os.X_OK, dir_fd=directory, effective_ids=is_effective):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        finally:
            os.close(directory)
    except OSError as error:
        raise make_state_error_of_os_error(error, base) from None


def _open_existing(base: str) -> int:
    """Open a state directory; if it is missing, the directory in which the first check would make it."""
    if os.path.lexists(base):
        return open_or_make_private_directory(base, None, base)
    return os.open(os.path.dirname(base.rstrip("/")) or "/", OPEN_DIRECTORY & ~os.O_NOFOLLOW)
