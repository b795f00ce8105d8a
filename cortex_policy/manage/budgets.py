"""Show what is left of the budgets of a root, and reset them."""

import os

from cortex_policy.core import Value
from cortex_policy.core.model import (
    ROOT_NOT_FOUND,
    SETTINGS_INVALID,
    STATE_UNAVAILABLE,
    Budget,
    Grant,
    GrantError,
    StateError,
    UsageError,
)
from cortex_policy.core.text import join_words_that_fit, os_error_text
from cortex_policy.manage.budget_owner import BudgetOwner, current_owner
from cortex_policy.manage.listing import GrantRow, grant_row, grant_rows
from cortex_policy.state import Root, boot_id
from cortex_policy.state.grants import check_grant_id, read_grant
from cortex_policy.state.ledger import Ledger, open_or_make_budget_directory
from cortex_policy.state.ledger_directory import unusable_state_error
from cortex_policy.state.ledger_maintenance import remove_all_budgets, remove_budget
from cortex_policy.state.ledger_ring import BudgetFileKey
from cortex_policy.state.settings import find_state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


MOST_ACTIONS = 1000  # of one grant: each budget is a file


class BudgetStatus(Value):
    """The budget of one action; if it cannot be read it is None, and `problem` says why."""

    id: str
    tool: str
    action: str
    budget: Budget | None
    problem: str
    hint: str = ""


class GrantWithBudgets(Value):
    """The row of a grant, and the budget of each of its actions; the owner is None if settings hide where it counts."""

    row: GrantRow
    budgets: tuple[BudgetStatus, ...]
    owner: BudgetOwner | None


def list_budgets(root: Root, grant_id: str | None = None) -> tuple[BudgetStatus, ...]:
    """Return the budget of each action, of one grant or of all; a grant that cannot be read has an item too."""
    ledger = ledger_of(root)
    rows = grant_rows(root) if grant_id is None else (grant_row(root, grant_id),)
    return tuple(status for row in rows for status in action_budgets(ledger, row))


def grant_with_budgets(root: Root, grant_id: str) -> GrantWithBudgets:
    """Return one grant with its budgets; raise GrantError (grant_not_found) if it does not exist."""
    row, owner = grant_row(root, grant_id), None
    try:
        owner = current_owner()
        statuses = action_budgets(ledger_of(root), row)
    except (GrantError, StateError) as error:
        if error.reason not in (SETTINGS_INVALID, STATE_UNAVAILABLE):
            raise
        actions = row.grant.actions[:MOST_ACTIONS] if row.grant is not None else ()
        statuses = tuple(BudgetStatus(row.id, "", action, None, error.detail, error.hint) for action in actions)
    return GrantWithBudgets(row, statuses if row.grant is not None else (), owner)


def action_budgets(ledger: Ledger, row: GrantRow) -> tuple[BudgetStatus, ...]:
    """Return the budget of each action of a grant; each also names what is wrong with the grant."""
    grant = row.grant
    if grant is None:
        return (BudgetStatus(row.id, "", "", None, row.problem, row.hint),)
    statuses = [_budget_status(ledger, row, grant, action) for action in grant.actions[:MOST_ACTIONS]]
    if more := len(grant.actions) - len(statuses):
        statuses.append(BudgetStatus(row.id, grant.tool, "", None, f"{more:,} more actions were not looked at"))
    return tuple(statuses)


def _budget_status(ledger: Ledger, row: GrantRow, grant: Grant, action: str) -> BudgetStatus:
    try:
        budget = ledger.peek(grant.tool, action, grant.rate.per_minute)
    except StateError as error:
        return BudgetStatus(row.id, grant.tool, action, None, error.detail, error.hint)
    problem = (budget.closed_because or "closed after damage") if budget.closed else row.problem
    return BudgetStatus(row.id, grant.tool, action, budget, problem, row.hint)


def selected_actions(root: Root, grant_id: str, action: str | None = None) -> tuple[str, ...]:
    """Return all actions of a grant, or the named one; raise UsageError if the grant does not have it."""
    check_grant_id(grant_id)
    actions = read_grant(root, grant_id).actions
    if action is None:
        return actions
    if action not in actions:
        message = f"`{action}` is not an action of `{grant_id}`"
        raise UsageError(message, f"its actions: {join_words_that_fit(actions)}")
    return (action,)


def reset_budgets(root: Root, grant_id: str, action: str | None = None) -> tuple[str, ...]:
    """Forget the calls of one action of a grant, or of all; return the actions that had any."""
    actions, tool, boot = selected_actions(root, grant_id, action), read_grant(root, grant_id).tool, boot_id()

    def forget(directory: int) -> tuple[str, ...]:
        return tuple(word for word in actions if remove_budget(directory, BudgetFileKey(boot, tool, word).name))

    return _in_state(root, forget)


def remove_all_rate_state(root: Root) -> int:
    """Remove all rate state of a root, whatever files are there; return their number."""
    return _in_state(root, remove_all_budgets)


def ledger_of(root: Root) -> Ledger:
    """Return the ledger that counts the budgets of a root; raise GrantError if the root is gone."""
    try:
        status = os.stat(root.path)
    except OSError as error:
        detail = f"`{root.path}`: {os_error_text(error)}"
        raise GrantError(ROOT_NOT_FOUND, detail) from None
    return Ledger((status.st_dev, status.st_ino), find_state_directory())


def _in_state(root: Root, function: "Callable[[int], T]") -> "T":
    """Call a function with the directory of a root's state; raise StateError if the disk fails."""
    ledger = ledger_of(root)
    try:
        directory = open_or_make_budget_directory(ledger.root_identity, boot_id(), ledger.state_dir)
        try:
            return function(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise unusable_state_error(error, ledger.state_dir) from None
