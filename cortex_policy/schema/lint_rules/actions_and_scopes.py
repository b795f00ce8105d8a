"""Rules about what a grant reaches: its actions and its scopes."""

from itertools import takewhile
from shlex import quote

from cortex_policy.core.files_run_later import find_writable_files_run_later, looks_like_writing
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.scopes import suggest_scope_prefix
from cortex_policy.core.text import format_guess_hint
from cortex_policy.schema.fixes import Fix
from cortex_policy.schema.problems import UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.schema.lint_rules.lint_subject import LintSubject

_GLOB_CHARACTERS = frozenset("*?[]{}")
_PROTECTED = ".cortex/policy"


def find_suspicious_actions(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find actions that are probably mistakes."""
    actions = subject.grant.actions
    if not actions:
        hint = f"allow one with `cortex-policy set {subject.id_in_commands} --allow ACTION`"
        yield UnlocatedProblem("action-none", "there are no actions, so it allows nothing", hint, "/actions")
    seen: set[str] = set()
    for index, action in enumerate(actions):
        if action in seen:
            yield _action_problem(
                "action-twice", f"`{action}` appears twice", "once is enough", index, is_too_many=True
            )
        elif not action:
            yield _action_problem("action-empty", "an action has no name", "remove it", index, is_too_many=True)
        elif action != action.strip():
            yield _action_problem(
                "action-blank", f"`{action}` has spaces around it", format_guess_hint(action.strip()), index
            )
        elif "*" in action:
            hint = "write the full name of each action"
            message = f"`{action}` is not a pattern: it allows only an action with exactly this name"
            yield _action_problem("action-glob", message, hint, index)
        seen.add(action)


def find_unmatchable_scopes(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find scopes that no path can match."""
    for index, (scope, prefix) in enumerate(zip(subject.grant.fs_scope, subject.prefixes, strict=True)):
        if prefix is None:
            message = f"`{scope}` can never match: {_unmatchable_text(scope)}"
            yield UnlocatedProblem(
                "scope-dead", message, _scope_hint(subject, scope), format_json_pointer("fsScope", index)
            )
        elif prefix == _PROTECTED or prefix.startswith(_PROTECTED + "/"):
            message = f"`{scope}` lies in `.cortex`, which no scope can cover"
            yield UnlocatedProblem(
                "scope-guarded", message, "remove it: all in it is denied", format_json_pointer("fsScope", index)
            )


def find_redundant_scopes(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find scopes that another one covers; of two that say the same, the later one."""
    scopes, prefixes = subject.grant.fs_scope, subject.prefixes
    spelled = dict(zip(reversed(prefixes), reversed(scopes), strict=True))
    lengths = sorted({len(prefix) for prefix in prefixes if prefix is not None})
    seen: set[str] = set()
    for index, prefix in enumerate(prefixes):
        if prefix is None:
            continue
        wider = next((above for above in _parent_directories(prefix, lengths) if above in spelled), None)
        if wider is not None or prefix in seen:
            message = f"`{scopes[index]}` " + (
                f"is covered by `{spelled[wider]}`" if wider is not None else "appears twice"
            )
            at = format_json_pointer("fsScope", index)
            yield UnlocatedProblem("scope-covered", message, "remove it: nothing changes", at, fix=Fix(at))
        seen.add(prefix)


def find_risky_lack_of_scopes(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find grants without scopes that write or touch sensitive data."""
    grant = subject.grant
    if grant.fs_scope:
        return
    hint = f"say where with `cortex-policy set {subject.id_in_commands} --add-scope PATH`"
    for index, action in enumerate(grant.actions):
        if looks_like_writing(action):
            message = f"`{action}` probably writes, and no scope limits it"
            yield UnlocatedProblem("scope-none", message, hint, format_json_pointer("actions", index))
            break
    if grant.data_class == "sensitive":
        yield UnlocatedProblem(
            "scope-sensitive", "its data is sensitive, but no scope limits its paths", hint, "/dataClass"
        )


def find_escalating_scopes(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find scopes that cover files that others run."""
    places = {prefix: index for index, prefix in reversed(list(enumerate(subject.prefixes)))}
    for one in find_writable_files_run_later(subject.grant):
        if one.scope:
            hint = "name narrower scopes, or allow no action that writes"
            yield UnlocatedProblem(
                "scope-escalation", one.sentence, hint, format_json_pointer("fsScope", places[one.scope])
            )


def _action_problem(code: str, message: str, hint: str, index: int, *, is_too_many: bool = False) -> UnlocatedProblem:
    at = format_json_pointer("actions", index)
    return UnlocatedProblem(code, message, hint, at, fix=Fix(at) if is_too_many else None)


def _parent_directories(prefix: str, lengths: list[int]) -> "Iterator[str]":
    """Yield the directories that a path lies in and whose names have one of these lengths: all would be quadratic."""
    for length in takewhile(len(prefix).__gt__, lengths):
        if prefix[length] == "/":
            yield prefix[:length]


def _unmatchable_text(scope: str) -> str:
    reasons = {
        "it is empty": not scope.strip("/"),
        "it is absolute, and scopes are relative to the root": scope.startswith("/"),
        "scopes are prefixes, not patterns": not _GLOB_CHARACTERS.isdisjoint(scope),
        "it has spaces around it": scope != scope.strip(),
        "it has a backslash": "\\" in scope,
        "it has a `.` or `..` in it": not {".", ".."}.isdisjoint(scope.split("/")),
    }
    return next((reason for reason, holds in reasons.items() if holds), "it has an empty component")


def _scope_hint(subject: "LintSubject", scope: str) -> str:
    """Say what would match; it allows more than nothing, so it is for an operator to decide."""
    called, root = subject.id_in_commands, subject.root.rstrip("/")
    prefix = suggest_scope_prefix(scope.removeprefix(root) if scope.startswith(f"{root}/") else scope)
    if not scope.isprintable():  # no command that is shown could be typed
        return f"remove it with `cortex-policy edit {called}`; without any scope, any path is allowed"
    command = f"cortex-policy set {called}{_scope_option('remove', scope)}"
    if prefix is None:
        return f"remove it with `{command}`; without any scope, any path is allowed"
    return f"the prefix `{prefix}` would match all below it: `{command}{_scope_option('add', prefix)}`"


def _scope_option(verb: str, scope: str) -> str:
    return f" --{verb}-scope{'=' if scope.startswith('-') else ' '}{quote(scope)}"
