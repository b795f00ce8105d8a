"""Show what is left of the budgets of a root, and reset them."""

import os
from time import monotonic

from cortex_policy.core import Value
from cortex_policy.core.model import (
    ROOT_NOT_FOUND,
    SETTINGS_INVALID,
    STATE_UNAVAILABLE,
    Budget,
    Grant,
    GrantError,
    Settings,
    StateError,
    UsageError,
)
from cortex_policy.core.text import format_os_error_cause, join_words_that_fit
from cortex_policy.manage.budget_owner import BudgetOwner, find_budget_owner_of_caller, load_counting_settings
from cortex_policy.manage.listing import GrantRow, read_all_grant_rows, read_grant_row
from cortex_policy.state import Root, read_boot_id
from cortex_policy.state.grants import check_grant_id, read_grant
from cortex_policy.state.ledger import Ledger, open_or_make_budget_directory
from cortex_policy.state.ledger_directory import make_state_error_of_os_error
from cortex_policy.state.ledger_maintenance import clear_budget_directory, remove_budget
from cortex_policy.state.ledger_ring import BudgetFileKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from cortex_policy.core.budgets_interface import Budgets

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
    budgets = _budgets_of(root)
    rows = read_all_grant_rows(root) if grant_id is None else (read_grant_row(root, grant_id),)
    return tuple(status for row in rows for status in _action_budgets(budgets, row))


def read_budgets_of_grants(
    root: Root, rows: "Iterable[GrantRow]", max_actions: int, max_seconds: float
) -> tuple[GrantWithBudgets, ...]:
    """Return grants, each with the budgets of its first actions; those that take too long are unknown.

    If no budget can be read, none is returned, and none has an owner.
    """
    try:
        owner: BudgetOwner | None = find_budget_owner_of_caller()
        budgets = _budgets_of(root)
    except (GrantError, StateError):  # one that denies every check: `find_global_denials` says which
        return tuple(GrantWithBudgets(row, (), None) for row in rows)
    end = monotonic() + max_seconds

    def status_of(row: GrantRow, grant: Grant, action: str) -> BudgetStatus:
        """Return the budget of an action, or say that there was no time to read it."""
        if monotonic() < end:
            return _budget_status(budgets, row, grant, action)
        return BudgetStatus(row.id, grant.tool, action, None, "not read in time")

    return tuple(
        GrantWithBudgets(
            row,
            tuple(status_of(row, row.grant, action) for action in row.grant.actions[:max_actions]) if row.grant else (),
            owner,
        )
        for row in rows
    )


def read_budgets_of_grant(root: Root, grant_id: str) -> GrantWithBudgets:
    """Return one grant with its budgets; raise GrantError (grant_not_found) if it does not exist."""
    row, owner = read_grant_row(root, grant_id), None
    try:
        owner = find_budget_owner_of_caller()
        statuses = _action_budgets(_budgets_of(root), row)
    except (GrantError, StateError) as error:
        if error.reason not in (SETTINGS_INVALID, STATE_UNAVAILABLE):
            raise
        actions = row.grant.actions[:MOST_ACTIONS] if row.grant is not None else ()
        statuses = tuple(BudgetStatus(row.id, "", action, None, error.detail, error.hint) for action in actions)
    return GrantWithBudgets(row, statuses if row.grant is not None else (), owner)


def _action_budgets(budgets: "Budgets", row: GrantRow) -> tuple[BudgetStatus, ...]:
    """Return the budget of each action of a grant; each also names what is wrong with the grant."""
    grant = row.grant
    if grant is None:
        return (BudgetStatus(row.id, "", "", None, row.problem, row.hint),)
    statuses = [_budget_status(budgets, row, grant, action) for action in grant.actions[:MOST_ACTIONS]]
    if more := len(grant.actions) - len(statuses):
        statuses.append(BudgetStatus(row.id, grant.tool, "", None, f"{more:,} more actions were not looked at"))
    return tuple(statuses)


