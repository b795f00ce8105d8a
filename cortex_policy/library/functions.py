"""What a program calls without a store: load a grant, and enforce it."""

from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.model import denial
from cortex_policy.core.plain_objects import exact_grant
from cortex_policy.core.plain_values import exact_arguments, exact_count, exact_path, exact_text
from cortex_policy.state import shortage
from cortex_policy.state.emergency_stop import refuse_since
from cortex_policy.state.enforcement import Trail, believed, refuse_stop_of_host, settings_of
from cortex_policy.state.grants import check_id, find_root, read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.core.model import Decision, Grant
    from cortex_policy.state.ledger import Ledger
    from cortex_policy.state.memory_budgets import MemoryBudgets


def load_grant(grant_id: str, root: "str | os.PathLike[str] | None" = None) -> "Grant":
    """Load a grant by its id from the root; raise GrantError where it cannot be found, believed or read.

    It decides nothing, so that it may be loaded while a stop stands: `enforce` looks for that.
    """
    grant_id = exact_text(grant_id, "an id")
    check_id(grant_id)
    named = None if root is None else exact_path(root)
    try:
        found = find_root(named)
        grant = read_grant(found, grant_id)
        believed(grant, settings_of(found.path))
    except OSError as error:
        raise shortage(error) or error from None
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
    budgets: "Ledger | MemoryBudgets | None" = None,
    sinks: "Iterable[Sink]" = (),
) -> "Decision":
    """Decide a call and consume its budget; raise AccessDenied on a no, StateError where none can be given.

    ApprovalRequired is the no until a human has approved this very call; it names the request.

    An emergency stop that stands by now denies, whenever the grant was loaded. Path-like objects and bytes in the
    arguments count as the strings they stand for. Budgets are counted across processes in the ledger of the grant's
    root; with a `MemoryBudgets`, in this process alone. Each sink gets the event of the answer, after the audit log.
    """
    grant, action, cost = exact_grant(grant), exact_text(action, "an action"), exact_count(cost, "cost")
    given = exact_arguments(args)
    with Trail(grant.id, action, given, cost, peek=False, sinks=sinks) as trail:
        trail.grant = grant
        refuse_stop_of_host()
        settings = DEFAULTS
        if grant.origin is not None:
            refuse_since(grant.origin)
            settings = believed(grant, settings_of(grant.origin.root))
        decision = trail.ask(grant, given, settings, budgets)
    if not decision:
        raise denial(decision)
    return decision
