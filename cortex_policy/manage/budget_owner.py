"""Whose budgets are counted, and where: each user has budgets of their own."""

import os

from cortex_policy.core import Value
from cortex_policy.state import state_directory
from cortex_policy.state.settings import find_state_directory
from cortex_policy.state.users import user_name_or_empty


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
    return budget_owner(os.geteuid(), state_directory(find_state_directory()))


def budget_owner(uid: int, state_dir: str) -> BudgetOwner:
    """Return a user by number, with a state directory."""
    return BudgetOwner(uid, user_name_or_empty(uid), state_dir)
