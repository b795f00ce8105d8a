"""What a scope that never matches was meant to say."""

import re
from functools import cache

from cortex_policy.core.engine import usable

_GLOBS = "*?[]{}"
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")


@cache
def prefix_of(scope: str) -> str | None:
    """Return what `usable` does, for who looks at many grants: the same few scopes stand in one after the other."""
    return usable(scope)


def proposed(scope: str) -> str | None:
    """Return the nearest prefix that can match, None where nothing of the scope is left.

    What follows a glob is dropped: no prefix can say it, and the proposal covers more.
    """
    kept: list[str] = []
    bare = scope.strip().removeprefix("file://")
    if _SCHEME.match(bare):
        return None  # no path of a scoped grant begins so
    for part in bare.replace("\\", "/").split("/"):
        step = part.strip()
        if any(glob in step for glob in _GLOBS):
            break
        if step == ".." and not kept:
            return None  # it leaves the root
        if step == "..":
            kept.pop()
        elif step not in ("", "."):
            kept.append(step)
    prefix = "/".join(kept)
    return prefix if usable(prefix) else None
