"""Shared budgets that a host counts by itself while the server does not answer: `budgets.on_error = "local"`."""

from cortex_policy.core.model import Budget, BudgetServerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.state.ledger import Ledger

_PARTS = 1_000_000  # a share is as exact as that


class BudgetsWithLocalFallback:
    """Asks the server, and if that cannot answer, the ledger of this host, for a share of the limit.

    In a window hosts may admit together, besides what the server admits, at most this share of the limit each.
    """

    def __init__(self, shared: "Budgets", ledger: "Ledger", share: float) -> None:
        """Take the budgets on the server, those of this host, and the share, from 0 to 1."""
        self._shared, self._ledger, self._share = shared, ledger, share

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take the hits; raise StateError if that cannot be known, or if they never fit into the share."""
        try:
            return self._shared.take(tool, action, limit, cost)
        except BudgetServerError as error:
            return self.take_locally(error, tool, action, limit, cost)

    def take_locally(self, error: BudgetServerError, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take the hits on this host after an error of the server, which is raised if they never fit into the share."""
        return _as_local(self._ledger.take(tool, action, self._limit_here(limit, cost, error), cost))

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Return what `take` would; consume nothing."""
        try:
            return self._shared.peek(tool, action, limit, cost)
        except BudgetServerError as error:
            return _as_local(self._ledger.peek(tool, action, self._limit_here(limit, cost, error), cost))

    def _limit_here(self, limit: int, cost: int, error: BudgetServerError) -> int:
        limit_here = compute_share_of_limit(limit, self._share)
        if limit_here < cost:
            raise error
        return limit_here


def compute_share_of_limit(limit: int, share: float) -> int:
    """Return how many hits a minute a host may count by itself, rounded down: 0 denies every call."""
    return limit * round(share * _PARTS) // _PARTS


def _as_local(budget: Budget) -> Budget:
    return Budget(**{**vars(budget), "local": True})
