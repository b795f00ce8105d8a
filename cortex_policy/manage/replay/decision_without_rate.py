"""Decide a past call again by every rule but the rate, from its event: allowed, denied or unknown, never a guess."""

from cortex_policy.core import shorten_message
from cortex_policy.core.audit_event import PATH_MEMBERS
from cortex_policy.core.compare.declarations import accepts_nothing
from cortex_policy.core.engine import find_denial_before_rate, strip_scope_slash_or_none
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    GRANT_INVALID,
    GRANT_NOT_FOUND,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Grant,
    GrantError,
    Reason,
    Request,
    ResolvedPath,
    Settings,
)
from cortex_policy.core.path_arguments import find_path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

FULL_ARGS_HINT = (
    "log all arguments with `cortex-policy config set audit.args full`, so that later calls can be decided again"
)
_PASSED_PATHS = (ALLOWED, RATE_LIMITED, APPROVAL_REQUIRED)  # the rules after the path rule
# other reasons do not come from grants: a stop, file modes, the state
_GRANT_REASONS = (
    *_PASSED_PATHS, ACTION_NOT_ALLOWED, ARGUMENT_NOT_ALLOWED, PATH_OUTSIDE_SCOPE, GRANT_NOT_FOUND, GRANT_INVALID,
)  # fmt: skip
_TEXT = (str, type(None))


class UndecidedReason(str):
    """Why a call cannot be decided again; a log may hold names of any length."""

    __slots__ = ()

    def __new__(cls, why: str) -> "Self":
        """Cut a long one."""
        return super().__new__(cls, shorten_message(why))


class UnknowableReason(UndecidedReason):
    """Why a call cannot be decided again, for a reason that no log could record."""

    __slots__ = ()


PATH_REQUIRED = UnknowableReason("a path was required then, perhaps by the call itself")
UNRESOLVED_PATH = UndecidedReason("the log does not say where a path of the call leads under these scopes")
UNKNOWN_APPROVAL = UnknowableReason("it is not known whether the call was approved")


def has_full_args(data: "dict[str, Any]") -> bool:
    """Whether an event holds the values of the arguments, and the resolved paths."""
    return "cwd" in data and type(data["args"]) is dict


def is_undecidable_even_by_full_log(why: str, *, is_full: bool) -> bool:
    """Whether a more detailed log would not help to decide a call, whose event holds all that one can."""
    return is_full or isinstance(why, UnknowableReason)


def find_denial_or_undecided_without_rate(
    grant_or_error: "Grant | GrantError", data: "dict[str, Any]", settings: Settings
) -> "Reason | UndecidedReason | None":
    """Decide an event by every rule but the rate; return None if all pass."""
    if isinstance(grant_or_error, GrantError):
        return grant_or_error.reason
    if data["action"] not in grant_or_error.actions:
        return ACTION_NOT_ALLOWED
    answer = (_decide_with_values if has_full_args(data) else _decide_with_names)(grant_or_error, data, settings)
    if answer is None and data["reason"] not in _GRANT_REASONS:
        return UnknowableReason(f"{data['reason'].message} then, which grants do not decide")
    return answer


def _decide_with_values(grant: Grant, data: "dict[str, Any]", settings: Settings) -> "Reason | UndecidedReason | None":
    """Decide with the unknown paths at their worst; if that denies, decide with them at their best."""
    recorded, args = data["reason"], data["args"]
    approved, paths = _was_approved(recorded), [*find_path_arguments(grant, args)]
    path_pairs = tuple(_worst_and_best_paths(grant, paths, data))
    # the call may have been made with `--require-path`
    strict = recorded == PATH_OUTSIDE_SCOPE and not any(given is not None and is_path for _, given, is_path in paths)
    is_lost = any(bad is not good for bad, good in path_pairs)
    worst = Request(data["action"], args, tuple([path for path, _ in path_pairs]), 1, approved is True)
    no = find_denial_before_rate(
        grant, worst, Settings(**{**vars(settings), "require_path": True}) if strict else settings
    )
    if no is not None and (is_lost or strict or approved is None):
        best = Request(data["action"], args, tuple([path for _, path in path_pairs]), 1, approved is not False)
        no = find_denial_before_rate(grant, best, settings)
        if no is None:
            return UNRESOLVED_PATH if is_lost else PATH_REQUIRED if strict else UNKNOWN_APPROVAL
    return None if no is None else no.reason


