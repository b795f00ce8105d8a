"""The way of a name: each directory and link that decides where it leads, shown before it is looked at."""

import os
from stat import S_ISDIR, S_ISLNK

from cortex_policy.core.model import Value
from cortex_policy.library.inotify import APPEARED, ITSELF
from cortex_policy.state import Root
from cortex_policy.state.grants import find_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    See = Callable[[str, int], None]

MOST_TURNS = 40  # links that the kernel follows


class RootName(Value):
    """The name of a root, absolute, and whether a caller gave it; whatever it leads to is the root."""

    path: str
    named: bool

    def resolve(self) -> Root:
        """Return the root that it leads to now; raise GrantError (25) where there is none."""
        return Root(find_root(self.path).path, self.named)


def find_root_name(named: str | None = None) -> RootName:
    """Find a root as `find_root` does, and return the name by which it was found."""
    root = find_root(named)
    if not root.named:
        return RootName(root.path, named=False)
    name = os.environ["CORTEX_POLICY_ROOT"] if named is None else named
    return RootName(name if name.startswith("/") else f"{os.getcwd()}/{name}", named=True)


def walk(name: str, see: "See") -> str | None:
    """Return where an absolute name leads, without links; None if something on its way is not there.

    `see` is shown each directory, link and file on the way before it is looked at, with the events that could lead
    the name elsewhere, and the directory in which what is not there could appear. It raises FileNotFoundError for
    what is not there.
    """
    see("/", ITSELF)
    here, rest, turns = "", name.split("/")[::-1], 0
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.rpartition("/")[0]
        if part in ("", ".", ".."):
            continue
        path = f"{here}/{part}"
        if turns > MOST_TURNS or not _is_there(path, here or "/", see):
            return None
        mode = os.lstat(path).st_mode
        if S_ISLNK(mode):
            turns += 1
            link = os.readlink(path)
            rest += link.split("/")[::-1]
            here = "" if link.startswith("/") else here
        elif S_ISDIR(mode):
            here = path
        else:
            return None if rest else path
    return here or "/"


def _is_there(path: str, directory: str, see: "See") -> bool:
    try:
        see(path, ITSELF)
    except FileNotFoundError:
        see(directory, APPEARED)
    else:
        return True
    try:
        see(path, ITSELF)
    except FileNotFoundError:
        return False
    return True  # it appeared in between
