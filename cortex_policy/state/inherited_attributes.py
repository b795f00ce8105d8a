"""What a new file inherits from the file that it replaces: owner, mode, access control list, and attributes.

The writer may be root in a directory of another user. What that user chose is never written with root's rights: no
set-user-ID bit, and no owner but the one of the directory.
"""

import errno
import os
import stat

from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state.possible_writers import WRITERS, find_trust_problems_with_acl, is_gid_equal_to_owner_uid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = 0
ACCESS_LIST = "system.posix_acl_access"
_PLAIN = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
_LABEL = "security.selinux"
_KERNEL_PREFIXES = ("security.", "trusted.")  # capabilities, hashes, labels: the kernel gives a new file its own
_UNKNOWN = (errno.ENOTSUP, errno.ENOSYS)


def find_allowed_mode(mode: int, uid: int, gid: int) -> int:
    """Return the permission bits that a file of an owner and a group may have.

    At most `rw-r--r--`, or `rw-rw-r--` if a check trusts the group.
    """
    return mode & (_PLAIN | stat.S_IWGRP if is_gid_equal_to_owner_uid(gid, uid) else _PLAIN)


def find_mode_to_keep(descriptor: int, status: os.stat_result) -> int:
    """Return the permission bits that an open file may keep.

    With an access control list, the group's bit is its mask, which may let the caller or root write.
    """
    owners = (status.st_uid, os.geteuid(), ROOT)
    writers = [
        sentence for kind, sentence in find_trust_problems_with_acl(descriptor, status, owners) if kind == WRITERS
    ]
    is_shared = len(writers) > bool(status.st_mode & stat.S_IWOTH)  # not counting the bit of everyone, which is dropped
    return status.st_mode & (_PLAIN if is_shared else _PLAIN | stat.S_IWGRP)


def choose_owner_of_new_file(directory: int, old: os.stat_result | None) -> tuple[int, int] | None:
    """Return the owner and group of a new file in a directory, None to leave them unchanged.

    They are those of the file that it replaces. In the directory of another user, root gives the file to that user,
    unless the old file was theirs already.
    """
    above = os.fstat(directory)
    is_theirs = os.geteuid() == ROOT != above.st_uid
    if is_theirs and (old is None or old.st_uid != above.st_uid):
        return above.st_uid, above.st_gid
    return None if old is None else (old.st_uid, old.st_gid)


def read_extended_attributes(descriptor: int) -> dict[str, bytes]:
    """Return the extended attributes of an open file that its replacement must have as well."""
    if not hasattr(os, "listxattr"):  # only Linux has it
        return {}
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return {}
        raise
    return {
        name: os.getxattr(descriptor, name) for name in names if name == _LABEL or not name.startswith(_KERNEL_PREFIXES)
    }


def set_extended_attributes(descriptor: int, attributes: "Mapping[str, bytes]") -> None:
    """Give an open new file these attributes, and drop an access control list that it inherited from its directory.

    Raises OSError, which names the attribute, if one cannot be kept. A label is kept if that is permitted.
    """
    present = read_extended_attributes(descriptor)
    if ACCESS_LIST in present and ACCESS_LIST not in attributes:
        os.removexattr(descriptor, ACCESS_LIST)
    for name, value in attributes.items():
        if present.get(name) == value:
            continue
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if name != _LABEL:
                why = format_os_error_cause(error)
                raise OSError(error.errno, f"its attribute `{name}` cannot be kept: {why}") from None
