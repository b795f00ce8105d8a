"""Render the outcome of a call: one line and a hint for people, one line of JSON for programs."""

import os

from cortex_policy.core import Value
from cortex_policy.core.model import USED, UsageError
from cortex_policy.core.text import escape_job_commands_in_ascii_json, escape_message_to_one_line, escape_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never

    from cortex_policy.check import CallOutcome
    from cortex_policy.core.model import Budget, Decision, Grant, ResolvedPath


class RenderedCall(Value):
    """What to print and the exit code."""

    exit_code: int
    out: str = ""
    err: str = ""


def render_outcome_unless_silent(outcome: "CallOutcome") -> RenderedCall:
    """Return the answer as text for people, or as one line of JSON; nothing if nobody would read it."""
    return RenderedCall(outcome.exit_code) if outcome.is_silent else render_outcome_even_if_silent(outcome)


def render_outcome_even_if_silent(outcome: "CallOutcome") -> RenderedCall:
    """Return the answer as text for people, also if it is an allowance, or as one line of JSON."""
    code = outcome.exit_code
    if outcome.call.json:
        return RenderedCall(code, format_outcome_json_line(outcome) + "\n")
    remedy = _make_outcome_hint(outcome)
    lines = map(
        escape_message_to_one_line, [format_outcome_text_line(outcome), *([f"hint: {remedy}"] if remedy else [])]
    )
    is_one_line = outcome.call.command == "run" and not isinstance(outcome.error, UsageError)
    text = escape_output(("; " if is_one_line else "\n").join(lines) + "\n")
    if not outcome.decision and "Z" in text and os.isatty(2):
        from cortex_policy.state.local_times import localize_times_in_text  # noqa: PLC0415 - few denials have a time

        text = localize_times_in_text(text)
    return RenderedCall(code, out=text) if outcome.decision else RenderedCall(code, err=text)


def write_rendered_call_and_exit(output: RenderedCall) -> "Never":
    """Print an output and exit; if stdout or stderr cannot be written, the exit code stays the same."""
    write_rendered_texts(output)
    os._exit(output.exit_code)


def write_rendered_texts(output: RenderedCall) -> None:
    """Print an output, as far as stdout and stderr can be written."""
    for descriptor, text in ((1, output.out), (2, output.err)):
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            continue


def format_outcome_text_line(outcome: "CallOutcome") -> str:
    """Return the answer in one line, not yet escaped."""
    call, decision, error = outcome.call, outcome.decision, outcome.error
    if isinstance(error, UsageError):
        return f"cortex-policy {call.command}: {error.detail}"
    if decision is not None and decision.allowed:
        return f"{_allowed_text(decision)}{_unchecked_scope_text(outcome)}"
    message = decision.message if decision is not None else error.message if error else ""
    return f"{call.grant_id} {call.action}: {message}"


def _make_outcome_hint(outcome: "CallOutcome") -> str:
    """Return what would help, '' if nothing does."""
    error = outcome.error
    if isinstance(error, UsageError):
        return error.hint or f"see `cortex-policy {outcome.call.command} --help`"
    if error is not None:
        return error.hint
    grant, decision, call = outcome.grant, outcome.decision, outcome.call
    if grant is None or decision is None or decision.allowed:
        return ""
    from cortex_policy.core.denial_hint import make_denial_hint  # noqa: PLC0415 - only a denial needs it

    return make_denial_hint(grant, call.action, decision, call.root)


def _allowed_text(decision: "Decision") -> str:
    budget = decision.budget
    remaining = f", {budget.remaining} of {budget.limit} left" if budget is not None else ""
    if _is_counted_locally(decision):
        remaining += " on this host (the server of budgets does not answer)"
    if decision.approval is not None and decision.approval.status == USED:
        return f"allowed{remaining}; a human approved it (request `{decision.approval.id}`)"
    needs = f"; needs {', '.join(decision.obligations)}" if decision.obligations else ""
    return f"allowed{remaining}{needs}"


def _is_counted_locally(decision: "Decision") -> bool:
    """Whether the server of budgets did not answer, so that this host counted by itself."""
    return decision.budget is not None and decision.budget.local


def _unchecked_scope_text(outcome: "CallOutcome") -> str:
    """Say what fsScope did not check: a call without a path, or an argument that looks like one."""
    grant, decision = outcome.grant, outcome.decision
    if grant is None or not grant.fs_scope or decision is None:
        return ""
    unnamed = "" if decision.paths else "; no path was named, so fsScope was not checked"
    if not outcome.args:
        return unnamed
    from cortex_policy.core.path_likeness import find_unchecked_paths  # noqa: PLC0415 - only a terminal needs it

    found = find_unchecked_paths(grant, outcome.args)
    return unnamed + (f"; `{found[0][1]}` looks like a path, but is not checked as one" if found else "")


def format_outcome_json_line(outcome: "CallOutcome", **more: object) -> str:
    """Return the answer as one line of JSON: the members every answer has, then `more`."""
    from cortex_policy.core.json_text import format_ascii_json  # noqa: PLC0415 - most answers are for people

    return escape_job_commands_in_ascii_json(format_ascii_json({**outcome_to_json(outcome), **more}))


def outcome_to_json(outcome: "CallOutcome") -> dict[str, object]:
    """Return the members that every answer has."""
    call, decision, error, grant = outcome.call, outcome.decision, outcome.error, outcome.grant
    reason, message = None, None
    if error is not None:
        message = error.message
        reason = None if isinstance(error, UsageError) else str(error.reason)  # usage is not a reason of a decision
    elif decision is not None:
        reason, message = str(decision.reason), decision.message
    # an error names the file if it got that far
    origin = grant.origin if grant is not None else error
    return {
        "decision": bool(decision),
        "reason": reason,
        "message": message,
        "exit_code": outcome.exit_code,
        "retryable": error is None and decision is not None and decision.retryable,
        "grant": {
            "id": call.grant_id or None,
            "tool": grant.tool if grant is not None else None,
            "file": origin.file if origin is not None else None,
            "sha256": origin.sha256 if origin is not None else None,
        },
        "action": call.action or None,
        "paths": [_path_to_json(path, scope) for path, scope in decision.paths] if decision is not None else [],
        "rate": _rate_to_json(grant, decision.budget if decision is not None else None),
        **({"budget": "local"} if decision is not None and _is_counted_locally(decision) else {}),
        "obligations": list(decision.obligations) if decision is not None else [],
        "approval": _approval_to_json(decision),
        "root": origin.root if origin is not None else None,
        "duration_us": outcome.duration_us,
    }


def _approval_to_json(decision: "Decision | None") -> dict[str, object] | None:
    approval = decision.approval if decision is not None else None
    if approval is None:
        return None
    return {"id": approval.id, "status": approval.status, "expires_in_seconds": approval.expires_in_seconds}


def _path_to_json(path: "ResolvedPath", scope: str | None) -> dict[str, object]:
    return {"argument": path.argument, "given": path.given, "resolved": path.resolved, "scope": scope}


def _rate_to_json(grant: "Grant | None", budget: "Budget | None") -> dict[str, object]:
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
