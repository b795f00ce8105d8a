"""What a change of settings means: whether more is allowed by what counts then, or less is remembered."""

from contextlib import suppress

from cortex_policy.core.compare.grants import NARROWED, WIDENED, FieldComparison, GrantComparison, combine_verdicts
from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import LOCKED, PROJECT, SETTINGS, SYSTEM, USER, Layer, resolve_setting
from cortex_policy.manage.diff.git_revisions import NoCommitsError, settings_at_revision
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.settings import MAX_BYTES, NAME, decode_layer, read_settings_file, settings_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cortex_policy.core.settings import Setting
    from cortex_policy.state import Root

    Values = Mapping[str, Any] | None  # None: they are wrong, and every check answers 27

INVALID_SETTINGS = "every check is answered with no, since the settings are wrong"
_LOST = {
    "audit.file": "no call is recorded any more",
    "audit.keep": "a full audit log is dropped",
    "history.keep": "no write can be undone any more",
}
_STRICTER = {setting.name for setting in SETTINGS if setting.values} - {
    "audit.args"
}  # which says more, and denies none


def compare_settings_texts(place: str, file: str, old: bytes | None, new: bytes | None) -> GrantComparison | None:
    """Return what a new text of a settings file means for all whom it concerns, None where it changes nothing."""
    above = list(_higher_layers(place))
    before, after = (_effective_values(place, file, data, above) for data in (old, new))
    fields = tuple(_compare_values(before, after))
    return GrantComparison(combine_verdicts(field.verdict for field in fields), fields) if fields else None


def _higher_layers(place: str) -> "Iterator[Layer]":
    """Yield what holds wherever a file does: another user, root or environment has none of the other places."""
    if place == SYSTEM:
        return
    system = Layer(SYSTEM, {}, {})
    with suppress(GrantError):  # it may have locked anything, or nothing
        data = read_settings_file(SYSTEM)
        system = system if data is None else decode_layer(SYSTEM, settings_file(SYSTEM, None), data)
    # a user may say less than the system, and the project holds for them too; what is locked they cannot
    names = system.values if place == USER else system.locked
    yield Layer(SYSTEM, {name: system.values[name] for name in names}, system.sources, system.locked)


def _effective_values(place: str, file: str, data: bytes | None, above: "list[Layer]") -> "Values":
    """Return what counts where a file has such a text, None where it is wrong."""
    try:
        own = decode_layer(place, file, data) if data is not None else Layer(place, {}, {})
    except GrantError:
        return None
    values = {setting.name: resolve_setting([*above, own], setting.name).effective.value for setting in SETTINGS}
    return values | {LOCKED: own.locked}


def compare_settings_with_revision(root: "Root", revision: str) -> GrantComparison | None:
    """Return what the project's settings mean beside those of a git revision; None where nothing of a check changed."""
    fields = tuple(_compare_values(_values_at_revision(root, revision), _current_values(root)))
    return GrantComparison(combine_verdicts(field.verdict for field in fields), fields) if fields else None


def _compare_values(old: "Values", new: "Values") -> "Iterator[FieldComparison]":
    if old is None or new is None:
        if old is not new:
            verdict, when = (NARROWED, "now") if new is None else (WIDENED, "before")
            yield FieldComparison("config.toml", verdict, f"{when} {INVALID_SETTINGS}")
        return
    for setting in SETTINGS:
        before, after = old.get(setting.name, setting.default), new.get(setting.name, setting.default)
        if before != after and setting.name in {*_LOST, *_STRICTER}:
            yield from _compare_setting(setting, before, after)
    for name in old.get(LOCKED, ()):
        if name not in new.get(LOCKED, ()):
            yield FieldComparison(name, WIDENED, "is locked no more: others may say what they want")


def _compare_setting(setting: "Setting", before: "Any", after: "Any") -> "Iterator[FieldComparison]":
    if setting.name in _LOST:
        if not after:
            yield FieldComparison(setting.name, WIDENED, _LOST[setting.name])
        return
    verdict = NARROWED if setting.is_stricter(after, before) else WIDENED
    yield FieldComparison(setting.name, verdict, f"{before} becomes {after}".lower())


def _values_at_revision(root: "Root", revision: str) -> "Values":
    try:
        return _parse_values(root, settings_at_revision(root, revision))
    except NoCommitsError:
        return {}


def _current_values(root: "Root") -> "Values":
    try:
        # INVARIANT: whatever its mode: a clone of CI may have any, and a gate must not take weaker for wrong
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
        return decode_layer(PROJECT, settings_file(PROJECT, root.path), data).values
    except GrantError:
        return None
