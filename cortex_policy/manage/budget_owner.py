"""Whose budgets are counted, and where: each user has budgets of their own."""

import os
from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.state import OPEN_DIRECTORY, Root, boot_id, default_state_directory, state_directory
from cortex_policy.state.ledger import budget_directory_name
from cortex_policy.state.settings import find_state_directory
from cortex_policy.state.users import user_name_or_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class BudgetOwner(Value):
    """A user ('' if the number has no name), and the state directory in which the calls of this user are counted."""

    uid: int
    user: str
    state_dir: str

    @property
    def label(self) -> str:
        """The name of the user, if there is one, and the number."""
        return f"{self.user} (uid {self.uid})" if self.user else f"uid {self.uid}"


def current_owner() -> BudgetOwner:
    """Return the user of this process; raise GrantError or StateError if settings name no usable directory."""
    return _owner(os.geteuid(), state_directory(find_state_directory()))


def other_owners(root: Root) -> tuple[BudgetOwner, ...]:
    """Return the other users whose calls of a root were counted since boot, as far as the caller may see that.

    Root sees it of all users whose state is in the default directory; others see it of nobody.
    """
    try:
        status = os.stat(root.path)
        name = budget_directory_name((status.st_dev, status.st_ino), boot_id())
    except OSError:
        return ()
    return tuple(owner for owner in _default_owners() if owner.uid != os.geteuid() and _has_budgets(owner, name))


def _owner(uid: int, state_dir: str) -> BudgetOwner:
    return BudgetOwner(uid, user_name_or_empty(uid), state_dir)


def _default_owners() -> "Iterator[BudgetOwner]":
    """Yield the users who have a default state directory, if these are beside each other."""
    mine, own = default_state_directory(), str(os.geteuid())
    parent, prefix = os.path.dirname(mine), os.path.basename(mine).removesuffix(own)
    if not mine.endswith(f"-{own}"):  # on macOS each is in the home of its user
        return
    with suppress(OSError):
        for name in sorted(os.listdir(parent)):
            number = name.removeprefix(prefix)
            if name.startswith(prefix) and number.isascii() and number.isdecimal():
                yield _owner(int(number), f"{parent}/{name}")


def _has_budgets(owner: BudgetOwner, name: str) -> bool:
    """Whether a state directory, which must be the user's own, holds a budget in a directory of this name."""
    try:
        state = os.open(owner.state_dir, OPEN_DIRECTORY)
        try:
            budgets = os.open(name, OPEN_DIRECTORY, dir_fd=state)
        finally:
            is_own = os.fstat(state).st_uid == owner.uid
            os.close(state)
        try:
            with os.scandir(budgets) as entries:
                return is_own and any(not entry.name.startswith(".") for entry in entries)
        finally:
            os.close(budgets)
    except OSError:  # it is another kind of object, or this root was never counted there
        return False
