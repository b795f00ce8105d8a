"""Which other users have budgets of a root, as far as root can know: by default, system's and their own settings."""

import os
import pwd
import stat
from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import SETTINGS_INVALID, GrantError
from cortex_policy.core.settings import SYSTEM, USER
from cortex_policy.manage.budget_owner import BudgetOwner, make_budget_owner
from cortex_policy.state import (
    OPEN_DIRECTORY,
    OPEN_FILE,
    Root,
    find_default_rate_state_directory,
    read_boot_id,
    read_up_to,
)
from cortex_policy.state.grants import find_trust_problems
from cortex_policy.state.ledger import format_budget_directory_name
from cortex_policy.state.other_user_settings import open_user_settings_directory
from cortex_policy.state.settings import (
    MAX_BYTES,
    NAME,
    decode_layer,
    find_settings_file_of_place,
    read_settings_bytes_or_none,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT_USER = 0
_ENVIRONMENT = "directories that only the environment of a service names (`CORTEX_POLICY_STATE_DIR`)"


class OtherBudgetOwners(Value):
    """Other users who have budgets of a root, and what was not looked at."""

    owners: tuple[BudgetOwner, ...]
    unchecked: tuple[str, ...]


def find_other_budget_owners(root: Root) -> OtherBudgetOwners:
    """Return the other users whose calls of a root were counted since boot, as far as the caller may see that.

    Root sees it of all users; other users see it of nobody.
    """
    try:
        status = os.stat(root.path)
        name = format_budget_directory_name((status.st_dev, status.st_ino), read_boot_id())
    except OSError:
        return OtherBudgetOwners((), ())
    unread: list[str] = []
    candidates = list(_default_owners())
    if os.geteuid() == ROOT_USER:
        candidates += [*_owner_by_system(), *_owners_by_settings(unread)]
    owners = [owner for owner in candidates if owner.uid != os.geteuid() and _has_budgets(owner, name)]
    skipped = [f"the settings of {', '.join(unread)}, which cannot be read"] if unread else []
    unchecked = (_ENVIRONMENT, *skipped) if os.geteuid() == ROOT_USER else ()
    return OtherBudgetOwners(tuple(dict.fromkeys(owners)), unchecked)


def _owner_by_system() -> "Iterator[BudgetOwner]":
    """Yield the owner of the directory that the system's settings name."""
    with suppress(GrantError, OSError):
        data = read_settings_bytes_or_none(SYSTEM)
        path = (
            decode_layer(SYSTEM, find_settings_file_of_place(SYSTEM, None), data).values.get("state_dir")
            if data
            else None
        )
        if isinstance(path, str):
            yield make_budget_owner(os.lstat(path).st_uid, path)


def _owners_by_settings(unread: list[str]) -> "Iterator[BudgetOwner]":
    """Yield each user whose own settings name a directory; note the users whose settings cannot be read."""
    for user in pwd.getpwall():
        try:
            path = _state_dir_of(user)
        except FileNotFoundError:  # no settings
            continue
        except (OSError, GrantError):
            unread.append(user.pw_name)
            continue
        if isinstance(path, str):
            yield make_budget_owner(user.pw_uid, path)


def _state_dir_of(user: pwd.struct_passwd) -> object:
    """Return the state directory that a user's settings name; raise OSError or GrantError."""
    directory = open_user_settings_directory(user)
    try:
        descriptor = os.open(NAME, OPEN_FILE, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or find_trust_problems(descriptor, status, {ROOT_USER, user.pw_uid}):
            raise GrantError(SETTINGS_INVALID, f"the settings of {user.pw_name} are unsafe")
        data = read_up_to(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    return decode_layer(USER, NAME, data).values.get("state_dir")


def _default_owners() -> "Iterator[BudgetOwner]":
    """Yield the users who have a default state directory, if these are beside each other."""
    mine, own = find_default_rate_state_directory(), str(os.geteuid())
    parent, prefix = os.path.dirname(mine), os.path.basename(mine).removesuffix(own)
    if not mine.endswith(f"-{own}"):  # on macOS each is in the home of its user
        return
    with suppress(OSError):
        for name in sorted(os.listdir(parent)):
            number = name.removeprefix(prefix)
            if name.startswith(prefix) and number.isascii() and number.isdecimal():
                yield make_budget_owner(int(number), f"{parent}/{name}")


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
