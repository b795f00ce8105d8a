"""A path argument to a Place: collapsed as text, and resolved as the kernel does (contracts, section 3)."""

import os
import stat
import sys

from cortex_policy.core.engine import covering, path_arguments
from cortex_policy.core.model import Place, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Grant, Origin

MAX_LINKS = 40
Identity = tuple[int, int]


class Guarded(Value):
    """What governs a grant: directories by (device, inode), and files that may not exist yet by absolute path.

    Beside a log, whatever begins with its name and a dot or a dash is one that was rotated.
    """

    identities: frozenset[Identity]
    paths: tuple[str, ...]
    logs: tuple[str, ...] = ()


class _Unresolved(Exception):
    """Resolution ended in an error; says why, and whether that denies under any scope."""

    def __init__(self, why: str, *, always: bool = False) -> None:
        super().__init__(why)
        self.always = always


def places(
    grant: "Grant", origin: "Origin", args: "Mapping[str, object]", guarded: Guarded, start: str | None = None
) -> tuple[Place, ...]:
    """Resolve every path argument of a call from the caller's working directory, or from `start`."""
    return tuple(
        _place(argument, given, origin, guarded, grant.fs_scope, start)
        for argument, given in path_arguments(grant, args)
        if given is not None
    )


def working_directory() -> str | None:
    """Return where relative paths start, None where that is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def collapse(path: str) -> str:
    """Collapse `.`, `..` and empty components of an absolute path as text."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _place(
    argument: str, given: str, origin: "Origin", guarded: Guarded, scopes: tuple[str, ...], start: str | None
) -> Place:
    text, nul, _ = given.partition("\0")  # what C reads of it
    try:
        absolute = text if text.startswith("/") else f"{os.getcwd() if start is None else start}/{text}"
        os.fsencode(absolute)
    except OSError:
        # from a deleted directory `..` still leads somewhere: no scope can be shown to hold
        return Place(argument, given, guard="cannot be resolved: the working directory is gone")
    except UnicodeEncodeError:
        return Place(argument, given, fault="is no path of this system")
    collapsed = collapse(absolute)
    inside = _relative(collapsed, origin)
    guard = _guard_by_name(collapsed, guarded, origin)
    try:
        resolved, met = _resolve(absolute, guarded.identities)
        # a program that collapses a path before it opens it follows other links than the kernel
        followed, met_too = (resolved, met) if collapsed == absolute else _resolve(collapsed, guarded.identities)
    except _Unresolved as error:
        why = f"cannot be resolved: {error}"
        guard = guard or (why if error.always else _guard_if_missing((absolute, collapsed), guarded, origin))
        return Place(argument, given, inside, fault=why, guard=guard)
    if met or met_too:
        guard = f"leads to `{resolved if met else followed}`, which governs grants"
    guard = guard or _guard_by_name(resolved, guarded, origin) or _guard_by_name(followed, guarded, origin)
    landed, fault = _inside(resolved, origin.root), "holds a NUL" if nul else ""
    if followed != resolved and covering(scopes, inside) and not covering(scopes, _inside(followed, origin.root)):
        fault = fault or f"leads to `{followed}` once its `..` are collapsed, which is in no scope"
    return Place(argument, given, inside, landed, resolved, fault, guard)


def _guard_if_missing(paths: tuple[str, ...], guarded: Guarded, origin: "Origin") -> str:
    """Say what a path would govern for a program that drops `missing/..` before it opens, as most libraries do."""
    try:
        return next((why for path in paths if (why := _guard_by_name(os.path.realpath(path), guarded, origin))), "")
    except OSError as error:  # a link that went while it was read
        return f"cannot be resolved: {os.strerror(error.errno or 0).lower()}"


def _resolve(path: str, identities: frozenset[Identity]) -> tuple[str, bool]:
    """Return where the kernel would land, and whether one of these directories is on the way there.

    A component that does not exist ends the walk; what is left of the path stays as it is.
    """
    left = _parts(path)
    trail: list[tuple[str, bool]] = [("/", False)]
    links = 0
    while left:
        part = left.pop()
        here, met = trail[-1]
        if part in (".", ".."):
            _must_be_directory(here)
            if part == ".." and len(trail) > 1:
                trail.pop()
            continue
        step = f"{here.rstrip('/')}/{part}"
        status = _status(step)
        if status is None:
            return _missing(step, left), met
        if stat.S_ISLNK(status.st_mode):
            links += 1
            target = _target(step, status, links)
            if target.startswith("/"):
                trail = [("/", False)]
            left.extend(_parts(target))
        else:
            trail.append((step, met or (status.st_dev, status.st_ino) in identities))
    return trail[-1]


def _parts(path: str) -> list[str]:
    """Return the components of a path, the last one first; one that ends in `/` must be a directory."""
    parts = [part for part in reversed(path.split("/")) if part]
    return [".", *parts] if path.endswith("/") else parts


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _Unresolved(os.strerror(error.errno or 0).lower()) from None


def _must_be_directory(path: str) -> None:
    status = _status(f"{path}/.")
    if status is None:
        raise _Unresolved("no such file or directory")


def _target(link: str, status: os.stat_result, links: int) -> str:
    if _is_process_link(link, status):
        # the kernel follows these by itself, whatever their text says
        message = f"`{link}` is a link inside /proc"
        raise _Unresolved(message, always=True)
    if links > MAX_LINKS:
        raise _Unresolved("too many links")
    try:
        return os.readlink(link)
    except OSError as error:
        raise _Unresolved(os.strerror(error.errno or 0).lower()) from None


def _is_process_link(link: str, status: os.stat_result) -> bool:
    if link.startswith("/proc/"):
        return True
    if sys.platform != "linux":
        return False
    try:
        return os.stat("/proc").st_dev == status.st_dev and os.path.ismount("/proc")
    except OSError:
        return False


def _missing(step: str, left: list[str]) -> str:
    if ".." in left:
        message = f"`{step}` does not exist, and a `..` follows"
        raise _Unresolved(message)
    rest = [part for part in reversed(left) if part != "."]
    return "/".join([step, *rest])


def _inside(path: str, root: str) -> str | None:
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def _relative(collapsed: str, origin: "Origin") -> str | None:
    """Spell a collapsed path relative to the root, which may have been reached through links."""
    inside = _inside(collapsed, origin.root)
    if inside is not None:
        return inside
    ancestor, parts = "", [part for part in collapsed.split("/") if part]
    for index, part in enumerate(parts):
        ancestor += "/" + part
        try:
            status = os.stat(ancestor)
        except OSError:
            return None
        if (status.st_dev, status.st_ino) == origin.root_identity:
            return "/".join(parts[index + 1 :])
    return None


def _guard_by_name(path: str, guarded: Guarded, origin: "Origin") -> str:
    """Say what a path would govern; compared without case, as some file systems do."""
    folded, holder = path.casefold(), f"{origin.root.rstrip('/')}/.cortex"
    for name in (f"{holder}/policy", *guarded.paths):
        if folded == name.casefold() or folded.startswith(name.casefold() + "/"):
            return f"lies in `{name}`, which governs grants"
    for name in guarded.logs:
        if folded.startswith((f"{name.casefold()}.", f"{name.casefold()}-")):
            return f"lies beside `{name}`, which remembers calls"
    return f"is `{holder}`, which holds what governs grants" if folded == holder.casefold() else ""
