"""Decide a call for sensitive data by the answer of a human, which counts for this call once."""

import os
from time import time_ns

from cortex_policy.core.approvals import (
    MAX_LINE_BYTES,
    call_to_dict,
    escape_surrogates,
    find_human_denial_reason,
    find_request_status,
    make_fingerprint_input,
)
from cortex_policy.core.audit_event import format_timestamp
from cortex_policy.core.engine import decide_rate
from cortex_policy.core.json_text import encode_json_line
from cortex_policy.core.model import APPROVED, DENIED, USED, WAITING, Approval, CortexPolicyError, Decision
from cortex_policy.state import read_working_directory_or_none, sha256
from cortex_policy.state.approval_store import MAX_BYTES, ApprovalStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.approvals import ApprovalRequest, RequestStatus
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.core.model import Grant, Origin, Request, Settings

MAX_WAITING = 16  # calls of a grant
_SECOND = 1e9


def decide_with_approval(
    grant: "Grant",
    origin: "Origin",
    request: "Request",
    settings: "Settings",
    budgets: "Budgets",
    refused: Decision,
    *,
    peek: bool,
) -> Decision:
    """Decide a call that was refused until a human has approved it.

    A new call becomes a request; an approved call uses up its approval, unless `peek`. Raises StateError if the
    approvals file or the ledger cannot be used.
    """
    text = make_fingerprint_input(grant, origin, request, read_working_directory_or_none(), os.geteuid())
    call = str(sha256(text.encode("ascii")).hexdigest())
    with ApprovalStore(settings, makes=not peek) as store:
        if _is_repeat(grant, request, budgets):  # asked with the store locked: the first delivery may be spending
            ask = budgets.peek if peek else budgets.take
            return decide_rate(grant, request, ask(grant.tool, request.action, grant.rate.per_minute, request.cost))
        request_and_status = _current_request(store, call)
        if request_and_status is not None:
            approval_request, current = request_and_status
            if current.status != APPROVED:
                reason = find_human_denial_reason(approval_request)
                return _denial_with_request(refused, approval_request.id, current, reason=reason)
            return _spend_approval(store, grant, request, budgets, approval_request, current, peek=peek)
        if peek:
            return refused
        decision, line = _request_approval(store, grant, origin, request, call, refused)
    return _notify_and_note_failure(decision, line) if line else decision


def _is_repeat(grant: "Grant", request: "Request", budgets: "Budgets") -> bool:
    """Whether another line of an agent's settings has delivered the call, so that its approval was spent then."""
    if getattr(budgets, "delivery", None) is None:
        return False
    return budgets.peek(grant.tool, request.action, grant.rate.per_minute, request.cost).repeat


def _notify_and_note_failure(decision: Decision, line: bytes) -> Decision:
    """Tell a human of a new request; the store is no longer locked."""
    from cortex_policy.state.approval_notify import run_notify_program_and_find_failure  # noqa: PLC0415 - only a new request needs it

    problem = run_notify_program_and_find_failure(line)
    if not problem:
        return decision
    return _with_approval(decision, decision.approval, f"{decision.detail}, and `approvals.notify` failed: {problem}")


def _current_request(store: ApprovalStore, call: str) -> "tuple[ApprovalRequest, RequestStatus] | None":
    """Return the valid request for a call: a denied one before an approved one, a waiting one last."""
    live: dict[str, tuple[ApprovalRequest, RequestStatus]] = {}
    for approval_request in store.requests:
        if approval_request.call == call:
            current = find_request_status(approval_request, store.clock, store.timeout_seconds)
            if current.is_live:
                live[current.status] = approval_request, current
    return live.get(DENIED) or live.get(APPROVED) or live.get(WAITING)


