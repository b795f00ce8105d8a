"""Render the outcome of a call: one line and a hint for people, one line of JSON for programs."""

import os

from cortex_policy.core import Value
from cortex_policy.core.engine import normalize_scope
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    UsageError,
)
from cortex_policy.core.operator_commands import append_root_option, approval_hint, scopes_that_allow, set_command
from cortex_policy.core.text import escape_json, escape_output, join_words, message_line

_MAX_COMPARED = 20  # paths of a call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never

    from cortex_policy.check import Call, CallOutcome
    from cortex_policy.core.model import Budget, Decision, Grant, ResolvedPath


class RenderedCall(Value):
    """What to print and the exit code."""

    exit_code: int
    out: str = ""
    err: str = ""


def render(outcome: "CallOutcome") -> RenderedCall:
    """Return the answer as text for people, or as one line of JSON."""
    code = outcome.exit_code
    if outcome.is_silent:
        return RenderedCall(code)
    if outcome.call.json:
        return RenderedCall(code, outcome_json_line(outcome) + "\n")
    remedy = hint(outcome)
    lines = [headline(outcome), *([f"hint: {remedy}"] if remedy else [])]
    text = escape_output("".join(f"{message_line(line)}\n" for line in lines))
    return RenderedCall(code, out=text) if outcome.decision else RenderedCall(code, err=text)


def write_and_exit(output: RenderedCall) -> "Never":
    """Print an output and exit; if stdout or stderr cannot be written, the exit code stays the same."""
    for descriptor, text in ((1, output.out), (2, output.err)):
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            continue
    os._exit(output.exit_code)


def headline(outcome: "CallOutcome") -> str:
    """Return the answer in one line, not yet escaped."""
    call, decision, error = outcome.call, outcome.decision, outcome.error
    if isinstance(error, UsageError):
        return f"cortex-policy {call.command}: {error.detail}"
    if decision is not None and decision.allowed:
        return _allowed_text(decision)
    return f"{call.grant} {call.action}: {decision.message if decision is not None else error}"


def hint(outcome: "CallOutcome") -> str:
    """Return what would help, '' if nothing does."""
    error = outcome.error
    if isinstance(error, UsageError):
        return error.hint or f"see `cortex-policy {outcome.call.command} --help`"
    return error.hint if error is not None else _hint(outcome.call, outcome.grant, outcome.decision)


def _allowed_text(decision: "Decision") -> str:
    budget = decision.budget
    left = f", {budget.remaining} of {budget.limit} left" if budget is not None else ""
    needs = f"; needs {', '.join(decision.obligations)}" if decision.obligations else ""
    return f"allowed{left}{needs}"


def _hint(call: "Call", grant: "Grant | None", decision: "Decision | None") -> str:
    if grant is None or decision is None or decision.allowed:
        return ""
    file = grant.origin.file if grant.origin is not None else grant.id
    if decision.reason is ACTION_NOT_ALLOWED:
        actions = join_words(grant.actions) or "none"
        allowing = _command(call, "allow", [call.action] if call.action else [])
        more = _same_action(call.action, grant.actions)
        return f"allowed actions: {actions}{more}; an operator {allowing or f'adds one to `actions` in {file}'}"
    if decision.reason is ARGUMENT_NOT_ALLOWED:
        return f"the allowed arguments are declared under `args` in {file}; `--explain` names the line"
    if decision.reason is PATH_OUTSIDE_SCOPE:
        return _path_hint(call, grant, decision, file)
    if decision.reason is RATE_LIMITED:
        return _rate_hint(decision)
    if not decision.obligations:
        return "`cortex-policy config get sensitive --json` says where that is set"
    return approval_hint(decision)


def _path_hint(call: "Call", grant: "Grant", decision: "Decision", file: str) -> str:
    if any(place.protected_reason.startswith("cannot be resolved") for place, _ in decision.paths):
        return "name a path that can be followed: an absolute one, or from a directory that exists"
    if any(place.protected_reason for place, _ in decision.paths):
        return "no grant lets its tool touch what governs it"
    allowing = _command(call, "add-scope", scopes_that_allow(grant, decision))
    scopes = [scope for scope in grant.fs_scope if normalize_scope(scope) is not None]
    if scopes:
        what = "allowed" if decision.paths else "give a path"
        more = _same_scope(grant.fs_scope, decision)
        return f"{what} below: {join_words(scopes)}{more}{allowing and f'; an operator {allowing}'}"
    return f"no scope of this grant can match; an operator fixes `fsScope` in {file}" if grant.fs_scope else ""


