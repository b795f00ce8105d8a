"""The effective settings of a root, with their sources."""

from contextlib import suppress

from cortex_policy.core.model import CortexPolicyError, GrantError, UsageError
from cortex_policy.core.settings import BY_NAME, EffectiveSetting, Setting, SettingValue, resolve_all_settings
from cortex_policy.state import Root, find_default_rate_state_directory
from cortex_policy.state.approval_store import NAME as APPROVALS
from cortex_policy.state.settings import read_layers, read_setting
from cortex_policy.state.settings_errors import make_known_name_hint
from cortex_policy.state.valid_settings import read_valid_layers_and_errors


def find_setting_definition(name: str) -> Setting:
    """Return a setting by its name; raise UsageError for an unknown name."""
    setting = BY_NAME.get(name)
    if setting is None:
        raise UsageError(f"unknown setting `{name}`", make_known_name_hint(name, BY_NAME))
    return setting


def resolve_settings(root: Root | None) -> list[EffectiveSetting]:
    """Return each setting with its effective value, its source, and the values that this one overrides."""
    return _with_paths(resolve_all_settings(read_layers(root.path if root is not None else None)))


def resolve_settings_and_errors(root: Root | None) -> tuple[list[EffectiveSetting], list[GrantError]]:
    """Return the same for settings some of which are invalid, and an error for each that is."""
    layers, errors = read_valid_layers_and_errors(root.path if root is not None else None)
    return _with_paths(resolve_all_settings(layers)), errors


def find_configured_editor(root: Root | None) -> str | None:
    """Return the editor from the settings; invalid settings give None, so that they can be edited."""
    with suppress(CortexPolicyError):
        value = read_setting("editor", root.path if root is not None else None)
        return value if isinstance(value, str) else None
    return None


def _with_paths(resolved: list[EffectiveSetting]) -> list[EffectiveSetting]:
    """Fill in the defaults that depend on the user."""
    state_dir = next(one.effective.value for one in resolved if one.setting.name == "state_dir")
    defaults: dict[str, object] = {"state_dir": find_default_rate_state_directory()}
    defaults["approvals.file"] = f"{state_dir or defaults['state_dir']}/{APPROVALS}"
    return [_with_default(one, defaults.get(one.setting.name)) for one in resolved]


def _with_default(one: EffectiveSetting, value: object) -> EffectiveSetting:
    if value is None or one.effective.value is not None:
        return one
    effective = SettingValue(value, one.effective.place, one.effective.source)
    return EffectiveSetting(one.setting, effective, one.overridden, one.is_locked)
