"""One grant, looked at from all sides."""

from cortex_policy.core.model import GRANT_NOT_FOUND, Budget, GrantError, StateError, Value
from cortex_policy.manage.listing import Row, rows
from cortex_policy.state.grants import Root, check_id, read_grant
from cortex_policy.state.ledger import Ledger


class Inspection(Value):
    """A grant's row, what is left of each action's budget, and why that is unknown where it is."""

    row: Row
    budgets: "dict[str, Budget]"
    state_problem: str


def inspect(root: Root, grant_id: str) -> Inspection:
    """Look at one grant; raise GrantError (grant_not_found) where there is none."""
    check_id(grant_id)
    row = next((row for row in rows(root) if row.id == grant_id), None)
    if row is None:
        read_grant(root, grant_id)  # raises, and knows what ids there are
        raise GrantError(GRANT_NOT_FOUND)
    grant = row.grant
    if grant is None or grant.origin is None:
        return Inspection(row, {}, "")
    ledger = Ledger(grant.origin.root_identity)
    try:
        budgets = {action: ledger.peek(grant.tool, action, grant.rate.per_minute) for action in grant.actions}
    except StateError as error:
        return Inspection(row, {}, str(error))
    return Inspection(row, budgets, "")
