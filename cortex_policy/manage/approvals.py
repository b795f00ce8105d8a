"""List the calls that wait for a human, and answer them."""

import os
from datetime import UTC, datetime
from time import time, time_ns

from cortex_policy.core import Value
from cortex_policy.core.approvals import (
    MAX_REASON,
    ApprovalRequest,
    escape_surrogates,
    find_request_status,
)
from cortex_policy.core.audit_event import format_timestamp
from cortex_policy.core.json_text import encode_json_line, format_ascii_json
from cortex_policy.core.model import APPROVED, DENIED, EXPIRED, USED, WAITING, Settings
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state.approval_store import ApprovalStore
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.history_entry import find_current_author

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SECOND = 1_000_000_000
_CLOSED = {
    USED: "was used already: an approval is good for one call",
    EXPIRED: "has expired: the caller asks again",
    DENIED: "was denied: the caller can ask again later",
}


class PathArgument(Value):
    """A path argument of a call, as given and as it was resolved then; '' if it could not be resolved."""

    argument: str
    given: str
    resolved: str


class RequestDetails(Value):
    """A request for approval: the call, who asks, and its status.

    `expires_in_seconds` says how long the status lasts; None if it is final. `grant` is '' if another program asks;
    then only `args` describes the call.
    """

    id: str
    status: str
    expires_in_seconds: float | None
    grant: str
    sha256: str
    tool: str
    action: str
    args: str
    paths: tuple[PathArgument, ...]
    cost: str
    cwd: str
    root: str
    uid: int | None
    pid: int | None
    run: str
    asked_at: str
    answered_by: str
    answered_at: str
    reason: str


class AnswerResult(Value):
    """A request, and whether this answer changed it."""

    request: RequestDetails
    is_changed: bool


def list_waiting_and_answered_requests(root: str | None = None) -> tuple[RequestDetails, ...]:
    """Return the requests that wait and those answered lately, of all roots or of one; raise StateError.

    Those of other programs name no root, and are always among them.
    """
    with _open_store() as store:
        requests = [_request_details(request, store) for request in store.requests]
    wanted = None if root is None else escape_surrogates(os.path.realpath(root))
    return tuple(details for details in requests if wanted is None or details.root in (wanted, ""))


def read_approval_request(request_id: str, root: str | None = None) -> RequestDetails:
    """Return a request by its id; raise NotDoneError if there is none."""
    request = next((details for details in list_waiting_and_answered_requests(root) if details.id == request_id), None)
    if request is None:
        raise _unknown_request_error(request_id)
    return request


def approve_or_deny_request(
    request_id: str, root: str | None = None, *, approved: bool, reason: str = ""
) -> AnswerResult:
    """Approve or deny a request; raise NotDoneError if it is closed, StateError if the answer cannot be written.

    A denial also revokes an approval that was not used yet; an approval never revokes a denial.
    """
    with _open_store() as store:
        request = next((one for one in store.requests if one.id == request_id), None)
        details = _request_details(request, store) if request is not None else None
        if details is None or (root is not None and details.root != escape_surrogates(os.path.realpath(root))):
            raise _unknown_request_error(request_id)
        if details.status == (APPROVED if approved else DENIED):
            return AnswerResult(details, is_changed=False)
        raise_if_request_closed(details)
        store.append_and_prune(_answer_line(request_id, store, approved=approved, reason=reason))
    return AnswerResult(read_approval_request(request_id), is_changed=True)


def raise_if_request_closed(details: RequestDetails) -> None:
    """Raise NotDoneError if a request can no longer be answered."""
    if details.status in _CLOSED:
        raise NotDoneError(f"`{details.id}` {_CLOSED[details.status]}", "see what waits with `cortex-policy approvals`")


def _open_store() -> ApprovalStore:
    return ApprovalStore(_operator_settings(), makes=False, is_operator=True)


def _operator_settings() -> Settings:
    return load_effective_settings(None)


def _unknown_request_error(request_id: str) -> NotDoneError:
    hint = "list them with `cortex-policy approvals`, as the user who made the call and with the same settings"
    return NotDoneError(f"no request `{request_id}`", hint)


def _answer_line(request_id: str, store: ApprovalStore, *, approved: bool, reason: str) -> bytes:
    author = find_current_author()
    more = {"reason": escape_surrogates(reason[:MAX_REASON])} if reason else {}
    return encode_json_line({
        "type": "decision",
        "requestId": request_id,
        "approved": approved,
        "ts": format_timestamp(time_ns()),
        "by": escape_surrogates(str(author)),
        "uid": author.uid,
        "boot": store.clock.boot,
        "at_ns": store.clock.now_ns,
        **more,
    })  # fmt: skip


def _request_details(request: ApprovalRequest, store: ApprovalStore) -> RequestDetails:
    members, proposal = request.members, request.members.get("proposal")
    call: Mapping[str, object] = proposal if request.call and isinstance(proposal, dict) else {}
    status, seconds_left = _status_and_seconds_left(request, store)
    last_answer = request.answers[-1].members if request.answers else {}
    paths_member = call.get("paths")
    paths = [part for part in paths_member if isinstance(part, dict)] if isinstance(paths_member, list) else []
    return RequestDetails(
        request.id, status, seconds_left, _text_of(call, "grant"), _text_of(call, "sha256"), _text_of(call, "tool"),
        _text_of(call, "action") or _text_of(members, "node"), _text_of(call, "args") or format_ascii_json(proposal),
        tuple(PathArgument(*[_text_of(part, name) for name in PathArgument.__match_args__]) for part in paths),
        _text_of(call, "cost"), _text_of(call, "cwd"), _text_of(call, "root"), _number_of(members, "uid"),
        _number_of(members, "pid"), _text_of(members, "runId"), _text_of(members, "ts"), _text_of(last_answer, "by"),
        _text_of(last_answer, "ts"), _text_of(last_answer, "reason"),
    )  # fmt: skip


def _status_and_seconds_left(request: ApprovalRequest, store: ApprovalStore) -> tuple[str, float | None]:
    if request.call:
        current = find_request_status(request, store.clock, store.timeout_seconds)
        return current.status, current.left_ns / _SECOND if current.is_live else None
    if request.answers:  # another program takes the first answer
        return (APPROVED if request.answers[0].approved else DENIED), None
    seconds_left = store.timeout_seconds - _age_seconds(_text_of(request.members, "ts"))
    return (WAITING, seconds_left) if 0 < seconds_left <= store.timeout_seconds else (EXPIRED, None)


def _age_seconds(stamp: str) -> float:
    """Return the age of a time stamp in seconds; infinity if it is not a time."""
    try:
        when = datetime.fromisoformat(stamp)
        return time() - (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return float("inf")


def _text_of(members: "Mapping[str, object]", name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _number_of(members: "Mapping[str, object]", name: str) -> int | None:
    value = members.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