def _same_action(action: str, actions: tuple[str, ...]) -> str:
    """Return a note that an action looks like an allowed one, '' if it does not."""
    if action.isascii():
        return ""
    from cortex_policy.core.unicode_equivalence import equivalent_word, form_difference  # noqa: PLC0415 - few words need it

    same = equivalent_word(action, actions)
    return f"; {form_difference('the action', action, same)}" if same else ""


def _same_scope(scopes: tuple[str, ...], decision: "Decision") -> str:
    """Return a note that a path looks as if it were in a scope, '' if it does not."""
    paths = [
        resolved for resolved, _ in decision.paths if not f"{resolved.normalized}{resolved.resolved_inside}".isascii()
    ]
    if not paths:
        return ""
    from cortex_policy.core.unicode_equivalence import equivalent_scope, form_difference  # noqa: PLC0415 - as above

    for resolved in paths[:_MAX_COMPARED]:
        if same := equivalent_scope(scopes, resolved):
            return f"; {form_difference('the scope', resolved.given, same)}"
    return ""


def _command(call: "Call", option: str, words: list[str]) -> str:
    """Return a phrase with the command that would allow these words, '' if no command can."""
    command = append_root_option(set_command(call.grant, option, words), call.root)
    return f"allows it with `{command}`" if command else ""


def _rate_hint(decision: "Decision") -> str:
    budget = decision.budget
    if budget is None or budget.retry_after_seconds is None:
        return f"ask for a cost of at most {budget.limit}" if budget is not None else ""
    seconds = budget.retry_after_seconds
    return f"a call fits in {seconds:.1f} seconds; wait for it with `--wait {int(seconds) + 1}`"


def outcome_json_line(outcome: "CallOutcome", **more: object) -> str:
    """Return the answer as one line of JSON: the members every answer has, then `more`."""
    from cortex_policy.core.json_text import json_text  # noqa: PLC0415 - most answers are for people

    call, decision, error, grant = outcome.call, outcome.decision, outcome.error, outcome.grant
    reason, message = None, None
    if error is not None:
        message = str(error)
        reason = None if isinstance(error, UsageError) else str(error.reason)  # usage is not a reason of a decision
    elif decision is not None:
        reason, message = str(decision.reason), decision.message
    # an error names the file if it got that far
    origin = grant.origin if grant is not None else error
    return escape_json(json_text({
        "decision": bool(decision),
        "reason": reason,
        "message": message,
        "exit_code": outcome.exit_code,
        "retryable": error is None and decision is not None and decision.retryable,
        "grant": {
            "id": call.grant or None,
            "tool": grant.tool if grant is not None else None,
            "file": origin.file if origin is not None else None,
            "sha256": origin.sha256 if origin is not None else None,
        },
        "action": call.action or None,
        "paths": [_path(place, scope) for place, scope in decision.paths] if decision is not None else [],
        "rate": _rate(grant, decision.budget if decision is not None else None),
        "obligations": list(decision.obligations) if decision is not None else [],
        "approval": _approval(decision),
        "root": origin.root if origin is not None else None,
        "duration_us": outcome.duration_us,
        **more,
    }))  # fmt: skip


def _approval(decision: "Decision | None") -> dict[str, object] | None:
    approval = decision.approval if decision is not None else None
    if approval is None:
        return None
    return {"id": approval.id, "status": approval.status, "expires_in_seconds": approval.expires_in_seconds}


def _path(place: "ResolvedPath", scope: str | None) -> dict[str, object]:
    return {"argument": place.argument, "given": place.given, "resolved": place.resolved, "scope": scope}


def _rate(grant: "Grant | None", budget: "Budget | None") -> dict[str, object]:
    if budget is None or budget.retry_after_seconds is None:  # the ledger was not asked
        limit = grant.rate.per_minute if grant is not None else None
        return {"limit": limit, "used": None, "remaining": None, "retry_after_seconds": None, "consumed": 0}
    return {
        "limit": budget.limit,
        "used": budget.used,
        "remaining": budget.remaining,
        "retry_after_seconds": budget.retry_after_seconds,
        "consumed": budget.consumed,
    }
