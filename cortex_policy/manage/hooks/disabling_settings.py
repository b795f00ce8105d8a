"""Words in an agent's settings that switch hooks off (docs/hook-install.md)."""

from cortex_policy.core import Value
from cortex_policy.manage.hooks.targets import MANAGED, HookTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.hooks.handlers import HandlerPlace

    Handler = tuple[dict[str, object], HandlerPlace | None]

HOOK_NAME = "cortex-policy"  # of the handler in Gemini's settings
_ONLY_MANAGED = ("allowManagedHooksOnly", "allow_managed_hooks_only")  # they count in managed settings alone
_MANAGED_RUN = ("claude", "copilot")  # nothing but managed settings switches managed hooks off
_ALL_OFF = (("disableAllHooks",), True)
_SWITCHES: "dict[str, tuple[tuple[tuple[str, ...], object], ...]]" = {
    "claude": (_ALL_OFF, (("allowManagedHooksOnly",), True)),
    "codex": ((("features", "hooks"), False), (("allow_managed_hooks_only",), True)),
    "gemini": ((("hooksConfig", "enabled"), False), (("hooksConfig", "disabled"), HOOK_NAME)),
    "cursor": (),
    "copilot": (_ALL_OFF,),
    "vscode": (),
}


class SettingsDocument(Value):
    """A settings file of an agent as a value, with the places of its handlers if it is JSON."""

    target: HookTarget
    value: object
    places: "tuple[HandlerPlace, ...]"

    @property
    def handlers(self) -> "list[Handler]":
        """The handlers, with their places if it is JSON."""
        if not self.target.is_toml:
            return [(place.handler, place) for place in self.places]
        groups = self.find_value("hooks", "PreToolUse")
        found = [group.get("hooks") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
        return [(one, None) for inner in found if isinstance(inner, list) for one in inner if isinstance(one, dict)]

    def find_value(self, *keys: str) -> object:
        """Return the value at a path of keys, None if there is none."""
        value = self.value
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def describe_disabling_settings(agent: str, levels: set[str], documents: list[SettingsDocument]) -> "Iterator[str]":
    """Yield a sentence for each word in an agent's settings that switches off its hooks of these levels."""
    managed = [document for document in documents if document.target.level == MANAGED]
    for document in documents:
        for keys, value in _SWITCHES[agent]:
            is_off = _is_switched_off(document.find_value(*keys), value)
            if is_off and not _is_resisted(agent, keys, levels, managed, is_managed=document in managed):
                yield f"`{'.'.join(keys)}` in `{document.target.file}` switches the hook off"


def _is_switched_off(value: object, switch: object) -> bool:
    return value is switch or (isinstance(value, list) and switch in value)


def _is_resisted(
    agent: str, keys: tuple[str, ...], levels: set[str], managed: list[SettingsDocument], *, is_managed: bool
) -> bool:
    """Whether managed hooks run all the same, or managed settings have the last word."""
    if keys[-1] in _ONLY_MANAGED:
        return not is_managed or MANAGED in levels
    if agent in _MANAGED_RUN:
        return MANAGED in levels and not is_managed
    return any(document.find_value(*keys) is True for document in managed)
