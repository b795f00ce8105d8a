"""Which budgets count the calls of a host that shares them with others (docs/shared-budgets.md)."""

import os

from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.core.model import STATE_UNAVAILABLE, StateError
from cortex_policy.state import find_named_or_default_state_directory, sha256
from cortex_policy.state.shared_budgets.keys import read_private_file, require_strong_secret
from cortex_policy.state.shared_budgets.one_shot_budgets import OneShotBudgets

PASSWORD = "CORTEX_POLICY_BUDGETS_PASSWORD"  # noqa: S105 - the name of the variable

_NO_DEVICE = -1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.core.model import Settings
    from cortex_policy.state.calls_seen_by_several_hooks import CallDelivery
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets


def make_one_call_budgets_with_fallback(
    root_identity: tuple[int, int], settings: "Settings", delivery: "CallDelivery | None" = None
) -> "Budgets":
    """Return the budgets of a call, for a process that ends soon; raise StateError if a secret cannot be read."""
    budgets = add_local_fallback_if_set(make_server_budgets_for_one_call(settings), settings)
    if delivery is None:
        return budgets
    from cortex_policy.state.deduplicated_budgets import DeduplicatedBudgets  # noqa: PLC0415 - only the hooks of agents need it

    return DeduplicatedBudgets(budgets, delivery, root_identity, settings.state_dir or "")


def make_server_budgets_for_one_call(settings: "Settings") -> OneShotBudgets:
    """Return the budgets on the server alone; raise StateError if a secret cannot be read."""
    return OneShotBudgets(
        parse_budget_server(settings.budgets_url or ""),
        settings.budgets_name or "",
        read_budgets_key(settings),
        password=read_budgets_password_or_empty(settings),
        state_dir=find_named_or_default_state_directory(settings.state_dir),
        timeout_ms=settings.budgets_timeout_ms,
        wait_replicas=settings.budgets_wait_replicas,
    )


def make_server_budgets_for_many_calls(settings: "Settings") -> "RedisBudgets":
    """Return the budgets on the server for a process that asks often; raise StateError if a secret cannot be read."""
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets  # noqa: PLC0415 - a check does not need it

    return RedisBudgets(
        parse_budget_server(settings.budgets_url or ""),
        settings.budgets_name or "",
        read_budgets_key(settings),
        password=read_budgets_password_or_empty(settings),
        state_dir=settings.state_dir,
        timeout_ms=settings.budgets_timeout_ms,
        wait_replicas=settings.budgets_wait_replicas,
    )


def add_local_fallback_if_set(shared: "Budgets", settings: "Settings") -> "Budgets":
    """Return budgets that this host counts by itself while the server does not answer, if the settings say so."""
    if settings.budgets_on_error != "local":
        return shared
    from cortex_policy.state.ledger import Ledger  # noqa: PLC0415 - few hosts count by themselves
    from cortex_policy.state.local_fallback import BudgetsWithLocalFallback  # noqa: PLC0415 - as above

    ledger = Ledger(make_root_identity_of_local_share(settings.budgets_name or ""), settings.state_dir or "")
    return BudgetsWithLocalFallback(shared, ledger, settings.budgets_local_share)


def make_root_identity_of_local_share(name: str) -> tuple[int, int]:
    """Return what stands for the (device, inode) of a root where a host counts shared budgets by itself.

    INVARIANT: all roots have one share, as they have one budget on the server; else each new root would have another.
    """
    return _NO_DEVICE, int.from_bytes(sha256(name.encode()).digest()[:8], "big")


def read_budgets_key(settings: "Settings") -> bytes:
    """Return the key that hides tools and actions from the server; raise StateError if it is not a secret."""
    return require_strong_secret(read_private_file(settings.budgets_key_file or "", "`budgets.key_file`"))


def read_budgets_password_or_empty(settings: "Settings") -> str:
    """Return the password of the server, '' for none; raise StateError if its file cannot be read."""
    if settings.budgets_password_file is None:
        return os.environ.get(PASSWORD, "")
    try:
        return read_private_file(settings.budgets_password_file, "`budgets.password_file`").decode()
    except UnicodeDecodeError:
        message = f"`budgets.password_file`: `{settings.budgets_password_file}` is not UTF-8"
        raise StateError(STATE_UNAVAILABLE, message) from None
