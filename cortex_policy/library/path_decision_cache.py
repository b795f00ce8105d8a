"""Ordinary paths below a root, resolved with one system call; `paths` resolves all others.

The root is reached without a link (`Preconditions.plain_root`), and no protected path below it has a name outside of
`.cortex`. If no component of a path is a link, or a protected directory through a mount, the path leads where its text
says, and `paths` would give the same. The kernel checks the whole path at once, or else each component.
"""

import os
from stat import S_IFLNK

from cortex_policy.core.model import Decision, ResolvedPath
from cortex_policy.core.prepared_grant import PreparedGrant, is_plain_path
from cortex_policy.state.paths import MAX_COMPONENTS, OPEN_COMPONENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.openat2 import Openat2
    from cortex_policy.library.preconditions import Preconditions

    _Entry = tuple[bytes, str, Decision, Decision]  # the path below the root, the absolute one, with and without budget

POLICY_HOLDER = ".cortex"
MAX_PATHS = 512
_KIND = 0o170000
_getcwd = os.getcwd


class PathCache:
    """The decisions for paths that calls of one grant have used.

    An entry depends only on the text of the call and the working directory; the disk is asked at each call.
    """

    __slots__ = ("_entries", "_exists_beneath", "_preconditions", "_prepared")

    def __init__(
        self, prepared: PreparedGrant, preconditions: "Preconditions", root_lookup: "Openat2 | None" = None
    ) -> None:
        """Start empty."""
        self._prepared, self._preconditions = prepared, preconditions
        self._exists_beneath = root_lookup.surely_exists_beneath if root_lookup is not None else _always_false
        self._entries: dict[tuple[str, str, str], _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def try_allow(self, argument: str, given: str, *, with_budget: bool) -> Decision | None:
        """Allow a call with one path; None if the engine must decide it.

        `with_budget`: include the unused budget in the answer.
        """
        try:
            directory = _getcwd() if given[:1] != "/" else ""
        except OSError:
            return None
        entry = self._entries.get((argument, given, directory)) or self._resolve_one(argument, given, directory)
        if entry is None:
            return None
        inside, absolute, decision, without_budget = entry
        if self._exists_beneath(inside) or _is_without_links(absolute, self._preconditions):
            return decision if with_budget else without_budget
        return None

    def try_resolve(self, paths: "list[tuple[str, str]]") -> "list[ResolvedPath] | None":
        """Resolve several paths; None if one of them is not ordinary."""
        resolved = []
        for argument, given in paths:
            try:
                path = _resolve_plain_path(argument, given, _getcwd() if given[:1] != "/" else "", self._preconditions)
            except OSError:
                return None
            if path is None or path.resolved is None or not _is_without_links(path.resolved, self._preconditions):
                return None
            resolved.append(path)
        return resolved

    def _resolve_one(self, argument: str, given: str, directory: str) -> "_Entry | None":
        path = _resolve_plain_path(argument, given, directory, self._preconditions)
        if path is None or path.resolved is None or path.resolved_inside is None:
            return None
        decision = self._prepared.try_allow([path], self._prepared.full_budget)
        without_budget = self._prepared.try_allow([path], None)
        if decision is None or without_budget is None:
            return None
        if len(self._entries) >= MAX_PATHS:
            self._entries.clear()
        entry = (path.resolved_inside.encode(), path.resolved, decision, without_budget)
        self._entries[argument, given, directory] = entry
        return entry


def _always_false(_: bytes) -> bool:
    return False


def _resolve_plain_path(
    argument: str, given: str, directory: str, preconditions: "Preconditions"
) -> ResolvedPath | None:
    """Resolve a path as if no component of it were a link; None if it is not ordinary."""
    top = preconditions.plain_root
    if top is None or not is_plain_path(given):
        return None
    absolute = f"{directory}/{given}" if directory else given
    if len(absolute) > MAX_COMPONENTS:  # of characters, so of components too
        return None
    if not absolute.startswith(top) or len(absolute) == len(top) or not absolute.isascii():
        return None
    inside = absolute[len(top) :]
    if inside[: len(POLICY_HOLDER)].casefold() == POLICY_HOLDER:  # also `.cortexes`: any name that begins so
        return None
    return ResolvedPath(argument, given, inside, inside, absolute, "", "")


def _is_without_links(absolute: str, preconditions: "Preconditions") -> bool:
    """Whether no component below the root is a link or a protected directory.

    Each directory is examined from the open one above it: between two looks by name, the one above could be replaced.
    """
    *above, last = absolute[preconditions.plain_root_length :].split("/")
    try:
        directory = os.open(preconditions.plain_root or "", OPEN_COMPONENT)
    except OSError:
        return False
    try:
        status = os.fstat(directory)
        if (status.st_dev, status.st_ino) != preconditions.identities[0]:
            return False
        for name in above:
            child = os.open(name, OPEN_COMPONENT, dir_fd=directory)
            os.close(directory)
            directory = child
            if _is_protected(os.fstat(directory), preconditions):
                return False
        status = os.stat(last, dir_fd=directory, follow_symlinks=False)
        is_holder = (status.st_dev, status.st_ino) == preconditions.protected.holder
        return status.st_mode & _KIND != S_IFLNK and not is_holder and not _is_protected(status, preconditions)
    except FileNotFoundError:
        return True  # a missing component is not a link, and nothing below it can exist
    except (OSError, ValueError):
        return False
    finally:
        os.close(directory)


def _is_protected(status: os.stat_result, preconditions: "Preconditions") -> bool:
    return (status.st_dev, status.st_ino) in preconditions.protected.identities
