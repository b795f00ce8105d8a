"""POSIX ACLs as the kernel stores them, for tests that need none of the programs that set them."""

import errno
import os
from pathlib import Path

import pytest

OWNER, USER, OWN_GROUP, NAMED_GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return an access ACL as the kernel stores it: the tag, permissions and id of each entry."""
    return b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + permissions.to_bytes(2, "little") + one.to_bytes(4, "little")
        for tag, permissions, one in entries
    )


def granting(*entries: tuple[int, int, int], own: int = 4, mask: int = 6) -> bytes:
    """Return an ACL with these entries between those that each must have."""
    none = 0xFFFFFFFF
    users = [one for one in entries if one[0] == USER]
    groups = [one for one in entries if one[0] == NAMED_GROUP]
    return acl((OWNER, 6, none), *users, (OWN_GROUP, own, none), *groups, (MASK, mask, none), (OTHER, 4, none))


def put_acl(path: Path, data: bytes) -> None:
    """Give a file an ACL, or skip where its file system has none."""
    try:
        os.setxattr(path, "system.posix_acl_access", data)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EOPNOTSUPP):
            pytest.skip("this file system has no ACLs")
        raise
