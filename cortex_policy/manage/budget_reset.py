"""One grant, looked at from all sides."""

from cortex_policy.core.model import Value
from cortex_policy.manage.budgets import Standing, ledger_of, of_row
from cortex_policy.manage.listing import Row, row_of
from cortex_policy.state import Root


class Inspection(Value):
    """A grant's row, and how each of its actions stands."""

    row: Row
    standings: tuple[Standing, ...]


def inspect(root: Root, grant_id: str) -> Inspection:
    """Look at one grant; raise GrantError (grant_not_found) where there is none."""
    row = row_of(root, grant_id)
    return Inspection(row, of_row(ledger_of(root), row) if row.grant is not None else ())
