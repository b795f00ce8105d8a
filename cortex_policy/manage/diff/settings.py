"""Compare settings: whether a change allows more calls, or records less of them."""

from contextlib import suppress

from cortex_policy.core.compare.grants import GrantComparison
from cortex_policy.core.compare.verdicts import NARROWED, WIDENED, FieldComparison, combine_verdicts
from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import LOCKED, PROJECT, SETTINGS, SHARE, SYSTEM, USER, Layer, resolve_setting
from cortex_policy.manage.diff.git_revisions import NoCommitsError, read_settings_bytes_at_revision_or_none
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.settings import (
    MAX_BYTES,
    NAME,
    decode_layer,
    find_settings_file_of_place,
    read_settings_bytes_or_none,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cortex_policy.core.settings import Setting
    from cortex_policy.state import Root

    Values = Mapping[str, Any] | None  # None: they are invalid, and every check answers 27

INVALID_SETTINGS = "every check is denied, because the settings are invalid"
_LOST = {
    "audit.file": "calls are no longer recorded",
    "audit.keep": "a full audit log is dropped",
    "history.keep": "writes can no longer be undone",
}
_APART = dict.fromkeys(
    ("budgets.url", "budgets.name", "budgets.key_file"), "hosts that keep the old value count budgets of their own"
)
_STRICTER = {setting.name for setting in SETTINGS if setting.values} - {
    "audit.args"
}  # which records more, and denies no call


def compare_settings_texts_or_none(
    place: str, file: str, old: bytes | None, new: bytes | None
) -> GrantComparison | None:
    """Return what a new text of a settings file means for all its users, None if it changes nothing."""
    above = list(_higher_layers(place))
    before, after = (_effective_values(place, file, data, above) for data in (old, new))
    fields = tuple(_compare_values(before, after))
    return GrantComparison(combine_verdicts(field.verdict for field in fields), fields) if fields else None


def _higher_layers(place: str) -> "Iterator[Layer]":
    """Yield the system's values that apply to all users of a file; they have no other layer in common."""
    if place == SYSTEM:
        return
    system = Layer(SYSTEM, {}, {})
    with suppress(GrantError):  # an invalid system file locks nothing that is known
        data = read_settings_bytes_or_none(SYSTEM)
        system = system if data is None else decode_layer(SYSTEM, find_settings_file_of_place(SYSTEM, None), data)
    # the project applies to every user, who may override the system's values unless they are locked
    names = system.values if place == USER else system.locked
    yield Layer(SYSTEM, {name: system.values[name] for name in names}, system.sources, system.locked)


def _effective_values(place: str, file: str, data: bytes | None, above: "list[Layer]") -> "Values":
    """Return the values in effect with such a text of the file, None if it is invalid."""
    try:
        own_layer = decode_layer(place, file, data) if data is not None else Layer(place, {}, {})
    except GrantError:
        return None
    values = {setting.name: resolve_setting([*above, own_layer], setting.name).effective.value for setting in SETTINGS}
    return values | {LOCKED: own_layer.locked}


def compare_settings_with_revision_or_none(root: "Root", revision: str) -> GrantComparison | None:
    """Compare the project's settings with those of a git revision; return None if checks do not change."""
    fields = tuple(_compare_values(_read_values_at_revision(root, revision), _read_current_values(root)))
    return GrantComparison(combine_verdicts(field.verdict for field in fields), fields) if fields else None


def _compare_values(old: "Values", new: "Values") -> "Iterator[FieldComparison]":
    if old is None or new is None:
        if old is not new:
            verdict, when = (NARROWED, "now") if new is None else (WIDENED, "before")
            yield FieldComparison("config.toml", verdict, f"{when} {INVALID_SETTINGS}")
        return
    for setting in SETTINGS:
        before, after = old.get(setting.name, setting.default), new.get(setting.name, setting.default)
        if before != after:
            yield from _compare_setting(setting, before, after)
    for name in old.get(LOCKED, ()):
        if name not in new.get(LOCKED, ()):
            yield FieldComparison(name, WIDENED, "is no longer locked: other files may set it")


def _compare_setting(setting: "Setting", before: "Any", after: "Any") -> "Iterator[FieldComparison]":
    if setting.name in _LOST and not after:
        yield FieldComparison(setting.name, WIDENED, _LOST[setting.name])
    elif setting.name in _APART and before is not None:
        yield FieldComparison(setting.name, WIDENED, _APART[setting.name])
    elif setting.name == "budgets.wait_replicas":
        yield FieldComparison(setting.name, WIDENED if after < before else NARROWED, f"{before} becomes {after}")
    elif setting.kind == SHARE:
        yield FieldComparison(setting.name, WIDENED if after > before else NARROWED, f"{before} becomes {after}")
    elif setting.name in _STRICTER:
        verdict = NARROWED if setting.is_stricter(after, before) else WIDENED
        yield FieldComparison(setting.name, verdict, f"{before} becomes {after}".lower())


def _read_values_at_revision(root: "Root", revision: str) -> "Values":
    try:
        return _parse_values(root, read_settings_bytes_at_revision_or_none(root, revision))
    except NoCommitsError:
        return {}


def _read_current_values(root: "Root") -> "Values":
    try:
        # INVARIANT: read it in any mode: a clone in CI may have any, and a gate must see that settings are weaker
        with PolicyDirectory(TrustCheck(root)) as policy:
            return _parse_values(root, policy.read(NAME, MAX_BYTES + 1))
    except FileNotFoundError:
        return {}
    except GrantError:
        return None


def _parse_values(root: "Root", data: bytes | None) -> "Values":
    if data is None:
        return {}
    try:
        return decode_layer(PROJECT, find_settings_file_of_place(PROJECT, root.path), data).values
    except GrantError:
        return None
