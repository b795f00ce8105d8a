"""Resolve a path argument: collapse it as text, and follow it as the kernel does.

One module of more than 250 lines, as each module costs a check time.
"""

import os
import stat

from cortex_policy.core import Value
from cortex_policy.core.engine import find_matching_scope
from cortex_policy.core.model import ResolvedPath, StateError
from cortex_policy.core.path_arguments import collapse_path, find_path_arguments, make_relative_to_root_or_none
from cortex_policy.state import (
    find_named_or_default_state_directory,
    find_system_and_user_settings_directories,
    make_dot_cortex_path,
    make_policy_directory_path,
    read_file_identity_or_none,
    read_working_directory_or_none,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Grant, Origin, Settings

MAX_LINKS = 40
MAX_COMPONENTS = 1024  # that exist, on one way
# without O_PATH a directory must be readable to be entered
OPEN_COMPONENT = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Identity = tuple[int, int]


class ProtectedPaths(Value):
    """What governs a grant: directories by (device, inode), and files that may not exist yet by absolute path.

    `holder` is `.cortex`: it is guarded itself, by whatever name, and not what else lies in it.

    `logs` guard what they were rotated to as well: what begins with one of their `list_rotated_log_prefixes`.
    """

    identities: frozenset[Identity]
    paths: tuple[str, ...]
    logs: tuple[str, ...] = ()
    holder: Identity | None = None


def find_protected_paths(origin: "Origin", settings: "Settings") -> ProtectedPaths:
    """Return what no path of a call may lead to: it governs the grant, or remembers its calls."""
    identities = {origin.policy_identity, origin.tools_identity}
    named = (
        settings.audit_file, settings.approvals_file, settings.budgets_key_file, settings.budgets_password_file,
    )  # fmt: skip
    files = [file for file in named if file is not None]
    try:
        names = [
            find_named_or_default_state_directory(settings.state_dir),
            *find_system_and_user_settings_directories(),
            *files,
        ]
    except StateError:  # the ledger says so, once every other rule lets the call pass
        names = [*find_system_and_user_settings_directories(), *files]
    for name in names:
        identity = read_file_identity_or_none(name)
        if identity is not None:  # else it is not there (yet): its name guards it
            identities.add(identity)
    holder = read_file_identity_or_none(make_dot_cortex_path(origin.root))
    log = settings.audit_file
    logs = () if log is None else (log, os.path.realpath(log))  # and what they are rotated to
    return ProtectedPaths(
        frozenset(identities), tuple(dict.fromkeys([*names, *map(os.path.realpath, names)])), logs, holder
    )


class UnresolvablePathError(Exception):
    """A way cannot be followed, so that it may lead to what governs grants; says why."""


def resolve_path_arguments(
    grant: "Grant", origin: "Origin", args: "Mapping[str, object]", protected: ProtectedPaths, start: str | None = None
) -> tuple[ResolvedPath, ...]:
    """Resolve every path argument of a call from the caller's working directory, or from `start`.

    Raises StateError if this process has no descriptor or memory left.
    """
    paths = {(argument, given): 1 for argument, given, _ in find_path_arguments(grant, args) if given is not None}
    return tuple(_resolve_path(argument, given, origin, protected, grant.fs_scope, start) for argument, given in paths)


def _resolve_path(
    argument: str, given: str, origin: "Origin", protected: ProtectedPaths, scopes: tuple[str, ...], start: str | None
) -> ResolvedPath:
    text, nul, _ = given.partition("\0")  # what C reads of it
    here = None if text.startswith("/") else read_working_directory_or_none() if start is None else start
    if here is None and not text.startswith("/"):
        # from a deleted directory `..` still leads somewhere: no scope can be shown to hold
        return ResolvedPath(argument, given, protected_reason="cannot be resolved: the working directory is gone")
    absolute = text if here is None else f"{here}/{text}"
    try:
        os.fsencode(absolute)
    except UnicodeEncodeError:
        return ResolvedPath(argument, given, error="is not a path of this system")
    collapsed = collapse_path(absolute)
    normalized = _inside_root(collapsed, origin)
    protected_reason = _protection_text(collapsed, protected, origin)
    try:
        walk = PathWalk(absolute, protected, origin.root_identity[0])
        # a program that collapses a path before it opens it follows other links than the kernel
        collapsed_walk = walk if collapsed == absolute else PathWalk(collapsed, protected, origin.root_identity[0])
    except UnresolvablePathError as failure:
        error = f"cannot be resolved: {failure}"
        return ResolvedPath(argument, given, normalized, error=error, protected_reason=protected_reason or error)
    resolved, resolved_collapsed = walk.path, collapsed_walk.path
    if walk.is_protected or collapsed_walk.is_protected:
        end = resolved if walk.is_protected else resolved_collapsed
        protected_reason = f"leads to `{end}`, which governs grants"
    for end in (resolved, resolved_collapsed):
        protected_reason = protected_reason or _protection_text(end, protected, origin)
    if error := walk.error or collapsed_walk.error:
        error = f"cannot be resolved: {error}"
        return ResolvedPath(argument, given, normalized, error=error, protected_reason=protected_reason)
    resolved_inside, error = make_relative_to_root_or_none(resolved, origin.root), "holds a NUL" if nul else ""
    if (
        resolved_collapsed != resolved
        and find_matching_scope(scopes, resolved_inside)
        and not find_matching_scope(scopes, make_relative_to_root_or_none(resolved_collapsed, origin.root))
    ):
        error = error or f"leads to `{resolved_collapsed}` once its `..` are collapsed, which is in no scope"
    return ResolvedPath(argument, given, normalized, resolved_inside, resolved, error, protected_reason)


class PathWalk:
    """A way as the kernel follows it, one component at a time from the directory that it has reached.

    `path` is where it ends. `error` says why the kernel finds nothing there; from there on it goes as a program goes
    that drops `missing/..` before it opens, as most libraries do. `is_protected`: it ends at or below what governs
    grants. Raises UnresolvablePathError where it cannot be followed.
    """

    def __init__(self, path: str, protected: ProtectedPaths, device: int) -> None:
        """Follow an absolute path; a link on another device than this may be one of a proc file system."""
        self.error: str = ""
        self._identities, self._device = protected.identities, device
        self._links = self._components = 0
        self._left = _components_last_first(path)
        self._trail: list[tuple[str, Identity, bool]] = []
        self._below: list[str] = []
        # INVARIANT: one descriptor, that of the last directory of the trail; below it is what is absent, or one file
        self._here = _open_component("/", None)
        try:
            self._trail.append(self._make_point("", os.fstat(self._here)))
            self._is_file = self._is_protected_file = False
            while self._left:
                self._follow_component(self._left.pop())
        finally:
            os.close(self._here)
        self.path: str = "/".join([name for name, _, _ in self._trail] + self._below) or "/"
        is_holder = not self._below and self._trail[-1][1] == protected.holder
        self.is_protected: bool = is_holder or self._trail[-1][2] or (self._is_file and self._is_protected_file)

    def _follow_component(self, part: str) -> None:
        if part in (".", ".."):
            if self._below and (self._is_file or part == ".."):
                self.error = self.error or f"`{self._below[-1]}` {_NO_DIRECTORY[self._is_file]}"
            if part == "..":
                self._go_up()
        elif self._below:
            if self._is_file:
                self.error = self.error or f"`{self._below[-1]}` {_NO_DIRECTORY[True]}"
            self._below.append(part)
        else:
            self._visit_name(part)

    def _go_up(self) -> None:
        if self._below:
            self._below.pop()
            self._is_file = self._is_file and bool(self._below)
        elif len(self._trail) > 1:
            self._trail.pop()
            self._enter_directory("..")
            status = os.fstat(self._here)
            if (status.st_dev, status.st_ino) != self._trail[-1][1]:
                message = "a directory on its way was moved in between"
                raise UnresolvablePathError(message)

    def _visit_name(self, part: str) -> None:
        try:
            status = os.stat(part, dir_fd=self._here, follow_symlinks=False)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                from cortex_policy.state.path_errors import format_path_failure_or_raise, is_name_too_long_error  # noqa: PLC0415 - few ways fail

                if not is_name_too_long_error(error):
                    raise UnresolvablePathError(format_path_failure_or_raise(error)) from None
                self.error = self.error or format_path_failure_or_raise(error)
            self._below.append(part)
            return
        self._components += 1
        if self._components > MAX_COMPONENTS:
            message = f"more than {MAX_COMPONENTS} components"
            raise UnresolvablePathError(message)
        if stat.S_ISLNK(status.st_mode):
            self._follow_link(part, status.st_dev)
        elif stat.S_ISDIR(status.st_mode):
            if self._left:
                self._enter_directory(part)
                status = os.fstat(self._here)
            self._trail.append(self._make_point(part, status))
        else:
            self._below.append(part)
            self._is_file, self._is_protected_file = True, (status.st_dev, status.st_ino) in self._identities

    def _follow_link(self, link: str, device: int) -> None:
        self._links += 1
        if self._links > MAX_LINKS:
            message = "too many links"
            raise UnresolvablePathError(message)
        if device != self._device:
            from cortex_policy.state.path_errors import find_proc_link_problem  # noqa: PLC0415 - few links are elsewhere

            if problem := find_proc_link_problem(link, device):
                raise UnresolvablePathError(problem)
        try:
            target = os.readlink(link, dir_fd=self._here)
        except OSError as error:
            from cortex_policy.state.path_errors import format_path_failure_or_raise  # noqa: PLC0415 - few ways fail

            raise UnresolvablePathError(format_path_failure_or_raise(error)) from None
        if target.startswith("/"):
            self._enter_directory("/")
            del self._trail[1:]
        self._left.extend(_components_last_first(target))

    def _enter_directory(self, name: str) -> None:
        entered = _open_component(name, self._here)
        os.close(self._here)
        self._here = entered

    def _make_point(self, name: str, status: os.stat_result) -> "tuple[str, Identity, bool]":
        """Return a directory that is reached: its name, its identity, and whether it or one above it governs."""
        identity = status.st_dev, status.st_ino
        return name, identity, identity in self._identities or (bool(self._trail) and self._trail[-1][2])


_NO_DIRECTORY = {True: "is not a directory", False: "does not exist, but a `..` comes after it"}


def _components_last_first(path: str) -> list[str]:
    """Return the components of a path, the last one first; one that ends in `/` must be a directory."""
    parts = [part for part in reversed(path.split("/")) if part]
    return [".", *parts] if path.endswith("/") else parts


def _open_component(name: str, directory: int | None) -> int:
    try:
        return os.open(name, OPEN_COMPONENT, dir_fd=directory)
    except OSError as error:
        from cortex_policy.state.path_errors import format_path_failure_or_raise  # noqa: PLC0415 - few ways fail

        raise UnresolvablePathError(format_path_failure_or_raise(error)) from None


def _inside_root(collapsed: str, origin: "Origin") -> str | None:
    """Spell a collapsed path relative to the root, which may have been reached through links."""
    inside = make_relative_to_root_or_none(collapsed, origin.root)
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


def list_rotated_log_prefixes(log: str) -> tuple[str, ...]:
    """Return how the names of rotated logs begin, without case: a time may come before the extension."""
    name = log.casefold()
    stem = os.path.splitext(name)[0]
    return (f"{name}.", f"{name}-", *(f"{stem}{mark}{digit}" for mark in ".-" for digit in "0123456789"))


def _protection_text(path: str, protected: ProtectedPaths, origin: "Origin") -> str:
    """Say what a path would govern; compared without case, as some file systems do."""
    folded, holder = path.casefold(), make_dot_cortex_path(origin.root)
    for name in (make_policy_directory_path(origin.root), *protected.paths):
        if folded == name.casefold() or folded.startswith(name.casefold() + "/"):
            return f"lies in `{name}`, which governs grants"
    for name in protected.logs:
        if folded.startswith(list_rotated_log_prefixes(name)):
            return f"lies beside `{name}`, which remembers calls"
    return f"is `{holder}`, which holds what governs grants" if folded == holder.casefold() else ""
