"""The interface of budgets: a ledger in files, memory of one process, or a server that many hosts share."""

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Budget


class Budgets(Protocol):
    """Counts the hits of `tool:action` in a sliding minute."""

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> "Budget":
        """Take `cost` hits if they fit into `limit` a minute; raise StateError if that cannot be known."""

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> "Budget":
        """Return what `take` would; consume nothing."""
