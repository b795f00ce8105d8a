"""What a grant lacks to allow one past call: the smallest change, or why no grant should allow it."""

import os

from cortex_policy.core import Value
from cortex_policy.core.arguments import find_first_argument_violation_text
from cortex_policy.core.engine import (
    find_path_syntax_problem_text_or_empty,
    find_violation_text_of_one_path,
    strip_scope_slash_or_none,
)
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    Grant,
    ResolvedPath,
)
from cortex_policy.core.path_arguments import find_path_arguments
from cortex_policy.core.path_index import PathIndex
from cortex_policy.manage.replay.decision_without_rate import (
    UndecidedReason,
    find_denial_or_undecided_without_rate,
    has_full_args,
    iterate_resolved_paths_in_event,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cortex_policy.core.model import Settings

# if a value violates one of these bounds, the value or its size is the smallest new bound
_MEASURES = {
    "minimum": lambda value: value, "maximum": lambda value: value, "minLength": len, "maxLength": len,
    "minItems": len, "maxItems": len,
}  # fmt: skip
_MAX_ENUM_LENGTH = 200  # characters of a value that is added to an `enum`
MAX_SCOPES = 5  # directories of one group that are listed one by one
_MAX_CHANGES = 8  # more than a call has arguments to change


class ArgumentChange(Value):
    """A change of one keyword in an argument's declaration: a further value for `enum`, else a new bound."""

    name: str
    keyword: str
    value: object


class MissingPermissions(Value):
    """The permissions that one call lacks."""

    actions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    arguments: tuple[ArgumentChange, ...] = ()


def find_missing_permissions_or_why_not(
    grant: Grant, data: "dict[str, Any]", settings: "Settings"
) -> MissingPermissions | str:
    """Return what every rule but the rate needs to pass, or a sentence that says why no change helps."""
    permissions = MissingPermissions()
    for _ in range(_MAX_CHANGES):
        answer = find_denial_or_undecided_without_rate(_with_permissions(grant, permissions), data, settings)
        if answer is None:
            return permissions
        if isinstance(answer, UndecidedReason):
            return str(answer)
        more = _add_missing(permissions, _with_permissions(grant, permissions), data, answer)
        if isinstance(more, str):
            return more
        permissions = more
    return "too much of the grant would have to change"


def _with_permissions(grant: Grant, permissions: MissingPermissions) -> Grant:
    """Return a grant with the missing permissions added."""
    args = dict(grant.args)
    for one in permissions.arguments:
        args[one.name] = _make_declaration_that_accepts(args[one.name], one)
    return Grant(
        grant.id,
        grant.tool,
        grant.actions + permissions.actions,
        grant.rate,
        args,
        grant.data_class,
        grant.fs_scope + permissions.scopes,
    )


def _make_declaration_that_accepts(declaration: object, change: ArgumentChange) -> "dict[str, Any]":
    """Return a declaration that accepts the value; of an `enum`, which may be long, it has the new value alone."""
    assert isinstance(declaration, dict)  # noqa: S101 - nothing else is ever proposed to be changed
    return declaration | {change.keyword: [change.value] if change.keyword == "enum" else change.value}


def _add_missing(
    permissions: MissingPermissions, grant: Grant, data: "dict[str, Any]", answer: str
) -> MissingPermissions | str:
    """Add what this denial lacks to the permissions, or return why no change of a grant would help."""
    if answer == ACTION_NOT_ALLOWED:
        action = data["action"]
        return (
            MissingPermissions((action,), permissions.scopes, permissions.arguments)
            if action
            else "the action of the call is empty"
        )
    if answer == ARGUMENT_NOT_ALLOWED and has_full_args(data):
        change = _smallest_change(grant.args, data["args"])
        return (
            change
            if isinstance(change, str)
            else MissingPermissions(permissions.actions, permissions.scopes, (*permissions.arguments, change))
        )
    if answer == PATH_OUTSIDE_SCOPE and has_full_args(data):
        scopes = _find_missing_scopes(grant, data)
        return (
            scopes
            if isinstance(scopes, str)
            else MissingPermissions(permissions.actions, permissions.scopes + scopes, permissions.arguments)
        )
    return (
        "only a human can approve the call, not a grant"
        if answer == APPROVAL_REQUIRED
        else f"{answer.replace('_', ' ')}"
    )


def _smallest_change(declarations: "Mapping[str, object]", args: "dict[str, Any]") -> ArgumentChange | str:
    """Return the smallest change of the first declaration that is violated, or why there is no single one."""
    for name, value in args.items():
        declaration = declarations.get(name)
        if name not in declarations or not find_first_argument_violation_text(declarations, {name: value}):
            continue
        tries = _possible_changes(name, declaration, value) if isinstance(declaration, dict) else []
        fit = [
            one
            for one in tries
            if not find_first_argument_violation_text(
                {name: _make_declaration_that_accepts(declaration, one)}, {name: value}
            )
        ]
        if len(fit) == 1:
            return fit[0]
        return f"argument `{name}` violates its declaration, which could be changed in several ways"
    return "an argument is not declared, or holds an object, which the settings deny"


def _possible_changes(name: str, declaration: "dict[str, Any]", value: object) -> list[ArgumentChange]:
    changes = []
    if (
        isinstance(declaration.get("enum"), list)
        and isinstance(value, str | int)
        and len(str(value)) <= _MAX_ENUM_LENGTH
    ):
        changes.append(ArgumentChange(name, "enum", value))
    for keyword, measure in _MEASURES.items():
        is_sized = keyword in ("minimum", "maximum") or isinstance(value, str | list)
        if keyword in declaration and is_sized:
            changes.append(ArgumentChange(name, keyword, measure(value)))
    return changes


def _find_missing_scopes(grant: Grant, data: "dict[str, Any]") -> tuple[str, ...] | str:
    """Return scopes for the paths that no scope covers, or why there are none."""
    known = {(path.argument, path.given): path for path in iterate_resolved_paths_in_event(data)}
    all_scopes: dict[str, None] = {}
    for argument, given, is_path in find_path_arguments(grant, data["args"]):
        if not is_path:
            continue
        path = known.get((argument, given)) if given is not None else None
        if path is None:
            return "a path of the call is invalid"
        if not find_violation_text_of_one_path(grant.fs_scope, path):
            continue
        scopes = find_scopes_for_path_or_why_not(path)
        if isinstance(scopes, str):
            return scopes
        all_scopes |= dict.fromkeys(scopes)
    return tuple(all_scopes) or "a path is required"


def find_scopes_for_path_or_why_not(path: ResolvedPath) -> list[str] | str:
    """Return the smallest scopes that cover a path in both spellings, or why there are none."""
    if path.protected_reason:
        return "a path that governs grants is in no scope"
    if why := find_path_syntax_problem_text_or_empty(path.given) or path.error:
        return f"a path of the call {why}"
    scopes = []
    for relative in dict.fromkeys((path.normalized, path.resolved_inside)):  # both spellings must be in scope
        if relative is None:
            return "a path of the call leads out of the root"
        scope = relative.rpartition("/")[0] or relative
        if not relative or strip_scope_slash_or_none(scope) is None or scope.casefold().split("/")[0] == ".cortex":
            return "only the whole root could be a scope for a path of the call"
        scopes.append(scope)
    return scopes


def widen_to_few_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """Return a few scopes that hold all directories; if there are too many, the common path of each top directory."""
    widest = select_outermost_scopes(scopes)
    if len(widest) <= MAX_SCOPES:
        return widest
    tops: dict[str, list[str]] = {}
    for scope in widest:
        tops.setdefault(scope.partition("/")[0], []).append(scope)
    return tuple(os.path.commonpath(below) for below in tops.values())


def select_outermost_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the scopes that lie in no other one."""
    every = PathIndex(scopes)
    return tuple(scope for scope in dict.fromkeys(scopes) if every.is_outermost(scope))
