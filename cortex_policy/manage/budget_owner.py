"""Whose budgets are counted, and where: each user has budgets of their own, unless a server counts them for all."""

import os

from cortex_policy.core import Value
from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.core.model import GrantError, Settings
from cortex_policy.core.settings import resolve_setting
from cortex_policy.state import find_named_or_default_state_directory
from cortex_policy.state.settings import find_state_directory, read_uncached_settings
from cortex_policy.state.users import find_user_name_or_empty
from cortex_policy.state.valid_settings import read_valid_layers_and_errors


class SharedName(Value):
    """The name of budgets that hosts share, and the label of the server that counts them."""

    name: str
    server: str


class BudgetOwner(Value):
    """A user ('' if the number has no name), and the state directory in which the calls of this user are counted.

    If they are `shared`, the directory has only what this host counts by itself.
    """

    uid: int
    user: str
    state_dir: str
    shared: SharedName | None = None

    @property
    def label(self) -> str:
        """The name of the user, if there is one, and the number."""
        return f"{self.user} (uid {self.uid})" if self.user else f"uid {self.uid}"

    @property
    def user_or_hosts_label(self) -> str:
        """Whose budgets they are, for a sentence."""
        return self.label if self.shared is None else f"all hosts that name them `{self.shared.name}`"


def find_budget_owner_of_caller() -> BudgetOwner:
    """Return the user of this process; raise GrantError or StateError if settings name no usable directory."""
    settings = load_counting_settings()
    owner = make_budget_owner(os.geteuid(), find_named_or_default_state_directory(settings.state_dir))
    return BudgetOwner(owner.uid, owner.user, owner.state_dir, _shared_name(settings))


def load_counting_settings() -> Settings:
    """Return the settings that say where the caller's calls are counted; raise GrantError if these are invalid.

    Others may be: then every check answers 27, and what was counted before is still there.
    """
    try:
        return read_uncached_settings(None)
    except GrantError:
        if resolve_setting(read_valid_layers_and_errors(None)[0], "budgets.url").effective.value is not None:
            raise
        return Settings(state_dir=find_state_directory())


def make_budget_owner(uid: int, state_dir: str) -> BudgetOwner:
    """Return a user by number, with a state directory."""
    return BudgetOwner(uid, find_user_name_or_empty(uid), state_dir)


def _shared_name(settings: Settings) -> SharedName | None:
    if settings.budgets_url is None:
        return None
    return SharedName(settings.budgets_name or "", parse_budget_server(settings.budgets_url).label)
