"""Old public names, which work for one more version. Each use warns with the new name.

This module is loaded only when an old name is used.
"""

import sys
import warnings
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = {
    "Decision": {"places": "paths"},
    "Request": {"places": "paths"},
    "ResolvedPath": {
        "collapsed": "normalized",
        "landed": "resolved_inside",
        "fault": "error",
        "guard": "protected_reason",
    },
}
MOVED = {  # of `core.model`
    "AccessDenied": ("cortex_policy.core.access_denied", "AccessDenied"),
    "ApprovalRequired": ("cortex_policy.core.access_denied", "ApprovalRequired"),
    "Place": ("cortex_policy.core.model", "ResolvedPath"),
}
_IMPORTLIB = "<frozen importlib._bootstrap>"


def warn_deprecated(old: str, new: str, depth: int = 2) -> None:
    """Warn the caller of the function that calls this, or a function further up the stack."""
    caller = sys._getframe(depth)  # noqa: SLF001 - the same as a stack level
    if caller.f_code.co_filename != _IMPORTLIB:  # it asks for each name of `from cortex_policy import ...` first
        warnings.warn(f"`{old}` is deprecated: use `{new}`", DeprecationWarning, stacklevel=depth + 1)


def find_moved_name(module: str, name: str) -> object:
    """Return what a module had by this name; raise AttributeError if it had none, warn if the name is another now."""
    if name not in MOVED:
        message = f"module `{module}` has no attribute `{name}`"
        raise AttributeError(message)
    home, new = MOVED[name]
    if new != name:
        warn_deprecated(name, new, depth=3)
    return getattr(import_module(home), new)


def rename_old_keywords_or_none(class_name: str, keywords: "Mapping[str, object]") -> "Mapping[str, object] | None":
    """Return the keywords with the new names of fields, None if there is no old one among them or a field is twice."""
    names = FIELDS.get(class_name, {})
    renamed = {names.get(name, name): value for name, value in keywords.items()}
    if len(renamed) < len(keywords) or renamed.keys() == keywords.keys():
        return None
    for name in keywords:
        if name in names:
            message = f"`{class_name}({name}=...)` is deprecated: use `{names[name]}`"
            warnings.warn(message, DeprecationWarning, stacklevel=3)
    return renamed
