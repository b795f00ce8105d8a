"""The bytes of hooks.toml to its rules."""

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, MalformedError
from cortex_policy.core.hooks.hooks_toml_problems import HookRulesError, check_and_decode_rules_document
from cortex_policy.core.model import GRANT_INVALID, GrantError
from cortex_policy.core.toml import decode_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.hook_rules import HookRules


def decode_hooks_toml(data: bytes) -> "HookRules":
    """Decode the bytes of hooks.toml; raise GrantError (21), which says what is wrong first."""
    if len(data) > MAX_BYTES:
        raise GrantError(GRANT_INVALID, f"`{HOOKS_TOML}` is larger than {MAX_BYTES} bytes")
    try:
        return check_and_decode_rules_document(decode_toml(data))
    except (MalformedError, HookRulesError) as error:
        raise GrantError(GRANT_INVALID, f"`{HOOKS_TOML}`: {error}") from None
