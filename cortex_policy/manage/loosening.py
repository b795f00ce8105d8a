"""What became of the settings of a project: they can only tighten, so that to take one back is to allow more."""

from cortex_policy.core.meaning import NARROWED, WIDENED, Comparison, Meaning, combined
from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import PROJECT, SETTINGS
from cortex_policy.manage.revisions import NothingCommitted, settings_at
from cortex_policy.state.grants import Directory, Trust
from cortex_policy.state.settings import LARGEST, NAME, file_of, layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cortex_policy.state.grants import Root

    Values = Mapping[str, Any] | None  # None: they are wrong, and every check answers 27

WRONG = "every check is answered with no, since the settings are wrong"


def loosened(root: "Root", revision: str) -> Meaning | None:
    """Return what the project's settings mean beside those of a git revision; None where nothing of a check changed."""
    fields = tuple(_compared(_before(root, revision), _now(root)))
    return Meaning(combined(field.verdict for field in fields), fields) if fields else None


def _compared(old: "Values", new: "Values") -> "Iterator[Comparison]":
    if old is None or new is None:
        if old is not new:
            verdict, when = (NARROWED, "now") if new is None else (WIDENED, "before")
            yield Comparison("config.toml", verdict, f"{when} {WRONG}")
        return
    for setting in SETTINGS:
        before, after = old.get(setting.name, setting.default), new.get(setting.name, setting.default)
        if setting.values and before != after:
            verdict = NARROWED if setting.is_stricter(after, before) else WIDENED
            yield Comparison(setting.name, verdict, f"{before} becomes {after}".lower())


def _before(root: "Root", revision: str) -> "Values":
    try:
        return _values(root, settings_at(root, revision))
    except NothingCommitted:
        return {}


def _now(root: "Root") -> "Values":
    try:
        # INVARIANT: whatever its mode: a clone of CI may have any, and a gate must not take weaker for wrong
        with Directory(Trust(root)) as policy:
            return _values(root, policy.read(NAME, LARGEST + 1))
    except FileNotFoundError:
        return {}
    except GrantError:
        return None


def _values(root: "Root", data: bytes | None) -> "Values":
    if data is None:
        return {}
    try:
        return layer(PROJECT, file_of(PROJECT, root.path), data).values
    except GrantError:
        return None
