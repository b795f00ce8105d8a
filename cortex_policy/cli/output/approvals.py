"""Render an approval request: as a row, in full, as JSON."""

import pwd

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.text import printable
from cortex_policy.manage.approvals import RequestDetails

COLUMNS = ("ID", "STATE", "LEFT", "CALL", "BY", "ARGUMENTS")


def request_row(plea: RequestDetails) -> tuple[str, ...]:
    """Return a request as a row of the table."""
    left = f"{plea.expires_in_seconds:.0f}s" if plea.expires_in_seconds is not None else "-"
    call = f"{plea.grant} {plea.action}" if plea.grant else plea.action
    return plea.id, plea.status, left, call, requester_name(plea), plea.args


def requester_name(plea: RequestDetails) -> str:
    """Return the name of the requesting user, `-` if unknown."""
    if plea.uid is None:
        return "-"
    try:
        return pwd.getpwuid(plea.uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {plea.uid}"


def request_text(plea: RequestDetails) -> str:
    """Return everything a human needs to answer a request, with control characters escaped."""
    asked = f"{requester_name(plea)} (uid {plea.uid})" if plea.uid is not None else "another program"
    process = f", process {plea.pid}" if plea.pid is not None else ""
    run = f", run {plea.run}" if plea.run else ""
    rows = [
        ("state", _status_text(plea)),
        ("grant", plea.grant),
        ("action", plea.action),
        ("tool", plea.tool),
        ("arguments", plea.args),
        *(("path", f"{path.given} -> {path.resolved or 'nowhere'}") for path in plea.paths),
        ("cost", plea.cost),
        ("directory", plea.cwd),
        ("root", plea.root),
        ("sha256", plea.sha256),
        ("asked by", f"{asked}{process}{run}"),
        ("asked at", plea.asked_at),
    ]
    lines = [f"request {plea.id}", *(f"  {label:<11}{text}" for label, text in rows if text)]
    return "".join(f"{printable(line)}\n" for line in lines)


def _status_text(plea: RequestDetails) -> str:
    left = f", for {plea.expires_in_seconds:.0f} seconds more" if plea.expires_in_seconds is not None else ""
    by = f", answered by {plea.answered_by} at {plea.answered_at}" if plea.answered_by else ""
    return f"{plea.status}{left}{by}"


def _json_or_text(text: str | None) -> object:
    """Return the value of a JSON text, or the text itself if Python cannot parse it."""
    try:
        return decode_json(text.encode()) if text else None
    except (MalformedError, UnicodeEncodeError):
        return text


def request_to_json(plea: RequestDetails) -> dict[str, object]:
    """Return a request as JSON members; null for what is unknown."""
    return {
        "id": plea.id,
        "status": plea.status,
        "expires_in_seconds": plea.expires_in_seconds,
        "grant": plea.grant or None,
        "sha256": plea.sha256 or None,
        "tool": plea.tool or None,
        "action": plea.action or None,
        "args": _json_or_text(plea.args),
        "paths": [
            {"argument": one.argument, "given": one.given, "resolved": one.resolved or None} for one in plea.paths
        ],
        "cost": _json_or_text(plea.cost),
        "cwd": plea.cwd or None,
        "root": plea.root or None,
        "uid": plea.uid,
        "pid": plea.pid,
        "run": plea.run or None,
        "asked_at": plea.asked_at or None,
        "answered_by": plea.answered_by or None,
        "answered_at": plea.answered_at or None,
    }
