"""What is left of the budgets of a root, and how to give them back."""

import os

from cortex_policy.core.model import Budget, Grant, StateError, UsageError, Value
from cortex_policy.manage.listing import rows
from cortex_policy.state.grants import Root, check_id, read_grant
from cortex_policy.state.ledger import Ledger, boot_id, open_state
from cortex_policy.state.ring import Key, failed
from cortex_policy.state.upkeep import drop, remove_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


class Standing(Value):
    """How one action of a grant stands; `budget` is None where `problem` says why nobody knows."""

    id: str
    tool: str
    action: str
    budget: Budget | None
    problem: str


def standings(root: Root, grant_id: str | None = None) -> tuple[Standing, ...]:
    """Return the budget of each action, of one grant or of all; a grant that cannot be read is a standing too."""
    ledger = Ledger(_identity(root))
    found: list[Standing] = []
    for name, grant, problem in _grants(root, grant_id):
        if grant is None:
            found.append(Standing(name, "", "", None, problem))
        else:
            found += [_standing(ledger, name, grant, action) for action in grant.actions]
    return tuple(found)


def _grants(root: Root, grant_id: str | None) -> "list[tuple[str, Grant | None, str]]":
    if grant_id is not None:
        check_id(grant_id)
        return [(grant_id, read_grant(root, grant_id), "")]
    return [(row.id, row.grant, row.problem) for row in rows(root)]


def _standing(ledger: Ledger, name: str, grant: Grant, action: str) -> Standing:
    try:
        budget = ledger.peek(grant.tool, action, grant.rate.per_minute)
    except StateError as error:
        return Standing(name, grant.tool, action, None, error.detail)
    return Standing(name, grant.tool, action, budget, "closed after damage" if budget.closed else "")


def actions_of(root: Root, grant_id: str, action: str | None = None) -> tuple[str, ...]:
    """Return the actions of a grant, or the named one alone; raise UsageError where it is none of them."""
    check_id(grant_id)
    actions = read_grant(root, grant_id).actions
    if action is None:
        return actions
    if action not in actions:
        message = f"`{action}` is not an action of `{grant_id}`"
        raise UsageError(message, f"its actions: {', '.join(actions)}")
    return (action,)


def reset(root: Root, grant_id: str, action: str | None = None) -> tuple[str, ...]:
    """Forget the hits of a grant, of one action or of all; return the actions that had any."""
    actions, tool, boot = actions_of(root, grant_id, action), read_grant(root, grant_id).tool, boot_id()

    def forget(directory: int) -> tuple[str, ...]:
        return tuple(word for word in actions if drop(directory, Key(boot, tool, word).name))

    return _in_state(root, forget)


def purge(root: Root) -> int:
    """Drop all rate state of a root, whatever lies there; return how many objects that were."""
    return _in_state(root, remove_all)


def _identity(root: Root) -> tuple[int, int]:
    status = os.stat(root.path)
    return status.st_dev, status.st_ino


def _in_state(root: Root, work: "Callable[[int], T]") -> "T":
    """Do something in the directory of a root's state; raise StateError where it cannot be done."""
    try:
        directory = open_state(_identity(root), boot_id())
        try:
            return work(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise failed(f"`{error.filename or 'its directory'}`: {os.strerror(error.errno or 0).lower()}") from None
