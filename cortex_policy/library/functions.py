"""What a program calls without a store: load a grant, and enforce it."""

from cortex_policy.core.access_denied import AccessDenied, ApprovalRequired
from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.input_objects import rebuild_grant
from cortex_policy.core.input_values import (
    convert_path_value_to_text,
    rebuild_arguments,
    require_positive_int,
    require_text,
)
from cortex_policy.core.model import APPROVAL_REQUIRED, HUMAN_APPROVAL, GrantError
from cortex_policy.state import find_resource_shortage_error_or_none
from cortex_policy.state.emergency_stop import raise_if_root_of_grant_is_stopped
from cortex_policy.state.enforcement import (
    AuditedCall,
    add_grant_and_root_to_error,
    check_host_stop,
    check_stamp_if_required,
    load_effective_settings,
)
from cortex_policy.state.grants import check_grant_id, find_named_or_only_root, read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.core.model import Decision, Grant


def load_grant(grant_id: str, root: "str | os.PathLike[str] | None" = None) -> "Grant":
    """Load a grant by its id from the root; raise GrantError if it cannot be found, trusted or read.

    It can be loaded during an emergency stop: `enforce` checks that.
    """
    grant_id = require_text(grant_id, "an id")
    check_grant_id(grant_id)
    path = None if root is None else convert_path_value_to_text(root)
    policy_root = None
    try:
        policy_root = find_named_or_only_root(path)
        grant = read_grant(policy_root, grant_id)
        check_stamp_if_required(grant, load_effective_settings(policy_root.path))
    except GrantError as error:
        add_grant_and_root_to_error(error, grant_id, policy_root.path if policy_root is not None else None)
        raise
    except OSError as error:
        raise find_resource_shortage_error_or_none(error) or error from None
    return grant


async def load_grant_async(grant_id: str, root: "str | os.PathLike[str] | None" = None) -> "Grant":
    """Load a grant as `load_grant` does, in a thread: a slow disk does not stop the event loop."""
    from asyncio import to_thread  # noqa: PLC0415 - a program without an event loop would pay for it

    return await to_thread(load_grant, grant_id, root)


def enforce(
    grant: "Grant",
    action: str,
    args: "Mapping[str, object] | None" = None,
    *,
    cost: int = 1,
    budgets: "Budgets | None" = None,
    sinks: "Iterable[Sink]" = (),
) -> "Decision":
    """Decide a call and consume its budget; raise AccessDenied if it is denied, StateError if there is no decision.

    Until a human has approved this very call, the denial is ApprovalRequired, which names the request.

    An emergency stop denies the call, even if it was set after the grant was loaded. Path-like objects and bytes in the
    arguments count as strings. Budgets are shared by all processes that use the grant's root; a `MemoryBudgets` counts
    in this process alone. Each sink gets the event of the decision, after the audit log.
    """
    grant, action, cost = rebuild_grant(grant), require_text(action, "an action"), require_positive_int(cost, "cost")
    plain = rebuild_arguments(args)
    with AuditedCall(grant.id, action, plain, cost, peek=False, sinks=sinks) as audited:
        audited.grant = grant
        check_host_stop()
        settings = DEFAULTS
        if grant.origin is not None:
            raise_if_root_of_grant_is_stopped(grant.origin)
            settings = load_effective_settings(grant.origin.root)
            check_stamp_if_required(grant, settings)
        decision = audited.decide_and_log(grant, plain, settings, budgets)
    if not decision:
        raise make_denial_error(decision, grant, action)
    return decision


def make_denial_error(decision: "Decision", grant: "Grant", action: str) -> AccessDenied:
    """Return the error for a decision that denies."""
    is_asked = decision.reason is APPROVAL_REQUIRED and HUMAN_APPROVAL in decision.obligations
    return (ApprovalRequired if is_asked else AccessDenied)(decision, grant, action)