def _worst_and_best_paths(
    grant: Grant, paths: "list[tuple[str, str | None, bool]]", data: "dict[str, Any]"
) -> "Iterator[tuple[ResolvedPath, ResolvedPath]]":
    """Yield each path that a grant checks, at its worst and at its best."""
    known = {(path.argument, path.given): path for path in iterate_resolved_paths_in_event(data)} if paths else {}
    for argument, given, _ in paths:
        if given is None:
            continue
        path = known.get((argument, given))
        if path is None:
            within = next(filter(strip_scope_slash_or_none, grant.fs_scope), None)
            yield (
                ResolvedPath(argument, given, protected_reason="is not in the log"),
                ResolvedPath(argument, given, within, within, within),
            )
        elif _may_depend_on_scopes(path):
            part = path.argument, path.given, path.normalized, path.resolved_inside, path.resolved
            yield (
                ResolvedPath(*part, "leads elsewhere", path.protected_reason),
                ResolvedPath(*part, "", path.protected_reason),
            )
        else:
            yield path, path


def _may_depend_on_scopes(path: ResolvedPath) -> bool:
    """Whether removing its `..` changes where it leads: that is an error under some scopes only."""
    return path.resolved is not None and path.normalized != path.resolved_inside and ".." in path.given.split("/")


def iterate_resolved_paths_in_event(data: "dict[str, Any]") -> "Iterator[ResolvedPath]":
    """Yield the paths of a call as they were resolved then; malformed ones are skipped."""
    paths = data.get("paths")
    for one in paths if isinstance(paths, list) else ():
        if isinstance(one, dict):
            argument, given, collapsed, landed, resolved, fault, guard = map(one.get, PATH_MEMBERS)
            faults = ("" if fault is None else fault), ("" if guard is None else guard)
            members = argument, given, collapsed, landed, resolved, *faults
            if argument is not None and given is not None and all(isinstance(part, _TEXT) for part in members):
                yield ResolvedPath(*members)  # type: ignore[arg-type] # they were checked


def _was_approved(recorded: Reason) -> bool | None:
    """Whether a human approved a call, None if that is unknown."""
    if recorded in (ALLOWED, RATE_LIMITED):
        return True  # or it needed no approval
    return False if recorded == APPROVAL_REQUIRED else None


def _decide_with_names(grant: Grant, data: "dict[str, Any]", settings: Settings) -> "Reason | UndecidedReason | None":
    names = [name for name in data["args"] if isinstance(name, str)]
    declared = [name for name in names if name in grant.args]
    if any(accepts_nothing(grant.args, name) for name in declared):
        return ARGUMENT_NOT_ALLOWED
    if settings.undeclared_args != "allow" and len(declared) < len(names):
        return UndecidedReason("`undeclared_args` depends on the values of the arguments, which the log does not hold")
    if declared:
        return UndecidedReason(f"argument `{declared[0]}` is declared, and the log does not hold its value")
    return _decide_paths_by_names(grant, names, data["reason"], settings)


def _decide_paths_by_names(
    grant: Grant, names: list[str], recorded: Reason, settings: Settings
) -> "Reason | UndecidedReason | None":
    if not names:
        if settings.require_path:
            return PATH_OUTSIDE_SCOPE
        if recorded == PATH_OUTSIDE_SCOPE:
            return PATH_REQUIRED
        return _decide_approval(grant, recorded, settings)
    if grant.fs_scope:
        return UndecidedReason("scopes limit the paths of the call, which the log does not hold")
    if recorded not in _PASSED_PATHS:
        return UndecidedReason(
            "the log does not hold the paths of the call, which may lead to files that govern grants"
        )
    if settings.require_path:  # an argument that is called `path` may be null, or an empty list
        return UndecidedReason("a path is required, and the log does not say if one was given")
    return _decide_approval(grant, recorded, settings)


def _decide_approval(grant: Grant, recorded: Reason, settings: Settings) -> "Reason | UndecidedReason | None":
    if grant.data_class != "sensitive" or settings.sensitive == "allow":
        return None
    approved = _was_approved(recorded) if settings.sensitive == "ask" else False
    if approved is None:
        return UNKNOWN_APPROVAL
    return None if approved else APPROVAL_REQUIRED
