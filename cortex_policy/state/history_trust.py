"""Who could have written a history: `undo` would make their bytes a grant."""

import os
from contextlib import suppress

from cortex_policy.core.model import GrantError
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.grants_errors import make_other_user_history_error
from cortex_policy.state.history import NAME, list_numbered_entry_names
from cortex_policy.state.possible_writers import OWNER


def find_unsafe_history_error(root: Root) -> GrantError | None:
    """Return the error for a history that others can write to, None if nobody else can."""
    trust = TrustCheck(root)
    top = f"{root.policy_path}/{NAME}"
    try:
        with suppress(FileNotFoundError), PolicyDirectory(trust, NAME) as directory:
            for _, name in list_numbered_entry_names(directory):
                with suppress(FileNotFoundError, GrantError):  # a link is reported as damage
                    directory.read(name, 0)
    except GrantError as error:
        return error
    if not any(problem.path.startswith(top) for problem in trust.problems):
        return None
    is_only_owner = all(problem.kind == OWNER for problem in trust.problems)
    if trust.others == {trust.root_owner} and is_only_owner:
        return make_other_user_history_error(root.path, trust.root_owner)
    return trust.make_unsafe_error()


def is_history_owned_by_caller(root: Root) -> bool:
    """Whether the history, or the root if it has none, is the caller's, so that no other user wrote what is kept."""
    for names in ((NAME,), ()):
        with suppress(FileNotFoundError), PolicyDirectory(TrustCheck(root), *names) as directory:
            return os.fstat(directory.descriptor).st_uid == os.geteuid()
    return False
