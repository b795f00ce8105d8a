"""Where names lead: through which directories and links, and whether paths below a root need none."""

import os
from stat import S_ISDIR, S_ISLNK

from cortex_policy.core import Value
from cortex_policy.library.inotify import APPEARED, ITSELF
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.paths import ProtectedPaths, list_rotated_log_prefixes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Visit = Callable[[str, int], None]

MAX_LINKS = 40  # links that the kernel follows


class UnresolvedRoot(Value):
    """The absolute name of a root. The root is whatever directory the name leads to now.

    `is_explicit`: a caller gave the name.
    """

    path: str
    is_explicit: bool

    def resolve(self) -> Root:
        """Return the root that the name leads to now; raise GrantError (25) if there is none."""
        return Root(find_named_or_only_root(self.path).path, self.is_explicit)


def find_root_keeping_links(path: str | None = None) -> UnresolvedRoot:
    """Find a root as `find_named_or_only_root` does, and return the name that led to it."""
    root = find_named_or_only_root(path)
    if not root.is_explicit:
        return UnresolvedRoot(root.path, is_explicit=False)
    name = os.environ["CORTEX_POLICY_ROOT"] if path is None else path
    return UnresolvedRoot(name if name.startswith("/") else f"{os.getcwd()}/{name}", is_explicit=True)


def resolve_path_and_visit_each_part(name: str, visit: "Visit") -> str | None:
    """Return where an absolute name leads, without links; None if part of it does not exist.

    `visit` is called for each directory, link and file on the way before it is examined, with the events that could
    lead the name elsewhere. It raises FileNotFoundError if that does not exist, and is then called for the directory
    in which it could appear.
    """
    visit("/", ITSELF)
    here, rest, links = "", name.split("/")[::-1], 0
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.rpartition("/")[0]
        if part in ("", ".", ".."):
            continue
        path = f"{here}/{part}"
        if links > MAX_LINKS or not _visit_if_exists(path, here or "/", visit):
            return None
        mode = os.lstat(path).st_mode
        if S_ISLNK(mode):
            links += 1
            target = os.readlink(path)
            rest += target.split("/")[::-1]
            here = "" if target.startswith("/") else here
        elif S_ISDIR(mode):
            here = path
        else:
            return None if rest else path
    return here or "/"


def _visit_if_exists(path: str, directory: str, visit: "Visit") -> bool:
    try:
        visit(path, ITSELF)
    except FileNotFoundError:
        visit(directory, APPEARED)
    else:
        return True
    try:
        visit(path, ITSELF)
    except FileNotFoundError:
        return False
    return True  # it appeared just now


def find_plain_root_or_none(root: str, protected: ProtectedPaths) -> str | None:
    """Return the root with a `/` if ordinary paths can be resolved below it, else None (`Preconditions.plain_root`)."""
    top = f"{root.rstrip('/')}/"
    if not root.isascii():
        return None
    folded = top.casefold()
    holder = f"{folded}.cortex"
    for name in protected.paths:
        other = f"{name.casefold().rstrip('/')}/"
        if other.startswith(folded) and not other.startswith(holder):
            return None
        if folded.startswith(other):
            return None
    if any(folded.startswith(list_rotated_log_prefixes(log)) for log in protected.logs):
        return None  # a rotated log could get this name
    for above in _ancestors(root):
        status = os.lstat(above)
        if (status.st_dev, status.st_ino) in protected.identities:
            return None
    return top


def _ancestors(path: str) -> "Iterator[str]":
    yield path
    while path != "/":
        path = os.path.dirname(path)
        yield path
