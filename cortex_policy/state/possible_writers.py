"""Who may have written an object, if its mode and owner alone do not show it."""

import errno
import os
import stat
import sys

from cortex_policy.core import Value
from cortex_policy.state import read_overflow_uid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

OWNER, UNKNOWN, WRITERS = "owner", "unknown", "writers"  # the kind of problem, which decides the fix
WHOLE_RANGE = ["0", "0", "4294967295"]
NAMESPACE_HINT = "run the check outside of this user namespace, or map the owner into it"
_ACL = "system.posix_acl_access"
_ACL_VERSION, _ACL_ENTRY = 2, 8
_USER, _OWN_GROUP, _GROUP = 0x02, 0x04, 0x08  # tags of entries
_WRITE = 2
_NO_ACL = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)


class TrustProblem(Value):
    """Why others than the owners may have written the object at a path: the kind, and a sentence that names it."""

    kind: str
    path: str
    sentence: str


def find_trust_problems_with_acl(
    target: int | str, status: os.stat_result, owners: "Container[int]", *, is_sticky_safe: bool = False
) -> list[tuple[str, str]]:
    """Return each doubt about an object, open or by its path; `grants.find_trust_problems` says what counts."""
    doubts: list[tuple[str, str]] = []
    if not _is_unambiguous_uid(status.st_uid):
        doubts.append((UNKNOWN, "has an owner that this user namespace cannot distinguish from others"))
    elif status.st_uid not in owners:
        doubts.append((OWNER, f"belongs to user {status.st_uid}"))
    if not (
        is_sticky_safe and status.st_mode & stat.S_ISVTX
    ):  # others can add names there, but not change those of the owner
        doubts += [(WRITERS, sentence) for sentence in _other_writer_phrases(target, status, owners)]
    return doubts


def _is_unambiguous_uid(uid: int) -> bool:
    """Whether a user id is one user: in a user namespace one id may stand for many."""
    if uid != read_overflow_uid():
        return True
    try:
        with open("/proc/self/uid_map", encoding="ascii") as lines:
            return lines.read().split() == WHOLE_RANGE
    except OSError:
        return False


def is_gid_equal_to_owner_uid(gid: int, owner: int) -> bool:
    """Whether a group is the owner's own, by its number, or 0 if the caller's is 0: such a group may write.

    A user namespace may show a shared group under the number of a user, so the numbers outside must be equal, too.
    """
    if gid == 0 == os.getegid():
        owner = 0
    if gid != owner or sys.platform != "linux":
        return gid == owner
    outside = _outer_id(gid, "gid_map")
    return outside is not None and outside == _outer_id(owner, "uid_map")


def _outer_id(number: int, name: str) -> int | None:
    """Return the number that a user or group has outside of this user namespace, None if nobody knows."""
    try:
        with open(f"/proc/self/{name}", "rb") as lines:
            for line in lines:
                first, outside, count = map(int, line.split())
                if first <= number < first + count:
                    return outside + number - first
    except (OSError, ValueError):
        pass
    return None


def can_group_write(target: int | str, status: os.stat_result) -> bool:
    """Whether an object's group may write it, by its mode and ACL; raise OSError or ValueError if that is unknown."""
    if not status.st_mode & stat.S_IWGRP:
        return False
    entries = _writers_by_tag(read_acl_bytes(target))
    return not entries or _OWN_GROUP in entries


def read_acl_bytes(target: int | str) -> bytes:
    """Return the POSIX ACL of an open object or a name as the kernel gives it, b'' if there is none."""
    if sys.platform != "linux":
        return b""
    try:
        return os.getxattr(target, _ACL, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno in _NO_ACL:
            return b""
        raise


def _other_writer_phrases(target: int | str, status: os.stat_result, owners: "Container[int]") -> "Iterator[str]":
    if status.st_mode & stat.S_IWOTH:
        yield "is writable by everyone"
    if status.st_mode & stat.S_IWGRP:  # with an ACL, this bit is its mask
        try:
            entries = _writers_by_tag(read_acl_bytes(target))
        except (OSError, ValueError):
            yield "has an ACL that cannot be read"
            return
        yield from _named_writers(entries, status, owners)


def _named_writers(entries: dict[int, list[int]], status: os.stat_result, owners: "Container[int]") -> "Iterator[str]":
    """Name the users and groups, other than the owner's own, that an ACL or, without one, the mode lets write."""
    if (_OWN_GROUP in entries or not entries) and not is_gid_equal_to_owner_uid(status.st_gid, status.st_uid):
        yield f"is writable by group {status.st_gid}"
    for uid in entries.get(_USER, ()):
        if uid not in owners:
            yield f"has an ACL that lets user {uid} write it"
    for gid in entries.get(_GROUP, ()):
        if not is_gid_equal_to_owner_uid(gid, status.st_uid):
            yield f"has an ACL that lets group {gid} write it"


def _writers_by_tag(data: bytes) -> dict[int, list[int]]:
    """Return, by tag, the users and groups that an ACL allows to write; raise ValueError for an unknown version."""
    entries: dict[int, list[int]] = {}
    if data and (int.from_bytes(data[:4], "little") != _ACL_VERSION or len(data) % _ACL_ENTRY != 4):  # noqa: PLR2004 - the header's size
        message = "unknown version"
        raise ValueError(message)
    for at in range(4, len(data), _ACL_ENTRY):
        tag, permissions = data[at], data[at + 2]
        if permissions & _WRITE:
            entries.setdefault(tag, []).append(int.from_bytes(data[at + 4 : at + _ACL_ENTRY], "little"))
    return entries
