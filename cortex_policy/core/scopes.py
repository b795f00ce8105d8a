"""Scopes as the prefixes that decisions compare, and a suggestion for one that never matches."""

import re
from functools import lru_cache

from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.path_index import PathIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_GLOBS = "*?[]{}"
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")


@lru_cache(1000)
def normalize_scope_cached(scope: str) -> str | None:
    """Return what `strip_scope_slash_or_none` returns, from a cache: many grants share the same few scopes."""
    return strip_scope_slash_or_none(scope)


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
    return prefix if strip_scope_slash_or_none(prefix) else None


def index_scopes(scopes: "Iterable[str]") -> PathIndex:
    """Return an index of scopes as they are compared, without those that never match."""
    return PathIndex(prefix for prefix in map(normalize_scope_cached, scopes) if prefix is not None)
