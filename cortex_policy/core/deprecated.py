"""Old public names, which work for one more version. Each use warns with the new name.

This module is loaded only when an old name is used.
"""

import sys
import warnings

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
_IMPORTLIB = "<frozen importlib._bootstrap>"


def warn_deprecated(old: str, new: str) -> None:
    """Warn the caller of the function that calls this."""
    caller = sys._getframe(2)  # noqa: SLF001 - the same as a stack level
    if caller.f_code.co_filename != _IMPORTLIB:  # it asks for each name of `from cortex_policy import ...` first
        warnings.warn(f"`{old}` is deprecated: use `{new}`", DeprecationWarning, stacklevel=3)


def rename_old_keywords(class_name: str, keywords: "Mapping[str, object]") -> "Mapping[str, object] | None":
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
