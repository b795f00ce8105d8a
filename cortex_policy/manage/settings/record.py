"""The record of a command that changes a settings file: which settings, from what to what."""

from cortex_policy.core.compare.verdicts import SAME
from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import LOCKED
from cortex_policy.manage.diff.settings import compare_settings_texts_or_none
from cortex_policy.state.control_command_record import CommandRecord, make_begun_command_record
from cortex_policy.state.settings import decode_layer
from cortex_policy.state.settings_errors import quote_value


def make_settings_change_record(command: str, place: str, file: str, old: bytes | None, new: bytes) -> CommandRecord:
    """Return the record of a command that replaces the old text of a settings file by a new one."""
    meaning = compare_settings_texts_or_none(place, file, old, new)
    before, after = _values_in_text(place, file, old or b""), _values_in_text(place, file, new)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    said = {name: f"{_value_text(before, name)} becomes {_value_text(after, name)}" for name in changed}
    detail = ", ".join(text if len(said) == 1 else f"{name} {text}" for name, text in said.items())
    subject = ", ".join(changed) or "comments"
    return make_begun_command_record(
        command, subject, detail, verdict=meaning.verdict if meaning else SAME, place=place
    )


def _values_in_text(place: str, file: str, text: bytes) -> dict[str, object]:
    """Return what a text sets and locks, nothing if it is invalid."""
    try:
        layer = decode_layer(place, file, text)
    except GrantError:
        return {}
    return {**layer.values, **({LOCKED: list(layer.locked)} if layer.locked else {})}


def _value_text(values: dict[str, object], name: str) -> str:
    value = values.get(name)
    if value is None:
        return "not set"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else quote_value(value)
