"""Where a path ends once its links are followed, for what is guarded by its name (docs/hooks.md)."""

import os

from cortex_policy.core.path_arguments import collapse
from cortex_policy.state.paths import PathWalk, ProtectedPaths, UnresolvablePathError

_NOTHING = ProtectedPaths(frozenset(), ())
_NO_DEVICE = -1  # so that each link is looked at, whatever file system it is in


def final_paths(path: str) -> set[str]:
    """Return where an absolute path ends if links are followed before its `..` are collapsed, and after.

    Raises UnresolvablePathError if that is not known.
    """
    text = path.partition("\0")[0]  # what C reads of it
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        message = "it is not a path of this system"
        raise UnresolvablePathError(message) from None
    return {PathWalk(way, _NOTHING, _NO_DEVICE).path for way in (text, collapse(text))}
