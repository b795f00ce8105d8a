"""What a scope that never matches was meant to say."""

from functools import cache

from cortex_policy.core.engine import usable

prefix_of = cache(usable)  # for who looks at many grants: the same few scopes stand in one after the other
_GLOBS = "*?[]{}"


def proposed(scope: str) -> str | None:
    """Return the nearest prefix that can match, None where nothing of the scope is left.

    What follows a glob is dropped: no prefix can say it, and the proposal covers more.
    """
    kept: list[str] = []
    for part in scope.strip().replace("\\", "/").split("/"):
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
