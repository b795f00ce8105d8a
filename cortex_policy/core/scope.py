"""Which arguments are paths, and whether a path is in scope (contracts, section 3)."""

from cortex_policy.core.arguments import path_format

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cortex_policy.core.model import Grant, Place

PATH_NAMES = frozenset((
    "path", "paths", "file", "files", "filepath", "filename", "targetpath", "targetfile", "notebookpath", "source",
    "src", "destination", "dest", "oldpath", "newpath", "dir", "directory", "cwd",
))  # fmt: skip
MAX_DEPTH = 64
NOT_A_PATH = None


def is_path_name(name: str) -> bool:
    """Whether an argument of this name is a path, compared without case, `_` and `-`."""
    return name.casefold().replace("_", "").replace("-", "") in PATH_NAMES


def is_path_argument(grant: "Grant", name: str) -> bool:
    """Whether the grant treats a top-level argument of this name as a path."""
    declared = path_format(grant.args, name)
    return declared == "path" or (declared is None and is_path_name(name))


def path_arguments(grant: "Grant", args: "Mapping[str, object]") -> "Iterator[tuple[str, str | None]]":
    """Yield (argument, path) for each path in the arguments, nested ones too.

    The path is None where the value is neither a string nor an array of strings, or lies too deep to look at.
    """
    for name, value in args.items():
        if is_path_argument(grant, name):
            yield from _paths(name, value)
        yield from _nested(name, value, 1)


def _paths(label: str, value: object) -> "Iterator[tuple[str, str | None]]":
    if value is None:
        return
    if isinstance(value, str):
        yield label, value
    elif isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        yield from ((f"{label}[{index}]", part) for index, part in enumerate(value))
    else:
        yield label, NOT_A_PATH


def _nested(label: str, value: object, depth: int) -> "Iterator[tuple[str, str | None]]":
    if not isinstance(value, dict | list | tuple):
        return
    if depth > MAX_DEPTH:
        yield label, NOT_A_PATH
    elif isinstance(value, dict):
        for name, part in value.items():
            inner = f"{label}.{name}"
            if is_path_name(str(name)):
                yield from _paths(inner, part)
            yield from _nested(inner, part, depth + 1)
    else:
        for index, part in enumerate(value):
            yield from _nested(f"{label}[{index}]", part, depth + 1)


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _has_scheme(given: str) -> bool:
    scheme, colon, _ = given.partition(":")
    return (
        bool(colon)
        and len(scheme) > 1
        and scheme.isascii()
        and scheme[0].isalpha()
        and all(character.isalnum() or character in "+.-" for character in scheme)
    )


def misspelling(given: str) -> str:
    """Say why a path is denied by its spelling alone, '' where it is not."""
    if not given:
        return "is empty"
    if any(_is_control(character) for character in given):
        return "holds a control character"
    if given[0] == "~":
        return "starts with `~`, which nobody expands here"
    if _has_scheme(given):
        return "is a URL, not a path"
    if "\\" in given:
        return "holds a backslash"
    if given != given.strip():
        return "has blanks at an end"
    return ""


def usable(scope: str) -> str | None:
    """Return a scope as it is compared, without one trailing `/`; None where it can never match."""
    trimmed = scope.removesuffix("/")
    if trimmed != trimmed.strip() or any(character in "*?[]{}\\" for character in trimmed):
        return None
    if any(part in ("", ".", "..") for part in trimmed.split("/")):
        return None
    return trimmed


def covering(scopes: tuple[str, ...], relative: str | None) -> str | None:
    """Return the first scope that a path relative to the root equals or lies below, None where there is none."""
    if relative is None:
        return None
    for scope in scopes:
        prefix = usable(scope)
        if prefix is not None and (relative == prefix or relative.startswith(prefix + "/")):
            return scope
    return None


def outside(scopes: tuple[str, ...], place: "Place") -> str:
    """Say why a place is denied under these scopes, '' where it is allowed."""
    if place.guard:
        return place.guard
    if not scopes:
        return ""
    fault = misspelling(place.given) or place.fault
    if fault:
        return fault
    if covering(scopes, place.collapsed) is None:
        return "is in no scope"
    if covering(scopes, place.landed) is None:
        return f"leads to `{place.resolved}`, which is in no scope"
    return ""
