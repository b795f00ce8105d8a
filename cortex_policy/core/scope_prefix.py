"""Scopes as prefixes: a suggestion for one that never matches, and sets of paths."""

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache

from cortex_policy.core.engine import normalize_scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_GLOBS = "*?[]{}"
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")


@lru_cache(1000)
def normalize_scope_cached(scope: str) -> str | None:
    """Return what `normalize_scope` returns, from a cache: many grants share the same few scopes."""
    return normalize_scope(scope)


def suggest_scope_prefix(scope: str) -> str | None:
    """Return the nearest prefix that can match, None if nothing of the scope is left.

    What follows a glob is dropped: no prefix can say it, and the proposal covers more.
    """
    prefixes: list[str] = []
    without_scheme = scope.strip().removeprefix("file://")
    if _SCHEME.match(without_scheme):
        return None  # no path of a scoped grant begins so
    for part in without_scheme.replace("\\", "/").split("/"):
        step = part.strip()
        if any(glob in step for glob in _GLOBS):
            break
        if step == ".." and not prefixes:
            return None  # it leaves the root
        if step == "..":
            prefixes.pop()
        elif step not in ("", "."):
            prefixes.append(step)
    prefix = "/".join(prefixes)
    return prefix if normalize_scope(prefix) else None


class PathIndex:
    """Paths relative to the root, sorted, so that what lies below or around another is found without a look at each.

    A file of 1 MiB may hold 100,000 of them, or one of 500,000 components: neither pairs nor prefixes are built.
    """

    def __init__(self, paths: "Iterable[str]") -> None:
        """Take them without a `/` at their end."""
        # with a `/` at the end those below a path are one run behind it
        self._all = sorted({f"{path}/" for path in paths})
        self._outermost: list[str] = []
        for path in self._all:
            if not self._outermost or not path.startswith(self._outermost[-1]):
                self._outermost.append(path)

    def covers(self, path: str) -> bool:
        """Whether one of them is this path, or a directory around it."""
        return self.outermost_around(path) is not None

    def outermost_around(self, path: str) -> str | None:
        """Return the outermost of them that is this path or a directory around it, None if there is none."""
        whole = f"{path}/"
        # INVARIANT: of those that are no prefix of each other only the last one up to it can be its prefix
        index = bisect_right(self._outermost, whole)
        outermost = self._outermost[index - 1] if index > 0 else None
        return outermost[:-1] if outermost is not None and whole.startswith(outermost) else None

    def count_in(self, path: str) -> int:
        """Return how many of them are this path or lie below it."""
        return bisect_left(self._all, f"{path}0") - bisect_left(self._all, f"{path}/")  # `0` comes next after `/`

    def is_outermost(self, path: str) -> bool:
        """Whether one of them lies in no other."""
        index = bisect_left(self._outermost, f"{path}/")
        return index < len(self._outermost) and self._outermost[index] == f"{path}/"

    def contains(self, path: str) -> bool:
        """Whether exactly this path is one of them."""
        index = bisect_left(self._all, f"{path}/")
        return index < len(self._all) and self._all[index] == f"{path}/"

    def __len__(self) -> int:
        return len(self._all)


def index_of_scopes(scopes: "Iterable[str]") -> PathIndex:
    """Return an index of scopes as they are compared, without those that never match."""
    return PathIndex(prefix for prefix in map(normalize_scope_cached, scopes) if prefix is not None)
