"""Which budgets count the calls of a host that shares them with others (docs/settings.md)."""

from cortex_policy.core.model import STATE_UNAVAILABLE, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budgets import Budgets
    from cortex_policy.core.model import Settings
    from cortex_policy.state.deliveries import Delivery


def open_shared_budgets(
    root_identity: tuple[int, int], settings: "Settings", delivery: "Delivery | None" = None
) -> "Budgets":
    """Return the budgets that the server of the settings counts; raise StateError if it cannot be asked."""
    del root_identity, settings, delivery
    message = "this version cannot count on the server that `budgets.url` names"
    raise StateError(STATE_UNAVAILABLE, message, "remove it with `cortex-policy config unset budgets.url`")
