"""The errors of a denied call, which only programs get: the command line prints the decision itself."""

from cortex_policy.core import shorten_message
from cortex_policy.core.model import CortexPolicyError, Decision, Grant

TYPE_CHECKING = False


class _LazyHint:
    """The hint of a denial. It is made when it is asked for: most programs only count denials."""

    def __get__(self, error: "AccessDenied | None", kind: type) -> object:
        if error is None:
            return self
        error.hint = _make_hint(error)
        return error.hint


class AccessDenied(CortexPolicyError):
    """A call was denied: exit 10-15; carries the decision, and the grant and the action if they are known."""

    decision: Decision
    grant: Grant | None = None
    action: str = ""
    if not TYPE_CHECKING:
        hint = _LazyHint()

    def __init__(self, decision: Decision, grant: Grant | None = None, action: str = "") -> None:
        """Take the reason and the detail of the decision; of what the call asked, what is known."""
        super().__init__(decision.reason, decision.detail)
        self.decision, self.grant, self.action = decision, grant, action
        del self.hint  # until it is asked for

    def __str__(self) -> str:
        return f"{self.grant.id} {self.action}: {self.message}" if self.grant is not None else super().__str__()


class ApprovalRequired(AccessDenied):
    """A call was denied until a human has approved it: exit 13."""

    @property
    def request_id(self) -> str | None:
        """What `cortex-policy approve` takes; None if no human could be asked."""
        return self.decision.approval.id if self.decision.approval is not None else None


def _make_hint(error: AccessDenied) -> str:
    from cortex_policy.core.denial_hint import make_denial_hint  # noqa: PLC0415 - see `_LazyHint`

    if error.grant is None:
        return ""
    root = error.grant.origin.root if error.grant.origin is not None else None
    return shorten_message(make_denial_hint(error.grant, error.action, error.decision, root))
