"""Remove what calls kept of a root that exists only for a trial: its budgets, and copies of its settings and rules."""

import os
from contextlib import suppress

from cortex_policy.core.model import GrantError
from cortex_policy.state import (
    OPEN_DIRECTORY,
    STATE_DIR,
    find_default_rate_state_directory,
    find_system_and_user_settings_directories,
    read_boot_id,
)
from cortex_policy.state.hooks_file import format_cached_rules_name_prefix
from cortex_policy.state.ledger import format_budget_directory_name, open_state_directory_or_minus_one
from cortex_policy.state.ledger_maintenance import clear_budget_directory
from cortex_policy.state.settings import find_state_directory
from cortex_policy.state.settings_cache import format_cached_settings_name_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state import Root


def remove_state_of_root(root: "Root") -> None:
    """Remove all that is kept of a root, while it still exists, in the usual place and where settings put it."""
    status = os.stat(root.path)
    budgets = format_budget_directory_name((status.st_dev, status.st_ino), read_boot_id())
    places = {find_default_rate_state_directory()}
    with suppress(GrantError):  # no call was counted elsewhere, either
        places.add(find_state_directory())
    for place in places:
        state = open_state_directory_or_minus_one(place)
        if state >= 0:
            try:
                _remove_budgets(state, budgets)
                _remove_copies(state, root)
            finally:
                os.close(state)


def _remove_budgets(state: int, name: str) -> None:
    with suppress(OSError):  # there are none, or another process is using them after all
        directory = os.open(name, OPEN_DIRECTORY, dir_fd=state)
        try:
            clear_budget_directory(directory)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=state)


def _remove_copies(state: int, root: "Root") -> None:
    """Remove the copies that a hook made, which believes no variable, and that this process made."""
    user = find_system_and_user_settings_directories()[1]
    prefixes = (
        format_cached_rules_name_prefix(root),
        *(
            format_cached_settings_name_prefix(root.path, user, named, {})
            for named in (None, os.environ.get(STATE_DIR))
        ),
    )
    for name in os.listdir(state):
        if name.startswith(prefixes):
            with suppress(OSError):
                os.unlink(name, dir_fd=state)
