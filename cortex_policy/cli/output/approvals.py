"""Render an approval request: as a row, in full, as JSON."""

import pwd

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.text import escape_unprintable
from cortex_policy.manage.approvals import RequestDetails
from cortex_policy.state.local_times import localize_times_if_terminal

_COLUMNS = ("ID", "STATE", "LEFT", "CALL", "BY")


def make_request_columns(*, every: bool) -> tuple[str, ...]:
    """Return the heads of the table; the root has one if there are several."""
    return (*_COLUMNS, *(["ROOT"] if every else []), "ARGUMENTS")


def make_request_row(details: RequestDetails, *, every: bool) -> tuple[str, ...]:
    """Return the cells of a request, not yet escaped, in the order of `make_request_columns`."""
    time_left = f"{details.expires_in_seconds:.0f}s" if details.expires_in_seconds is not None else "-"
    call = f"{details.grant} {details.action}" if details.grant else details.action
    root = (details.root or "-",) if every else ()
    return details.id, details.status, time_left, call, find_requester_name(details), *root, details.args


def find_requester_name(details: RequestDetails) -> str:
    """Return the name of the requesting user, `-` if unknown."""
    if details.uid is None:
        return "-"
    try:
        return pwd.getpwuid(details.uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {details.uid}"


def format_request(details: RequestDetails) -> str:
    """Return everything a human needs to answer a request, with control characters escaped."""
    requester = f"{find_requester_name(details)} (uid {details.uid})" if details.uid is not None else "another program"
    process = f", process {details.pid}" if details.pid is not None else ""
    run = f", run {details.run}" if details.run else ""
    rows = [
        ("state", _status_text(details)),
        ("grant", details.grant),
        ("action", details.action),
        ("tool", details.tool),
        ("arguments", details.args),
        *(("path", f"{path.given} -> {path.resolved or 'nowhere'}") for path in details.paths),
        ("cost", details.cost),
        ("directory", details.cwd),
        ("root", details.root),
        ("sha256", details.sha256),
        ("asked by", f"{requester}{process}{run}"),
        ("asked at", localize_times_if_terminal(details.asked_at)),
        ("reason", details.reason),
    ]
    lines = [f"request {details.id}", *(f"  {label:<11}{text}" for label, text in rows if text)]
    return "".join(f"{escape_unprintable(line)}\n" for line in lines)


def _status_text(details: RequestDetails) -> str:
    time_left = f", for {details.expires_in_seconds:.0f} seconds more" if details.expires_in_seconds is not None else ""
    by = (
        f", answered by {details.answered_by} at {localize_times_if_terminal(details.answered_at)}"
        if details.answered_by
        else ""
    )
    return f"{details.status}{time_left}{by}"


def _json_or_text(text: str | None) -> object:
    """Return the value of a JSON text, or the text itself if Python cannot parse it."""
    try:
        return decode_json(text.encode()) if text else None
    except (MalformedError, UnicodeEncodeError):
        return text


def request_to_json(details: RequestDetails) -> dict[str, object]:
    """Return a request as JSON members; null for what is unknown."""
    return {
        "id": details.id,
        "status": details.status,
        "expires_in_seconds": details.expires_in_seconds,
        "grant": details.grant or None,
        "sha256": details.sha256 or None,
        "tool": details.tool or None,
        "action": details.action or None,
        "args": _json_or_text(details.args),
        "paths": [
            {"argument": one.argument, "given": one.given, "resolved": one.resolved or None} for one in details.paths
        ],
        "cost": _json_or_text(details.cost),
        "cwd": details.cwd or None,
        "root": details.root or None,
        "uid": details.uid,
        "pid": details.pid,
        "run": details.run or None,
        "asked_at": details.asked_at or None,
        "answered_by": details.answered_by or None,
        "answered_at": details.answered_at or None,
        "reason": details.reason or None,
    }
