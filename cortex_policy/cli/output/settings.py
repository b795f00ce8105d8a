"""A setting as a user types it, and as JSON members."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cortex_policy.core.settings import EffectiveSetting, SettingValue


def format_setting_as_typed(value: Any) -> str:
    """Return a setting's value as a user types it."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return " ".join(f"{name}={','.join(codes)}" for name, codes in value.items())
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def setting_to_json(resolved: "EffectiveSetting") -> dict[str, object]:
    """Return a setting, and what it overrides, as JSON members."""
    return {
        "name": resolved.setting.name,
        **_value_to_json(resolved.effective),
        "locked": resolved.is_locked,
        "hidden": [_value_to_json(one) for one in resolved.overridden],
    }


def _value_to_json(one: "SettingValue") -> dict[str, object]:
    return {"value": one.value, "place": one.place, "source": one.source or None}
