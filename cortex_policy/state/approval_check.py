"""A call for sensitive data where a human is asked: what was said of this very call, and its one use."""

import os
from time import time_ns

from cortex_policy.core.approvals import (
    MAX_LINE_BYTES,
    call_fingerprint_text,
    json_safe,
    request_members,
    request_status,
    to_line,
)
from cortex_policy.core.audit_event import timestamp
from cortex_policy.core.engine import decide_rate
from cortex_policy.core.model import APPROVED, DENIED, USED, WAITING, Approval, CortexPolicyError, Decision
from cortex_policy.state import sha256
from cortex_policy.state.approval_store import LARGEST, Docket
from cortex_policy.state.paths import working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.approvals import ApprovalRequest, RequestStatus
    from cortex_policy.core.model import Grant, Origin, Request, Settings
    from cortex_policy.state.ledger import Ledger
    from cortex_policy.state.memory_budgets import MemoryBudgets

MOST_WAITING = 16  # calls of a grant
_SECOND = 1e9


def answered(
    grant: "Grant",
    origin: "Origin",
    request: "Request",
    settings: "Settings",
    budgets: "Ledger | MemoryBudgets",
    refused: Decision,
    *,
    peek: bool,
) -> Decision:
    """Decide a call that was refused until a human has approved it.

    One that nobody was asked about is put on the docket, and one that was approved uses that up, unless it only peeks.
    Raises StateError where the docket or the ledger cannot be used.
    """
    text = call_fingerprint_text(grant, origin, request, working_directory(), os.geteuid())
    call = str(sha256(text.encode("ascii")).hexdigest())
    with Docket(settings, makes=not peek) as docket:
        found = _found(docket, call)
        if found is None:
            return refused if peek else _asked(docket, grant, origin, request, call, refused)
        matter, how = found
        if how.status != APPROVED:
            return _denied(refused, matter.id, how)
        return _used(docket, grant, request, budgets, matter, how, peek=peek)


def _found(docket: Docket, call: str) -> "tuple[ApprovalRequest, RequestStatus] | None":
    """Return what was said of a call and still counts: a no before a yes, and both before a wait."""
    live: dict[str, tuple[ApprovalRequest, RequestStatus]] = {}
    for matter in docket.matters:
        if matter.call == call:
            how = request_status(matter, docket.clock, docket.timeout_seconds)
            if how.is_live:
                live[how.status] = matter, how
    return live.get(DENIED) or live.get(APPROVED) or live.get(WAITING)


def _used(
    docket: Docket,
    grant: "Grant",
    request: "Request",
    budgets: "Ledger | MemoryBudgets",
    matter: "ApprovalRequest",
    how: "RequestStatus",
    *,
    peek: bool,
) -> Decision:
    """Decide an approved call by its rate, and use the approval up where that is a yes."""
    asked = (grant.tool, request.action, grant.rate.per_minute, request.cost)
    decision = decide_rate(grant, request, budgets.peek(*asked))
    approval = Approval(matter.id, how.status, how.left_ns / _SECOND)
    if peek or not decision:
        return _with(decision, approval)
    # INVARIANT: the line stands before the hit is taken, so that one who dies in between was never allowed, and the
    # approval is gone. It is taken back only where the answer is certain to be a no
    docket.append(to_line({"type": "spend", "requestId": matter.id, **_now(docket)}))
    try:
        decision = decide_rate(grant, request, budgets.take(*asked))
    except CortexPolicyError:
        docket.take_back()
        raise
    if not decision:
        docket.take_back()
        return _with(decision, approval)
    return _with(decision, Approval(matter.id, USED, 0.0))


def _asked(
    docket: Docket, grant: "Grant", origin: "Origin", request: "Request", call: str, refused: Decision
) -> Decision:
    """Put a call on the docket, unless nobody could look at it."""
    if not docket.timeout_seconds:
        return _with(refused, None, "the setting `approvals.timeout_seconds` leaves nobody time to")
    of_grant = [one for one in docket.matters if _whose(one) == (grant.id, json_safe(origin.root))]
    waiting = sum(request_status(one, docket.clock, docket.timeout_seconds).status == WAITING for one in of_grant)
    if waiting >= MOST_WAITING:
        return _with(refused, None, f"{waiting} calls of this grant already wait for a human")
    request_id = _fresh(docket)
    line = to_line({
        "id": request_id,
        "type": "request",
        "runId": json_safe(os.environ.get("CORTEX_RUN_ID", "")),
        "node": json_safe(f"{grant.tool}:{request.action}"),
        "proposal": request_members(grant, origin, request, working_directory()),
        "call": call,
        "timeout_seconds": docket.timeout_seconds,
        "uid": os.geteuid(),
        "pid": os.getpid(),
        **_now(docket),
    })  # fmt: skip
    if len(line) > MAX_LINE_BYTES:
        return _with(refused, None, "its arguments are too long to be shown to a human")
    docket.add(line, LARGEST // 2)  # so that there is always room for an answer
    return _denied(refused, request_id, None, docket.timeout_seconds)


def _whose(matter: "ApprovalRequest") -> tuple[object, object]:
    shown = matter.members.get("proposal")
    return (shown.get("grant"), shown.get("root")) if isinstance(shown, dict) else (None, None)


def _fresh(docket: Docket) -> str:
    taken = {matter.id for matter in docket.matters}
    while (name := os.urandom(4).hex()) in taken:
        continue
    return name


def _now(docket: Docket) -> dict[str, object]:
    return {"ts": timestamp(time_ns()), "boot": docket.clock.boot, "at_ns": docket.clock.now_ns}


def _denied(refused: Decision, request_id: str, how: "RequestStatus | None", seconds: float = 0.0) -> Decision:
    status, left = (how.status, how.left_ns / _SECOND) if how is not None else (WAITING, seconds)
    said = "waits for a human" if status == WAITING else "was denied by a human"
    return _with(refused, Approval(request_id, status, left), f"request `{request_id}` {said}")


def _with(decision: Decision, approval: Approval | None, detail: str = "") -> Decision:
    """Return a decision that also says how the call stands with the human."""
    said = detail or decision.detail
    return Decision(decision.reason, said, decision.obligations, decision.budget, decision.paths, approval=approval)
