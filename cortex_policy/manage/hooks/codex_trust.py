"""Whether Codex runs a hook: it skips one whose definition is not trusted, without a word (docs/hook-install.md)."""

import json
import os

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.toml import decode_toml
from cortex_policy.manage.hooks.handlers import HandlerPlace
from cortex_policy.manage.hooks.settings_files import read_agent_settings_file
from cortex_policy.state import compute_sha256_hex

TRUSTED, CHANGED, NOT_TRUSTED = ("trusted", "changed since it was trusted", "not trusted")


def read_hook_trust(file: str, place: HandlerPlace, config: str) -> str:
    """Return whether the user has trusted a handler, as Codex keeps it in its own configuration file."""
    entry = _state_of_hooks(config).get(f"{os.path.realpath(file)}:pre_tool_use:{place.indexes[0]}:{place.indexes[1]}")
    known = entry.get("trusted_hash") if isinstance(entry, dict) else None
    if known is None:
        return NOT_TRUSTED
    return TRUSTED if known == hash_hook_definition(place) else CHANGED


def hash_hook_definition(place: HandlerPlace) -> str:
    """Return the hash of a handler's definition as Codex makes it."""
    handler = {key: place.handler.get(key) for key in ("command", "timeout", "type")}
    identity: dict[str, object] = {"event_name": "pre_tool_use", "hooks": [{"async": False, **handler}]}
    if place.group.get("matcher"):
        identity["matcher"] = place.group["matcher"]
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{compute_sha256_hex(text.encode('utf-8', 'surrogatepass'))}"


def _state_of_hooks(config: str) -> "dict[str, object]":
    try:
        document = decode_toml(read_agent_settings_file(config).data or b"")
    except (NotDoneError, MalformedError):  # Codex does not start with such a file
        return {}
    hooks = document.get("hooks")
    state = hooks.get("state") if isinstance(hooks, dict) else None
    return state if isinstance(state, dict) else {}
