"""Shared budgets for the calls of agents: what several lines of one host deliver is asked of the server once."""

import os

from cortex_policy.core.model import Budget
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state import read_boot_id, unlock_and_close
from cortex_policy.state.calls_seen_by_several_hooks import CallDelivery, CountedCallDeliveries
from cortex_policy.state.ledger import open_and_lock_counted_call_deliveries, open_or_make_budget_directory
from cortex_policy.state.ledger_ring import SHARED_DELIVERIES, BudgetFileKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budgets_interface import Budgets


class DeduplicatedBudgets:
    """The budgets of a root for one delivery; an agent delivers a call on one host, so its table is there.

    INVARIANT: its table is not the one of the ledger, which locks that after a budget; here a fallback may lock a
    budget while the table is locked.
    """

    def __init__(
        self, budgets: "Budgets", delivery: CallDelivery, root_identity: tuple[int, int], state_dir: str
    ) -> None:
        """Take what counts, the delivery, and the root and state directory that the table belongs to."""
        self._budgets = budgets
        self.delivery: CallDelivery = delivery
        self._root_identity, self._state_dir = root_identity, state_dir

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take the hits unless another line has delivered this call; raise StateError if that cannot be known."""
        return self._count(tool, action, limit, cost, consume=True)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Return what `take` would; consume nothing."""
        return self._count(tool, action, limit, cost, consume=False)

    def _count(self, tool: str, action: str, limit: int, cost: int, *, consume: bool) -> Budget:
        try:
            boot = read_boot_id()
            descriptor = self._open_table(boot, makes=consume)
            try:
                now, key = rings.read_ticks_since_boot(), BudgetFileKey(boot, tool, action)
                table = CountedCallDeliveries(descriptor, key.identity, self.delivery, now)
                budget = self._ask(table, (tool, action, limit, cost), consume=consume)
                # INVARIANT: after the hit: a process that is killed in between has counted too often, never too seldom
                if consume and (budget.consumed or budget.repeat):
                    table.add()
            finally:
                if descriptor is not None:
                    unlock_and_close(descriptor)
        except OSError as error:
            from cortex_policy.state.ledger_directory import make_state_error_of_os_error  # noqa: PLC0415 - only a failure needs it

            raise make_state_error_of_os_error(error, self._state_dir) from None
        return budget

    def _open_table(self, boot: bytes, *, makes: bool) -> int | None:
        directory = open_or_make_budget_directory(self._root_identity, boot, self._state_dir)
        try:
            return open_and_lock_counted_call_deliveries(directory, SHARED_DELIVERIES, makes=makes)
        finally:
            os.close(directory)

    def _ask(self, table: CountedCallDeliveries, call: tuple[str, str, int, int], *, consume: bool) -> Budget:
        if table.is_repeat:
            budget = self._budgets.peek(*call)
            if not budget.closed:
                return Budget(budget.limit, budget.used, budget.remaining, 0.0, 0, repeat=True, local=budget.local)
        return self._budgets.take(*call) if consume else self._budgets.peek(*call)
