"""What would help a denied call, in one line: what the grant allows, and the operator's command that would allow it."""

from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.model import ACTION_NOT_ALLOWED, ARGUMENT_NOT_ALLOWED, PATH_OUTSIDE_SCOPE, RATE_LIMITED
from cortex_policy.core.operator_commands import (
    append_root_option,
    format_program_command,
    format_set_command,
    make_approval_hint,
    suggest_scopes_to_allow,
)
from cortex_policy.core.text import join_words_that_fit
from cortex_policy.core.value_text import format_value

_MAX_COMPARED = 20  # paths of a call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Decision, Grant


def make_denial_hint(grant: "Grant", action: str, decision: "Decision", root: str | None) -> str:
    """Return the hint of a denial, '' if nothing helps; `root` is named in commands if it is not None."""
    file = grant.origin.file if grant.origin is not None else grant.id
    if decision.reason is ACTION_NOT_ALLOWED:
        actions = join_words_that_fit(grant.actions) or "none"
        allowing = _command_text(grant, root, "allow", [action] if action else [], "allows the action")
        more = _lookalike_action_text(action, grant.actions)
        return f"allowed actions: {actions}{more}; an operator {allowing or f'adds one to `actions` in {file}'}"
    if decision.reason is ARGUMENT_NOT_ALLOWED:
        command = append_root_option(format_program_command("show", grant.id), root)
        return f"the allowed arguments are declared under `args` in {file}{command and f'; `{command}` prints them'}"
    if decision.reason is PATH_OUTSIDE_SCOPE:
        return _path_hint(grant, decision, file, root)
    if decision.reason is RATE_LIMITED:
        return _rate_hint(decision)
    if not decision.obligations:
        return "`cortex-policy config get sensitive --json` says where `sensitive` is set"
    return make_approval_hint(decision)


def _path_hint(grant: "Grant", decision: "Decision", file: str, root: str | None) -> str:
    if any(place.protected_reason.startswith("cannot be resolved") for place, _ in decision.paths):
        return "name a path that can be followed: an absolute one, or from a directory that exists"
    if any(place.protected_reason for place, _ in decision.paths):
        return "no grant may allow access to files that govern grants"
    allowing = _command_text(grant, root, "add-scope", suggest_scopes_to_allow(grant, decision), "adds a scope")
    scopes = [scope for scope in grant.fs_scope if strip_scope_slash_or_none(scope) is not None]
    if scopes:
        what = "paths in these scopes are allowed" if decision.paths else "give a path in one of these scopes"
        more = _lookalike_scope_text(grant.fs_scope, decision)
        return f"{what}: {join_words_that_fit(scopes)}{more}{allowing and f'; an operator {allowing}'}"
    return f"no scope of this grant can match; an operator fixes `fsScope` in {file}" if grant.fs_scope else ""


def _lookalike_action_text(action: str, actions: tuple[str, ...]) -> str:
    """Return a note that an action looks like an allowed one, '' if it does not."""
    if action.isascii():
        return ""
    from cortex_policy.core.unicode_equivalence import find_equivalent_word, format_normal_form_difference  # noqa: PLC0415 - few words need it

    same = find_equivalent_word(action, actions)
    return f"; {format_normal_form_difference('the action', action, same)}" if same else ""


def _lookalike_scope_text(scopes: tuple[str, ...], decision: "Decision") -> str:
    """Return a note that a path looks as if it were in a scope, '' if it does not."""
    paths = [
        resolved for resolved, _ in decision.paths if not f"{resolved.normalized}{resolved.resolved_inside}".isascii()
    ]
    if not paths:
        return ""
    from cortex_policy.core.unicode_equivalence import find_scope_and_path_covered_in_nfc, format_normal_form_difference  # noqa: PLC0415 - as above

    for resolved in paths[:_MAX_COMPARED]:
        same, spelling = find_scope_and_path_covered_in_nfc(scopes, resolved)
        if same:
            return f"; {format_normal_form_difference('the scope', spelling, same)}"
    return ""


def _command_text(grant: "Grant", root: str | None, option: str, words: list[str], effect: str) -> str:
    """Return a phrase with the command that would allow these words, '' if no command can."""
    command = append_root_option(format_set_command(grant.id, option, words), root)
    return f"{effect} with `{command}`" if command else ""


def _rate_hint(decision: "Decision") -> str:
    budget = decision.budget
    if budget is None or budget.retry_after_seconds is None:
        return f"ask for a cost of at most {format_value(budget.limit)}" if budget is not None else ""
    seconds = budget.retry_after_seconds
    return f"a call fits in {seconds:.1f} seconds; wait for it with `--wait {int(seconds) + 1}`"
