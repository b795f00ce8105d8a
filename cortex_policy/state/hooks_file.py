"""The rules for the tools of agents: hooks.toml, trusted and stamped like a grant; any doubt denies (docs/hooks.md).

A decoded copy is kept beside that of the settings. Its name is a hash of the file's bytes, so that it is never stale.
"""

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.hooks.rules import HookRulesError, decode_rules, rules_to_document
from cortex_policy.core.model import GRANT_INVALID, GRANT_NOT_FOUND, GRANT_UNSAFE, STAMP_MISMATCH, GrantError
from cortex_policy.state import Root, sha256
from cortex_policy.state.enforcement import check_root_stop, effective_settings
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.settings_cache import close_copies, load_copy, open_copies, store_copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.rules import HookRules
    from cortex_policy.core.model import Settings

NAME = "hooks.toml"
MAX_BYTES = 1 << 20
FORMAT = 1  # goes up with each change in the meaning of a copy
_PREFIX = "hooks-"


def load_hook_rules(root: Root) -> "HookRules":
    """Load the rules of a root; raise GrantError, or AccessDenied if it has a stop."""
    data = _read(root)
    settings = effective_settings(root.path)
    digest = str(sha256(data).hexdigest())
    if settings.stamp == "require":
        _require_stamp(root, f"sha256:{digest}")
    return _cached_rules(root, settings, data, digest)


def _read(root: Root) -> bytes:
    """Read the file from the open policy directory, in which there is no stop; raise GrantError or AccessDenied."""
    trust = TrustCheck(root)
    try:
        with PolicyDirectory(trust) as policy:
            check_root_stop(policy)
            data = policy.read(NAME, MAX_BYTES + 1)
    except FileNotFoundError as error:
        trust.raise_if_unsafe()
        raise GrantError(GRANT_NOT_FOUND, f"`{error.filename}` does not exist", "make it with `hook init`") from None
    except GrantError as error:
        if error.reason is GRANT_UNSAFE:  # perhaps the policy directory could not be opened
            from cortex_policy.state.emergency_stop import raise_if_unreadable  # noqa: PLC0415 - only a failure needs it

            raise_if_unreadable(root)
        raise
    trust.raise_if_unsafe()
    if len(data) > MAX_BYTES:
        raise _invalid(f"it is larger than {MAX_BYTES} bytes")
    return data


def _require_stamp(root: Root, digest: str) -> None:
    from cortex_policy.state.stamp import read_stamp  # noqa: PLC0415 - only if it is asked for

    stamp = read_stamp(root)
    if stamp is None or not stamp.accepts(NAME, digest):
        raise GrantError(STAMP_MISMATCH, f"`{NAME}` does not match the stamp")


def _cached_rules(root: Root, settings: "Settings", data: bytes, digest: str) -> "HookRules":
    directory = open_copies(settings.state_dir or "")
    try:
        name = f"{_PREFIX}{sha256(root.path.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}-{FORMAT}-{digest}"
        copy = load_copy(directory, name)
        try:
            if copy is not None:
                return decode_rules(copy)
        except HookRulesError:  # a copy that another version wrote, or half of one
            pass
        rules = _decode(data)
        store_copy(directory, _PREFIX, name, rules_to_document(rules))
        return rules
    finally:
        close_copies(directory)


def _decode(data: bytes) -> "HookRules":
    from cortex_policy.core.toml import decode_toml  # noqa: PLC0415 - once for each edit

    try:
        return decode_rules(decode_toml(data))
    except (MalformedError, HookRulesError) as error:
        raise _invalid(str(error)) from None


def _invalid(why: str) -> GrantError:
    return GrantError(GRANT_INVALID, f"`{NAME}`: {why}", "see what to fix with `cortex-policy validate`")