def _budget_status(budgets: "Budgets", row: GrantRow, grant: Grant, action: str) -> BudgetStatus:
    try:
        budget = budgets.peek(grant.tool, action, grant.rate.per_minute)
    except StateError as error:
        return BudgetStatus(row.id, grant.tool, action, None, error.detail, error.hint)
    problem = row.problem
    if budget.closed:
        problem = f"closed: {budget.closed_because}" if budget.closed_because else "closed after damage"
    elif budget.local:
        problem = "local: the server does not answer"
    return BudgetStatus(row.id, grant.tool, action, budget, problem, row.hint)


def list_given_action_or_all(root: Root, grant_id: str, action: str | None = None) -> tuple[str, ...]:
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
    """Forget the calls of one action of a grant, or of all; return the actions that had any.

    A server forgets them for all hosts, and opens budgets that are closed, so all actions are returned; what this host
    counted by itself is forgotten too. Raises StateError.
    """
    actions, tool, boot = (
        list_given_action_or_all(root, grant_id, action),
        read_grant(root, grant_id).tool,
        read_boot_id(),
    )

    def forget(directory: int) -> tuple[str, ...]:
        """Remove the files of the actions; return the actions that had one."""
        return tuple(word for word in actions if remove_budget(directory, BudgetFileKey(boot, tool, word).name))

    settings = load_counting_settings()
    if settings.budgets_url is None:
        return _call_in_state_directory(_root_identity(root), settings, forget)
    from cortex_policy.state.server_budgets_from_settings import (  # noqa: PLC0415 - few hosts share budgets
        make_root_identity_of_local_share,
        make_server_budgets_for_one_call,
    )

    shared = make_server_budgets_for_one_call(settings)
    for word in actions:
        shared.reset(tool, word)
    _call_in_state_directory(make_root_identity_of_local_share(settings.budgets_name or ""), settings, forget)
    return actions


def remove_local_rate_state_of_root(root: Root) -> int:
    """Remove all rate state of a root on this host, whatever files are there; return their number.

    So is what this host counted of shared budgets by itself, which belongs to all roots.
    """
    settings = load_counting_settings()
    removed = _call_in_state_directory(_root_identity(root), settings, clear_budget_directory)
    if settings.budgets_url is None:
        return removed
    from cortex_policy.state.server_budgets_from_settings import make_root_identity_of_local_share  # noqa: PLC0415 - few hosts share budgets

    return removed + _call_in_state_directory(
        make_root_identity_of_local_share(settings.budgets_name or ""), settings, clear_budget_directory
    )


def _budgets_of(root: Root) -> "Budgets":
    """Return what counts the budgets of a root, for many questions; raise GrantError if the root is gone."""
    settings, identity = load_counting_settings(), _root_identity(root)
    if settings.budgets_url is None:
        return Ledger(identity, settings.state_dir or "")
    from cortex_policy.state.server_budgets_from_settings import (  # noqa: PLC0415 - few hosts share budgets
        add_local_fallback_if_set,
        make_server_budgets_for_many_calls,
    )

    return add_local_fallback_if_set(make_server_budgets_for_many_calls(settings), settings)


def _root_identity(root: Root) -> tuple[int, int]:
    try:
        status = os.stat(root.path)
    except OSError as error:
        detail = f"`{root.path}`: {format_os_error_cause(error)}"
        raise GrantError(ROOT_NOT_FOUND, detail) from None
    return status.st_dev, status.st_ino


def _call_in_state_directory(identity: tuple[int, int], settings: Settings, function: "Callable[[int], T]") -> "T":
    """Call a function with the directory of a root's state, by its identity; raise StateError if the disk fails."""
    state_dir = settings.state_dir or ""
    try:
        directory = open_or_make_budget_directory(identity, read_boot_id(), state_dir)
        try:
            return function(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise make_state_error_of_os_error(error, state_dir) from None
