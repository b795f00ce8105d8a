"""What people would take for a path although no rule treats it as one: texts, and names of arguments."""

import re

from cortex_policy.core.path_arguments import MAX_LABEL, find_path_arguments, walk_texts_with_labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Grant

_MAX_LENGTH = 4096  # characters of a path
_PATH_START = re.compile(r"(?:~|\.{1,2})?/|~$|\.{1,2}$|file:|[A-Za-z]:\\", re.IGNORECASE)
_PARTS = re.compile(r"[^\s/]+(?:/[^\s/]*)+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PLACES = frozenset((
    "archive", "archives", "base", "checkout", "dst", "home", "input", "inputs", "location", "locations", "mount",
    "out", "output", "outputs", "root", "roots", "target", "targets", "tree", "uri", "uris", "workspace", "worktree",
))  # fmt: skip
_JOINED = re.compile(r"(?!profiles?$|xpaths?$).*(?:paths?|dirs?|directory|directories|folders?|files?)$")  # `logfile`


def looks_like_path(text: str) -> bool:
    """Whether a text is spelled like a path; a URL is not, unless it names a file."""
    if not text or len(text) > _MAX_LENGTH:
        return False
    return _PATH_START.match(text) is not None or ("://" not in text and _PARTS.fullmatch(text) is not None)


def is_pathlike_name(name: str) -> bool:
    """Whether the last word of a name is one that people use for files and directories."""
    words = _WORD.findall(name)
    last = words[-1].lower() if words else ""
    return last in _PLACES or _JOINED.match(last) is not None


def find_unchecked_paths(grant: "Grant", args: "Mapping[str, object]") -> list[tuple[str, str, str]]:
    """Return (argument, its part, the text) for each text that looks like a path and is not checked as one."""
    found = []
    for name, value in args.items():
        checked = {label for label, _, is_path in find_path_arguments(grant, {name: value}) if is_path}
        texts = [(label, text or "") for label, text, _ in walk_texts_with_labels(name[:MAX_LABEL], value)]
        found += [(name, label, text) for label, text in texts if label not in checked and looks_like_path(text)]
    return found
