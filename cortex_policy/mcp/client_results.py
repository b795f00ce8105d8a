"""What a client of a guarded server gets in place of the result of a tool (docs/mcp.md)."""

from mcp_types import ClientCapabilities, ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from cortex_policy.mcp.approval_round_trips import ANSWER_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.mcp.approval_round_trips import UserQuestion
    from cortex_policy.mcp.guard import ToolDecision

STATE_MEMBERS = frozenset(("requestState", "inputResponses"))  # of a call that continues another
DECISION_KEY = "cortex-policy/decision"


def can_ask_user(protocol_version: str, capabilities: ClientCapabilities | None) -> bool:
    """Whether a client can show its user a form, and call the tool again with the answer."""
    elicitation = capabilities.elicitation if capabilities is not None else None
    is_form = elicitation is not None and (elicitation.form is not None or elicitation.url is None)
    return is_form and protocol_version in MODERN_PROTOCOL_VERSIONS


def make_question_result(question: "UserQuestion") -> InputRequiredResult:
    """Return the result that asks the user."""
    form = ElicitRequestFormParams(message=question.message, requested_schema=question.schema)
    return InputRequiredResult(input_requests={ANSWER_KEY: ElicitRequest(params=form)}, request_state=question.state)


def make_denial_structured_content_and_meta(
    decision: "ToolDecision", *, has_schema: bool
) -> "tuple[dict[str, Any] | None, dict[str, Any] | None]":
    """Return the structured content and the `_meta` of a denial: one of them has the members.

    What a tool with an `outputSchema` returns as structured content must conform to it, and no revision exempts errors:
    the client of the SDK for TypeScript would show an error of its own in place of the denial.
    """
    return (None, {DECISION_KEY: decision.members}) if has_schema else (decision.members, None)
