"""Patterns of file names: the path that one starts with (docs/hooks.md)."""

from cortex_policy.core.hooks import InputError

_WILD = "*?[{("
_BOUNDS = "/{},|()!@+?*[]\\"  # what may be around a `..` that is a component, in a pattern
_MAX_ALTERNATIVES = 256  # texts that the braces of a pattern stand for
_MAX_BRACES = 32


def find_path_before_wildcard(pattern: str) -> str:
    """Return the path that a pattern starts with, '' if it starts with a wildcard.

    It ends before the component that holds the first of `* ? [ { (`; without a directory it is what precedes that.
    Raises InputError if the rest may lead out of it: by a `..`, or by an alternative that is absolute.
    """
    if "{" in pattern:
        _check_alternatives(pattern)
    end = min((at for at in map(pattern.find, _WILD) if at >= 0), default=len(pattern))
    start, rest = pattern[:end], pattern[end:]
    spaced = "".join(" " if one in _BOUNDS else one for one in rest).split(" ")
    if ".." in spaced or any(mark in rest for mark in ("{/", ",/", "{~", ",~", "(/", "|/", "(~", "|~")):
        raise InputError(f"the pattern `{pattern[:200]}` may lead out of the directory that it starts in")
    if not rest:
        return start
    directory, slash, _ = start.rpartition("/")
    return directory + slash if slash else start


def _check_alternatives(pattern: str) -> None:
    """Raise InputError if braces put a `..` together, or start the pattern elsewhere: `.{.,x}/y`, `{,x}/etc`."""
    directory = pattern[: pattern.index("{")].rpartition("/")[0]
    for text in expand_braces(pattern):
        is_elsewhere = text[:1] in ("/", "~") and text[:1] != pattern[:1]
        if is_elsewhere or text.split("/").count("..") > directory.split("/").count(".."):
            raise InputError(f"the pattern `{pattern[:200]}` may lead out of the directory that it starts in")


def expand_braces(pattern: str) -> list[str]:
    """Return the texts that the braces of a pattern stand for; raise InputError if they are too many."""
    done, left = list[str](), [pattern]
    if pattern.count("{") > _MAX_BRACES:
        raise InputError(f"the pattern `{pattern[:200]}` has too many braces")
    while left:
        text = left.pop()
        start, end = _innermost_braces(text)
        if end < 0:
            done.append(text)
        else:
            left += [text[:start] + part + text[end + 1 :] for part in text[start + 1 : end].split(",")]
        if len(done) + len(left) > _MAX_ALTERNATIVES:
            raise InputError(f"the pattern `{pattern[:200]}` has too many alternatives")
    return done


def _innermost_braces(text: str) -> tuple[int, int]:
    """Return where the first braces without others in them are, -1 if there are none."""
    start = -1
    for at, one in enumerate(text):
        if one == "{":
            start = at
        elif one == "}" and start >= 0:
            return start, at
    return -1, -1
