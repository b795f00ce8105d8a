"""Calls that wait for a human, and that a client may call again once it has asked its user (docs/mcp.md).

What a client holds of such a call is a random name; all that belongs to it stays here. So there is nothing to forge,
and the name counts once, for the same call, and no longer than the request for the approval.
"""

import os
from threading import Lock
from time import monotonic

from cortex_policy.core import Value
from cortex_policy.core.hooks import InputError
from cortex_policy.core.json_text import format_canonical_json
from cortex_policy.core.model import APPROVAL_REQUIRED, WAITING
from cortex_policy.core.text import escape_unprintable
from cortex_policy.mcp.guard import ToolDecision, make_failure_decision
from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.mcp.guard import ToolGuard

_STATE_PREFIX = "cortex-policy:"  # of a `requestState` of ours
ANSWER_KEY = "cortex-policy-approval"  # of what the client's user is asked
SETTING = "approvals.elicitation"
_NAME_BYTES, _PREFIX_BYTES = 32, 8
_MAX_OPEN = 1024
_MAX_MESSAGE = 4000  # characters of a question
_CONSENT: dict[str, object] = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Approve this call", "default": False}},
    "required": ["approve"],
}
_NOTICE: dict[str, object] = {"type": "object", "properties": {}}


class UserQuestion(Value):
    """What the user of a client is asked before it calls the tool again with this `state`."""

    message: str
    schema: "dict[str, object]"
    state: str


class _OpenRoundTrip(Value):
    tool: str
    arguments: str
    request_id: str
    deadline: float
    asks_consent: bool


class ApprovalRoundTrips:
    """The open round trips of a guard; for any thread, and for many at once."""

    def __init__(self, guard: "ToolGuard") -> None:
        """Start without any."""
        self._guard, self._lock = guard, Lock()
        self._open: dict[str, _OpenRoundTrip] = {}
        # INVARIANT: of this guard alone, since the guard of a mounted server may ask too
        self._prefix = f"{_STATE_PREFIX}{os.urandom(_PREFIX_BYTES).hex()}:"

    def is_own_state(self, state: object) -> bool:
        """Whether a `requestState` is of this guard, and not of the tool or of another guard."""
        return isinstance(state, str) and state.startswith(self._prefix)

    def decide(
        self,
        tool: str,
        arguments: "Mapping[str, object]",
        state: object,
        answers: object,
        *,
        can_ask: bool,
        texts: TextArguments = UNKNOWN_TEXTS,
    ) -> "ToolDecision | UserQuestion":
        """Decide the call of a tool; one that waits for a human is a question, if the client `can_ask` its user.

        `state` and `answers` are the `requestState` and `inputResponses` of the call, `texts` as for the guard.
        An answer is not an approval, unless the setting `approvals.elicitation` says so: the call is decided again.
        """
        try:
            if self.is_own_state(state):
                self._end(tool, arguments, str(state), answers)
                return self._guard.decide(tool, arguments, texts)
            decision = self._guard.decide(tool, arguments, texts)
            return (self._begin(tool, decision) if can_ask else None) or decision
        except InputError as error:
            return self._guard.deny(tool, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the tool must not run
            return make_failure_decision(error)

    def _begin(self, tool: str, decision: ToolDecision) -> UserQuestion | None:
        approval = decision.members["approval"]
        if decision.allowed or decision.members["reason"] != APPROVAL_REQUIRED or not isinstance(approval, dict):
            return None
        if approval["status"] != WAITING:
            return None
        request_id, name = approval["id"], f"{self._guard.server}/{tool}"
        what = f"`{escape_unprintable(name)}` must be approved by a human first: request `{request_id}`."
        consent = escape_unprintable(f"{what} {_call_text(request_id)}") if _is_consent_enough() else ""
        # INVARIANT: whoever approves a call has seen all of it except what its rule ignores
        asks = 0 < len(consent) <= _MAX_MESSAGE
        deadline = monotonic() + approval["expires_in_seconds"]
        state = self._store(_OpenRoundTrip(tool, _fingerprint(decision.arguments), request_id, deadline, asks))
        if state is None:
            return None
        return UserQuestion(
            consent if asks else f"{what} Continue once it is approved.", _CONSENT if asks else _NOTICE, state
        )

    def _store(self, trip: _OpenRoundTrip) -> str | None:
        """Keep a trip; return its state, None if too many are open."""
        state, now = self._prefix + os.urandom(_NAME_BYTES).hex(), monotonic()
        with self._lock:
            for name in [name for name, one in self._open.items() if one.deadline <= now]:
                del self._open[name]
            if len(self._open) >= _MAX_OPEN:
                return None
            self._open[state] = trip
        return state

    def _end(self, tool: str, arguments: "Mapping[str, object]", state: str, answers: object) -> None:
        """End a trip; raise InputError if the call does not continue it, or the user did not agree."""
        with self._lock:
            trip = self._open.pop(state, None)  # INVARIANT: whatever comes of it, it counts once
        if trip is None or trip.deadline <= monotonic():
            raise InputError("its `requestState` is unknown, too old, or was used before; call the tool without one")
        if (trip.tool, trip.arguments) != (tool, _fingerprint(arguments)):
            raise InputError("its `requestState` belongs to another call")
        answer = answers.get(ANSWER_KEY) if isinstance(answers, dict) else None
        if not isinstance(answer, dict) or answer.get("action") != "accept":
            raise InputError("the user of the client did not agree", is_final=True)
        if trip.asks_consent and _is_consent_enough():
            content = answer.get("content")
            if not isinstance(content, dict) or content.get("approve") is not True:
                raise InputError("the user of the client did not approve it", is_final=True)
            _approve(trip.request_id)


def _is_consent_enough() -> bool:
    """Whether an answer of a client counts as that of a human; raise GrantError for settings that are not valid."""
    from cortex_policy.state.settings import read_setting  # noqa: PLC0415 - few calls wait for a human

    return read_setting(SETTING) is True


def _approve(request_id: str) -> None:
    from cortex_policy.core.not_done_error import NotDoneError  # noqa: PLC0415 - only for such an answer
    from cortex_policy.manage.approvals import approve_or_deny_request  # noqa: PLC0415 - as above

    try:
        approve_or_deny_request(request_id, approved=True, reason="by the user of an MCP client")
    except NotDoneError as error:  # a human has denied it meanwhile, or it has expired
        raise InputError(f"request `{request_id}` can no longer be approved", is_final=True) from error


def _call_text(request_id: str) -> str:
    """Return what a human should know of a call before it is approved."""
    from cortex_policy.manage.approvals import read_approval_request  # noqa: PLC0415 - only for such a question

    details = read_approval_request(request_id)
    return f"Grant `{details.grant}`, action `{details.action}`, arguments {details.args}"


def _fingerprint(arguments: "Mapping[str, object]") -> str:
    return format_canonical_json(dict(arguments))
