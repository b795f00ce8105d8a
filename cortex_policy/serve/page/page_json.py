"""The data of the page as JSON members; every text is escaped as a terminal would get it, and cut."""

from time import time

from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.operator_commands import format_program_command
from cortex_policy.core.text import elide_middle, escape_unprintable
from cortex_policy.state.emergency_stop import format_resume_command_of_root
from cortex_policy.state.users import format_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.core.model import CortexPolicyError, Grant, Settings
    from cortex_policy.manage.approvals import RequestDetails
    from cortex_policy.manage.budgets import BudgetStatus, GrantWithBudgets
    from cortex_policy.manage.denied_calls_with_remedies import DeniedCalls
    from cortex_policy.manage.overview import Overview
    from cortex_policy.state.emergency_stop import EmergencyStop

    Members = dict[str, Any]

MAX_TEXT = 400  # bytes of a text
MAX_LIST = 20  # scopes or arguments of a grant
_NOT_RULES = ("type", "description", "title")
_SENSITIVE_TEXTS = {"ask": "a human approves each call", "deny": "every call is denied", "allow": ""}


def overview_to_json(seen: "Overview") -> "Members":
    """Return all that the page shows."""
    return {
        "root": _escape_and_cut(seen.root.path),
        "owner": _escape_and_cut(seen.owner.user_or_hosts_label) if seen.owner is not None else "",
        "stops": [_stop_members(one, seen) for one in seen.denials.stops],
        "errors": [_error_members(one) for one in seen.denials.errors],
        "requests": {
            "items": [_request_members(one) for one in seen.requests],
            "more": seen.more_requests,
            "problem": _escape_and_cut(seen.requests_problem),
        },
        "denied": {
            "items": [_denied_members(one) for one in seen.denied],
            "more": seen.more_denied,
            "problem": _escape_and_cut(_denied_problem_text(seen)),
        },
        "grants": {
            "items": [_grant_members(one, seen.settings) for one in seen.grants],
            "more": seen.matching - len(seen.grants),
            "total": seen.total,
            "problem": _escape_and_cut(seen.unread),
        },
    }


def error_to_overview_json(error: "CortexPolicyError") -> "Members":
    """Return what the page shows if there is no root to look at."""
    return {"root": "", "stops": [], "errors": [_error_members(error)]}


def _escape_and_cut(text: str) -> str:
    """Return a text of others in one line, without what could act on its reader, and cut in the middle."""
    return elide_middle(escape_unprintable(elide_middle(text, MAX_TEXT)), 2 * MAX_TEXT)


def _denied_problem_text(seen: "Overview") -> str:
    if seen.settings is not None and seen.settings.audit_file is None:
        return f"{seen.denied_problem}: turn it on with `cortex-policy config set audit.file FILE`"
    return seen.denied_problem


def _stop_members(stop: "EmergencyStop", seen: "Overview") -> "Members":
    return {
        "host": stop.is_of_host,
        "by": _escape_and_cut(stop.by or ""),
        "at": stop.stopped_at if stop.timestamp is not None else None,
        "reason": _escape_and_cut(stop.reason or ""),
        "problem": _escape_and_cut(stop.fault or ""),
        "command": "" if stop.hint_if_not_resumable else format_resume_command_of_root(seen.root),
        "hint": _escape_and_cut(stop.hint_if_not_resumable),
    }


def _error_members(error: "CortexPolicyError") -> "Members":
    return {"text": _escape_and_cut(str(error)), "hint": _escape_and_cut(error.hint)}


def _request_members(one: "RequestDetails") -> "Members":
    return {
        "id": _escape_and_cut(one.id),
        "grant": _escape_and_cut(one.grant),
        "action": _escape_and_cut(one.action),
        "args": _escape_and_cut("" if one.args in ("{}", "null") else one.args),
        "paths": [
            _escape_and_cut(f"{path.given} -> {path.resolved or 'nowhere'}")
            for path in one.paths[:MAX_LIST]
            if path.given != path.resolved
        ],
        "by": _escape_and_cut(format_user(one.uid)) if one.uid is not None else "another program",
        # rounded, so that the data stay equal as long as nothing happens
        "expires_at": round(time() + one.expires_in_seconds) if one.expires_in_seconds is not None else None,
        "command": format_program_command("approve", one.id),
    }


def _denied_members(one: "DeniedCalls") -> "Members":
    return {
        "at": one.at,
        "count": one.count,
        "grant": _escape_and_cut(one.grant),
        "action": _escape_and_cut(one.action),
        "args": _escape_and_cut(one.args),
        "reason": str(one.reason),
        "text": one.reason.message,
        "command": one.command,
        "note": _escape_and_cut(one.note),
    }


def _grant_members(one: "GrantWithBudgets", settings: "Settings | None") -> "Members":
    row, grant = one.row, one.row.grant
    return {
        "id": _escape_and_cut(row.id),
        "state": _state_text(row.state, settings),
        "problem": _escape_and_cut(row.problem),
        "hint": _escape_and_cut(row.hint),
        **(_allowed_members(grant, settings) if grant is not None else {}),
        "budgets": [_budget_members(status) for status in one.budgets],
        "more_actions": len(grant.actions) - len(one.budgets) if grant is not None else 0,
    }


def _state_text(state: str, settings: "Settings | None") -> str:
    """Say what is wrong with a grant, '' if nothing is."""
    if state == "ok" or (state == "unstamped" and (settings is None or settings.stamp == "off")):
        return ""
    return "differs from its stamp; see `cortex-policy diff --against stamp`" if state == "differs" else state


def _allowed_members(grant: "Grant", settings: "Settings | None") -> "Members":
    args = [_escape_and_cut(f"{name}: {_declaration_text(grant.args[name])}") for name in list(grant.args)[:MAX_LIST]]
    return {
        "tool": _escape_and_cut(grant.tool),
        "per_minute": grant.rate.per_minute,
        "data_class": grant.data_class,
        "approval": _SENSITIVE_TEXTS.get(settings.sensitive if settings is not None else "", "")
        if grant.data_class == "sensitive"
        else "",
        "scopes": [_escape_and_cut(scope) for scope in grant.fs_scope[:MAX_LIST]],
        "more_scopes": max(0, len(grant.fs_scope) - MAX_LIST),
        "args": args,
        "more_args": max(0, len(grant.args) - MAX_LIST),
    }


def _declaration_text(declaration: object) -> str:
    """Return a declaration in the words of `set --arg` if it is simple, else as JSON."""
    if not isinstance(declaration, dict):
        return format_ascii_json(declaration)
    rules = [(name, value) for name, value in declaration.items() if name not in _NOT_RULES]
    if any(isinstance(value, dict) for _, value in rules):
        return format_ascii_json(declaration)
    words = [f"{name} {value if isinstance(value, str) else format_ascii_json(value)}" for name, value in rules]
    return ", ".join([str(declaration.get("type", "any")), *words])


def _budget_members(one: "BudgetStatus") -> "Members":
    budget = one.budget
    wait = budget.retry_after_seconds if budget is not None and budget.remaining <= 0 else None
    return {
        "action": _escape_and_cut(one.action),
        "used": budget.used if budget is not None else None,
        "limit": budget.limit if budget is not None else None,
        "fits_at": round(time() + wait) if wait else None,
        "problem": _escape_and_cut(one.problem) if budget is None or budget.closed or budget.local else "",
    }