def _spend_approval(
    store: ApprovalStore,
    grant: "Grant",
    request: "Request",
    budgets: "Budgets",
    approval_request: "ApprovalRequest",
    current: "RequestStatus",
    *,
    peek: bool,
) -> Decision:
    """Decide an approved call by its rate; if the rate allows it, use up the approval."""
    budget_call = (grant.tool, request.action, grant.rate.per_minute, request.cost)
    decision = decide_rate(grant, request, budgets.peek(*budget_call))
    approval = Approval(approval_request.id, current.status, current.left_ns / _SECOND)
    if peek or not decision:
        return _with_approval(decision, approval)
    # INVARIANT: the line is written before the hit is taken: a process that is killed in between was never allowed,
    # and the approval is gone. The line is removed only if the answer is certain to be a denial
    store.append(encode_json_line({"type": "spend", "requestId": approval_request.id, **_members_of_time(store)}))
    try:
        decision = decide_rate(grant, request, budgets.take(*budget_call))
    except CortexPolicyError:
        store.remove_last_line()
        raise
    if not decision:
        store.remove_last_line()
        return _with_approval(decision, approval)
    return _with_approval(decision, Approval(approval_request.id, USED, 0.0))


def _request_approval(
    store: ApprovalStore, grant: "Grant", origin: "Origin", request: "Request", call: str, refused: Decision
) -> tuple[Decision, bytes]:
    """Add a request for a call to the approvals file; return the denial and the line, b'' if nobody could answer."""
    if not store.timeout_seconds:
        return _with_approval(refused, None, "the setting `approvals.timeout_seconds` leaves no time to answer"), b""
    requests_of_grant = [
        one for one in store.requests if _grant_and_root_of(one) == (grant.id, escape_surrogates(origin.root))
    ]
    waiting = sum(
        find_request_status(one, store.clock, store.timeout_seconds).status == WAITING for one in requests_of_grant
    )
    if waiting >= MAX_WAITING:
        return _with_approval(refused, None, f"{waiting} calls of this grant already wait for a human"), b""
    request_id = _new_request_id(store)
    line = encode_json_line({
        "id": request_id,
        "type": "request",
        "runId": escape_surrogates(os.environ.get("CORTEX_RUN_ID", "")),
        "node": escape_surrogates(f"{grant.tool}:{request.action}"),
        "proposal": call_to_dict(grant, origin, request, read_working_directory_or_none()),
        "call": call,
        "timeout_seconds": store.timeout_seconds,
        "uid": os.geteuid(),
        "pid": os.getpid(),
        **_members_of_time(store),
    })  # fmt: skip
    if len(line) > MAX_LINE_BYTES:
        return _with_approval(refused, None, "its arguments are too long to be shown to a human"), b""
    store.append_and_prune(line, MAX_BYTES // 2)  # so that there is always room for an answer
    return _denial_with_request(refused, request_id, None, store.timeout_seconds), line


def _grant_and_root_of(approval_request: "ApprovalRequest") -> tuple[object, object]:
    shown = approval_request.members.get("proposal")
    return (shown.get("grant"), shown.get("root")) if isinstance(shown, dict) else (None, None)


def _new_request_id(store: ApprovalStore) -> str:
    taken = {approval_request.id for approval_request in store.requests}
    while (name := os.urandom(4).hex()) in taken:
        continue
    return name


def _members_of_time(store: ApprovalStore) -> dict[str, object]:
    return {"ts": format_timestamp(time_ns()), "boot": store.clock.boot, "at_ns": store.clock.now_ns}


def _denial_with_request(
    refused: Decision, request_id: str, current: "RequestStatus | None", seconds: float = 0.0, reason: str = ""
) -> Decision:
    status, left = (current.status, current.left_ns / _SECOND) if current is not None else (WAITING, seconds)
    what_happened = "waits for a human" if status == WAITING else "was denied by a human"
    why = f": {reason}" if reason and status == DENIED else ""
    return _with_approval(refused, Approval(request_id, status, left), f"request `{request_id}` {what_happened}{why}")


def _with_approval(decision: Decision, approval: Approval | None, detail: str = "") -> Decision:
    """Return a decision that also holds the state of the approval."""
    text = detail or decision.detail
    return Decision(decision.reason, text, decision.obligations, decision.budget, decision.paths, approval=approval)
