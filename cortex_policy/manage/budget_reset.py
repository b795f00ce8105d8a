"""One grant, looked at from all sides."""

from cortex_policy.core.model import Value
from cortex_policy.manage.budgets import BudgetStatus, budgets_of_row, ledger_of
from cortex_policy.manage.listing import GrantRow, grant_row
from cortex_policy.state import Root


class GrantBudgets(Value):
    """A grant's row, and how each of its actions stands."""

    row: GrantRow
    budgets: tuple[BudgetStatus, ...]


def grant_budgets(root: Root, grant_id: str) -> GrantBudgets:
    """Look at one grant; raise GrantError (grant_not_found) where there is none."""
    row = grant_row(root, grant_id)
    return GrantBudgets(row, budgets_of_row(ledger_of(root), row) if row.grant is not None else ())
