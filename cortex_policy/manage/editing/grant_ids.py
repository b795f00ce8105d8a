"""The ids that grants have, and the errors for one that exists already or does not exist."""

from cortex_policy.core.decode import is_grant_id
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_grant_id, read_grant
from cortex_policy.state.grants_errors import format_root_option, make_impossible_id_error


def list_unique_ids_or_all(root: Root, grant_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return ids without repetitions, or those of all grants if none is named."""
    for grant_id in grant_ids:
        check_grant_id(grant_id)
    if grant_ids:
        return tuple(dict.fromkeys(grant_ids))
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tuple(tools.grant_ids())
    except FileNotFoundError:
        return ()


def check_new_id_syntax(word: str) -> None:
    """Raise UsageError if a word cannot be the id of a grant."""
    if not is_grant_id(word):
        raise UsageError(f"`{word}` cannot be an id", make_impossible_id_error(word).hint)


def check_grant_absent(root: Root, grant_id: str) -> None:
    """Raise NotDoneError if a grant exists already, without a lock."""
    if grant_id in list_unique_ids_or_all(root, ()):
        raise make_existing_grant_error(root, grant_id)


def make_missing_grant_error(root: Root, grant_id: str) -> Exception:
    """Return the error for a grant that was not found, which names those that exist."""
    try:
        read_grant(root, grant_id)  # its error names the ids that exist
    except GrantError as error:
        return error
    return NotDoneError(f"`{grant_id}` was created just now", "look at the file, then run the command again")


def make_existing_grant_error(root: Root, grant_id: str) -> NotDoneError:
    """Return the error for an id that a grant has already."""
    return NotDoneError(
        f"`{grant_id}` exists already", f"see it with `cortex-policy show {grant_id}{format_root_option(root)}`"
    )
