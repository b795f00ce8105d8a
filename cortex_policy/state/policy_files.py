"""The files that the stamp covers: each grant by its id, and the rules of agents' hooks by the name `hooks.toml`."""

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, decode_grant, is_grant_id
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.model import GRANT_NOT_FOUND, GrantError
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_grant_id, list_grant_ids, read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never


def is_grant_id_or_hooks_toml(word: str) -> bool:
    """Whether a stamp can have a digest under a name: that of a grant, or of `hooks.toml`."""
    return word == HOOKS_TOML or is_grant_id(word)


def check_grant_id_or_hooks_toml(word: str) -> None:
    """Raise GrantError (grant_not_found) for a word that can name no grant, and is not `hooks.toml`."""
    if word != HOOKS_TOML:
        check_grant_id(word)


def make_file_path_below_policy_directory(name: str) -> str:
    """Return the path of a file below `.cortex/policy`."""
    return name if name == HOOKS_TOML else f"tools/{name}.json"


def read_policy_file_or_none(root: Root, name: str) -> bytes | None:
    """Return the bytes of a file, None if it does not exist; take no lock. Raise GrantError (22) for a link."""
    *above, file = make_file_path_below_policy_directory(name).split("/")
    try:
        with PolicyDirectory(TrustCheck(root), *above) as directory:
            return directory.read(file, MAX_BYTES + 1)
    except FileNotFoundError:
        return None


def is_valid_policy_text(name: str, data: bytes) -> bool:
    """Whether a text decodes as what its file must be: a grant, or the rules of agents' hooks."""
    try:
        decode_hooks_toml(data) if name == HOOKS_TOML else decode_grant(data)
    except GrantError:
        return False
    return True


def hint_at_grant_or_nothing(root: Root, name: str) -> str:
    """Return a hint at the grant that a name may stand for; '' if a grant has that name, or none is close."""
    from cortex_policy.state.grants_errors import hint_at_grant_id  # noqa: PLC0415 - only a failure needs it

    try:
        known = list_grant_ids(root)
    except GrantError:  # a hint is no reason to fail
        return ""
    return "" if name == HOOKS_TOML or name in known else hint_at_grant_id(name, known)


def raise_file_not_found(root: Root, name: str) -> "Never":
    """Raise GrantError (20) for a file that does not exist; for a grant it names those that exist."""
    from cortex_policy.state.grants_errors import format_root_option  # noqa: PLC0415 - only a failure needs it

    if name != HOOKS_TOML:
        read_grant(root, name)
    hint = f"make one with `cortex-policy hook init{format_root_option(root)}`" if name == HOOKS_TOML else "try again"
    raise GrantError(
        GRANT_NOT_FOUND, f"there is no `{root.policy_path}/{make_file_path_below_policy_directory(name)}`", hint
    )
