"""Patterns of file names: the path that one starts with (docs/hooks.md)."""

from cortex_policy.core.hooks import InputError

_WILD = "*?[{"
_BOUNDS = "/{},|()!@+?*[]\\"  # what may stand around a `..` that is a component, in a pattern


def glob_directory(pattern: str) -> str:
    """Return the path that a pattern starts with, '' if it starts with a wildcard.

    It ends before the component that holds the first of `* ? [ {`; without a directory it is what precedes that. Raises
    InputError if the rest may lead out of it: by a `..`, or by an alternative that is absolute.
    """
    end = min((at for at in map(pattern.find, _WILD) if at >= 0), default=len(pattern))
    start, rest = pattern[:end], pattern[end:]
    spaced = "".join(" " if one in _BOUNDS else one for one in rest).split(" ")
    if ".." in spaced or any(mark in rest for mark in ("{/", ",/", "{~", ",~")):
        raise InputError(f"the pattern `{pattern[:200]}` may lead out of the directory that it starts in")
    if not rest:
        return start
    directory, slash, _ = start.rpartition("/")
    return directory + slash if slash else start
