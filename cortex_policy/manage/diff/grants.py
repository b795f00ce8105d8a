"""What changed between two states of grants, and what it means."""

from contextlib import suppress

from cortex_policy.core.compare.grants import SAME, Meaning, combined, compare
from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.escalation import Escalation, escalations
from cortex_policy.core.model import GRANT_NOT_FOUND, Grant, GrantError, Value
from cortex_policy.manage.diff.git_revisions import NothingCommitted, grants_at
from cortex_policy.manage.diff.settings import loosened
from cortex_policy.manage.file_permissions import warning_of
from cortex_policy.state import Root
from cortex_policy.state.grants import Directory, Trust, check_id, find_root, read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.diff.git_revisions import Found
    from cortex_policy.manage.listing import Track


class Version(Value):
    """One side of a change; without a grant it is absent, or invalid if there is a problem, and allows nothing."""

    grant: Grant | None
    problem: str = ""
    is_settings: bool = False  # which are compared beside grants


ABSENT = Version(None)


class Change(Value):
    """What became of one grant, and what its new version would let the tool change that others run."""

    name: str
    old: Version
    new: Version
    meaning: Meaning
    escalations: tuple[Escalation, ...]

    @property
    def status(self) -> str:
        """Whether it was added, removed, changed or, in all that counts, not touched."""
        if self.meaning.verdict == SAME and self.old == self.new:
            return "unchanged"
        return "added" if self.old == ABSENT else "removed" if self.new == ABSENT else "changed"


class Differences(Value):
    """The grants that were touched, how many were not, and what is unsafe about the files that were read.

    The notes say what they were compared with, where that is not what was named.
    """

    changes: tuple[Change, ...]
    unchanged: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What all of it means together."""
        return combined(change.meaning.verdict for change in self.changes)


def between(old: str, new: str, root: str | None = None) -> Differences:
    """Compare two grants, each named by its id or its file; raise GrantError where one is not there."""
    (before, faults), (after, more) = _named(old, root), _named(new, root)
    return Differences((_change(new, before, after),), 0, tuple(warning_of(list(dict.fromkeys([*faults, *more])))))


def changed(grant_id: str, old: bytes | None, new: bytes | None) -> Change:
    """Say what a write means that replaces these old bytes of a grant by new ones; None stands for no grant."""
    return _change(grant_id, version_of(old), version_of(new))


def of_settings(meaning: Meaning) -> Change:
    """Return a change of settings, which stands beside those of grants."""
    side = Version(None, is_settings=True)
    return Change("config.toml", side, side, meaning, ())


def against(root: Root, revision: str, grant_id: str | None = None, track: "Track" = iter) -> Differences:
    """Compare the grants as they stand, or one of them, with those of a git revision; before the first are none."""
    if grant_id is not None:
        check_id(grant_id)
    before, notes = _before(root, revision, grant_id)
    after, faults = standing(root, grant_id, track)
    if grant_id is not None and not before and not after:
        read_grant(root, grant_id)  # raises, and knows what ids there are
    names = sorted({*before, *after})
    touched = [name for name in names if grant_id is not None or _differs(before.get(name), after.get(name))]
    changes = (_change(name, version_of(before.get(name)), version_of(after.get(name))) for name in touched)
    settings = _settings(root, revision) if grant_id is None else ()
    return Differences((*changes, *settings), len(names) - len(touched), tuple(warning_of(faults)), notes)


def _settings(root: Root, revision: str) -> tuple[Change, ...]:
    """Return what became of the project's settings, if that changes what a check answers."""
    meaning = loosened(root, revision)
    return (of_settings(meaning),) if meaning is not None else ()


def _before(root: Root, revision: str, grant_id: str | None) -> "tuple[dict[str, Found], tuple[str, ...]]":
    try:
        return grants_at(root, revision, grant_id), ()
    except NothingCommitted as error:
        return {}, (f"{error.detail}: compared with no grants at all",)


def standing(root: Root, grant_id: str | None = None, track: "Track" = iter) -> "tuple[dict[str, Found], list[str]]":
    """Return the text of the grants as they stand, and what is unsafe about their files, which only `check` refuses."""
    found: dict[str, Found] = {}
    trust = Trust(root)
    with suppress(FileNotFoundError), Directory(trust, "tools") as tools:
        faults = list(trust.faults)
        for name in track(tools.grant_ids()):
            if grant_id in {None, name}:
                tools.trust = trust.copy()  # so that each file has faults of its own
                with suppress(FileNotFoundError):  # removed since it was listed
                    found[name] = _read(tools, name)
                faults += tools.trust.faults
        return found, faults
    return found, trust.faults


def _read(tools: Directory, name: str) -> "Found":
    try:
        return tools.read(f"{name}.json", MAX_BYTES + 1)
    except GrantError as error:
        return error


def _named(word: str, root: str | None) -> tuple[Version, list[str]]:
    if "/" in word or word.endswith(".json"):
        return version_of(file_text(word)), []
    check_id(word)
    where = find_root(root)
    found, faults = standing(where, word)
    if word not in found:
        read_grant(where, word)  # raises, and knows what ids there are
    return version_of(found.get(word)), faults


def file_text(name: str) -> bytes:
    """Read the text of a grant from any file; raise GrantError (grant_not_found)."""
    try:
        with open(name, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise GrantError(GRANT_NOT_FOUND, f"`{name}`: {(error.strerror or str(error)).lower()}") from None


def _differs(old: "Found | None", new: "Found | None") -> bool:
    return not isinstance(old, bytes) or old != new


def version_of(found: "Found | None") -> Version:
    """Return the side of a change that a text is."""
    if found is None:
        return ABSENT
    try:
        return Version(decode(found)) if isinstance(found, bytes) else Version(None, found.detail)
    except GrantError as error:
        return Version(None, error.detail)


def _change(name: str, old: Version, new: Version) -> Change:
    named = escalations(new.grant) if new.grant is not None else ()
    return Change(name, old, new, compare(old.grant, new.grant), named)
