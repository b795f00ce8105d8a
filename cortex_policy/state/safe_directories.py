"""Make and open directories for a writer who may be root in the tree of another user, without following links."""

import os
from contextlib import suppress

from cortex_policy.state.inherited_attributes import ROOT, choose_owner_of_new_file
from cortex_policy.state.possible_writers import find_trust_problems_with_acl

_BELOW = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # needs no read permission
_MAX_LINKS = 40


def make_directory(parent: int, name: str, mode: int = 0o755) -> None:
    """Make a directory below an open one, unless it exists, with the owner of the one above."""
    with suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
        owner = choose_owner_of_new_file(parent, None)
        if owner is not None:
            _change_owner(parent, name, owner)


def _change_owner(parent: int, name: str, owner: tuple[int, int]) -> None:
    descriptor = os.open(name, _BELOW, dir_fd=parent)
    try:
        # only if it is the new directory: another one of root may have been moved there in between
        if os.fstat(descriptor).st_uid == os.geteuid() and not os.listdir(descriptor):
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)


def open_child_directory(parent: int, name: str) -> int:
    """Open a directory below an open one, which must be no link."""
    return os.open(name, _BELOW, dir_fd=parent)


def open_directory_without_links(path: str) -> int:
    """Open a directory by its absolute path, no component of which may be a link."""
    descriptor, names = os.open("/", _STEP), [name for name in path.split("/") if name]
    for name in (*names, "."):
        above = descriptor
        try:
            descriptor = os.open(name, _STEP if name != "." else _BELOW, dir_fd=above)
        finally:
            os.close(above)
    return descriptor


def is_private_path(path: str) -> bool:
    """Whether only the caller and root can change what an absolute path leads to, and the names in it.

    Links are followed, and must be theirs too. A directory with the sticky bit protects their names in it.
    """
    reached, names, links = "/", path.split("/")[::-1], 0
    try:
        while names:
            name = names.pop()
            file = os.path.dirname(reached) if name == ".." else os.path.join(reached, name)
            if name in ("", "."):
                continue
            if not _is_private(reached) or os.lstat(file).st_uid not in (ROOT, os.geteuid()):
                return False
            if not os.path.islink(file):
                reached = file
                continue
            target, links = os.readlink(file), links + 1
            reached = "/" if target.startswith("/") else reached
            names += target.split("/")[::-1]
            if links > _MAX_LINKS:
                return False
        return _is_private(reached)
    except OSError:
        return False


def _is_private(path: str) -> bool:
    return not find_trust_problems_with_acl(path, os.lstat(path), (ROOT, os.geteuid()), is_sticky_safe=True)
