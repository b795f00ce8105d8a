"""Read the history of a root: its writes, and a grant or `hooks.toml` at an earlier version."""

from cortex_policy.core import Value
from cortex_policy.core.model import GRANT_NOT_FOUND, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff, compare_grant_bytes
from cortex_policy.manage.history.texts_by_digest import find_texts_by_digest
from cortex_policy.state import Root, history, history_trust
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.history import CorruptEntry, read_max_history_entries
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.policy_files import (
    check_grant_id_or_hooks_toml,
    hint_at_grant_or_nothing,
    is_valid_policy_text,
    read_policy_file_or_none,
)
from cortex_policy.state.stamp import Stamp, compute_content_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_KNOWN_WRITES_HINT = "see the known writes with `cortex-policy log"


class WriteHistory(Value):
    """The writes, newest first, corrupt entries, the error if others can write the history, and whether it is on."""

    entries: tuple[HistoryEntry, ...]
    corrupt_entries: tuple[CorruptEntry, ...]
    unsafe_error: GrantError | None
    is_enabled: bool = True


class GrantAtVersion(Value):
    """The text of a grant at a version, what it allowed, and the error if others can write the history."""

    id: str
    version: int
    text: bytes
    change: GrantDiff
    unsafe_error: GrantError | None = None


def read_writes_newest_first(root: Root, grant_id: str | None = None) -> WriteHistory:
    """Return the writes of a root, or of one of its grants, without a lock."""
    if grant_id is not None:
        check_grant_id_or_hooks_toml(grant_id)
    try:
        stamp = stamps.read_stamp(root)
    except GrantError:  # commands that need the stamp report it
        stamp = None
    entries = tuple(history.iterate_entries_newest_first(root, stamp))
    written = tuple(one for one in entries if isinstance(one, HistoryEntry) and _is_about_grant(one, grant_id))
    corrupt_entries = tuple(one for one in entries if isinstance(one, CorruptEntry))
    return WriteHistory(
        written, corrupt_entries, history_trust.find_unsafe_history_error(root), bool(written) or _is_enabled(root)
    )


def _is_enabled(root: Root) -> bool:
    try:
        return read_max_history_entries(root.path) > 0
    except GrantError:  # commands that need the settings report them
        return True


def read_grant_at_version(root: Root, grant_id: str, version: int) -> GrantAtVersion:
    """Return a grant as it was at a version; raise GrantError (20) if there was none, NotDoneError if unknown."""
    check_grant_id_or_hooks_toml(grant_id)
    stamp = stamps.read_stamp(root)
    if stamp is None:
        raise NotDoneError("there is no stamp, so there are no versions", f"make one with `{_stamp_command(root)}`")
    later = [
        one
        for entry in find_entries_after_version(root, stamp, version, history.iterate_entries_newest_first(root, stamp))
        for one in entry.changes
        if one.id == grant_id
    ]
    digest = later[-1].stamp_digest_before if later else stamp.digests.get(grant_id)
    if digest is None:
        hint = f"{_KNOWN_WRITES_HINT} {grant_id}{format_root_option(root)}`"
        raise GrantError(GRANT_NOT_FOUND, f"there was no `{grant_id}` at version {version}", hint)
    text = read_policy_file_or_none(root, grant_id)
    if text is None or compute_content_digest(text) != digest:
        text = find_texts_by_digest(root, [digest]).get(digest)
        if text is None:
            raise make_unknown_text_error(root, grant_id, f"version {version} of `{grant_id}` is not kept")
        require_valid_text_or_own_history(root, grant_id, text)
    change = compare_grant_bytes(grant_id, None, text)
    return GrantAtVersion(
        grant_id, version, text, change, history_trust.find_unsafe_history_error(root) if later else None
    )


def find_entries_that_led_to_stamp(
    stamp: Stamp, entries: "Iterable[HistoryEntry | CorruptEntry]"
) -> "Iterator[HistoryEntry]":
    """Yield the writes that led to a stamp, newest first, as long as each fits the state after it.

    Other entries are from another branch, or from a stamp that was removed since. Nothing is known of the time before
    an entry that stamped grants which had no stamp.
    """
    state: dict[str, str | None] = {**stamp.digests}
    version = stamp.version
    for entry in entries:
        if not isinstance(entry, HistoryEntry) or entry.version != version:
            continue
        if all(state.get(one.id) == one.new for one in entry.changes):
            yield entry
            if entry.has_unknown_previous:
                return
            state |= {one.id: one.stamp_digest_before for one in entry.changes}
            version = entry.previous_version


def find_entries_after_version(
    root: Root, stamp: Stamp, version: int, found: "Iterable[HistoryEntry | CorruptEntry]"
) -> tuple[HistoryEntry, ...]:
    """Return the writes after a version, newest first; raise NotDoneError if some are not known."""
    if version > stamp.version:
        raise NotDoneError(f"there is no version {version} yet; the stamp is at version {stamp.version}")
    reached, entries = stamp.version, []
    for entry in find_entries_that_led_to_stamp(stamp, found):
        if reached <= version:
            break
        if entry.has_unknown_previous:
            raise NotDoneError(
                f"version {entry.version} stamped grants that had no stamp before: their earlier text is not known"
            )
        entries.append(entry)
        reached = entry.previous_version
    if reached < version:
        raise NotDoneError(f"version {version} was on another branch, which version {entries[-1].version} merged")
    if reached > version:
        raise NotDoneError(
            f"the history does not reach back to version {version}: {_end_of_history_text(root, stamp, reached)}"
        )
    return tuple(entries)


def find_last_write_or_raise_if_not_undoable(root: Root, stamp: Stamp, grant_id: str | None) -> HistoryEntry:
    """Return the last write of the root, or of a grant if no later write depends on it.

    Raise NotDoneError if it is not known. A merge that changed nothing here is passed over.
    """
    found = tuple(history.iterate_entries_newest_first(root, stamp))
    later: dict[str, int] = {}
    has_gap = True
    for entry in find_entries_that_led_to_stamp(stamp, found):
        if grant_id in entry.ids if grant_id is not None else entry.changes or entry.has_unknown_previous:
            return _require_undoable(root, entry, later)
        later |= {other: later.get(other, entry.version) for other in entry.ids}
        has_gap = entry.previous_version > 0 and not entry.has_unknown_previous
    beyond = _entry_beyond_gap(stamp, found, grant_id) if grant_id is not None and has_gap else None
    if beyond is not None:
        return _require_undoable(root, beyond, later)
    hint = f"{_KNOWN_WRITES_HINT}{format_root_option(root)}`"
    if grant_id is not None:
        message = f"the history has no write that explains the present text of `{grant_id}`"
        raise NotDoneError(message, f"{hint_at_grant_or_nothing(root, grant_id)} {hint}".strip())
    one = f"undo the last known write of a grant with `cortex-policy undo GRANT{format_root_option(root)}`"
    raise NotDoneError(f"the history does not know how version {stamp.version} was made", f"{hint}; {one}")


def _require_undoable(root: Root, entry: HistoryEntry, later: "Mapping[str, int]") -> HistoryEntry:
    """Return the entry; raise NotDoneError if a later write must be undone first, or the text before is not known."""
    for other in entry.ids:
        if other in later:
            hint = f"undo the later write first with `cortex-policy undo {other}{format_root_option(root)}`"
            raise NotDoneError(
                f"version {entry.version} also wrote `{other}`, which version {later[other]} wrote again", hint
            )
    if entry.has_unknown_previous:
        raise NotDoneError(
            f"version {entry.version} stamped grants that had no stamp before: their earlier text is not known"
        )
    return entry


def _entry_beyond_gap(
    stamp: Stamp, found: "Iterable[HistoryEntry | CorruptEntry]", grant_id: str
) -> HistoryEntry | None:
    """Return the last known write that left a grant as it is stamped, if git merged or an entry is missing since.

    None for a grant that is gone: it may never have been on this branch.
    """
    for entry in found:
        if isinstance(entry, HistoryEntry) and grant_id in entry.ids and entry.version < stamp.version:
            is_here = all(stamp.digests.get(one.id) == one.new for one in entry.changes)
            if is_here and stamp.digests.get(grant_id) is not None:
                return entry
    return None


def _end_of_history_text(root: Root, stamp: Stamp, reached: int) -> str:
    see = f"see it with `cortex-policy log{format_root_option(root)}`"
    if reached == stamp.version:
        return f"it does not say how version {reached} was made; {see}"
    return f"it begins after version {reached}; {see}"


def make_unknown_text_error(root: Root, grant_id: str, detail: str) -> NotDoneError:
    """Return the error for a text that neither the history nor the last commit has."""
    option = format_root_option(root)
    known = f"see `cortex-policy log {grant_id}{option}`, then `cortex-policy undo --to VERSION{option}`"
    return NotDoneError(detail, f"an older text may be known: {known}")


def require_valid_text_or_own_history(root: Root, grant_id: str, text: bytes) -> None:
    """Raise NotDoneError for a text that is not valid, if another user can write the history."""
    if not (is_valid_policy_text(grant_id, text) or history_trust.is_history_owned_by_caller(root)):
        raise NotDoneError(
            f"the history's text of `{grant_id}` is not valid, and another user could have written this text",
            "ask the owner of the history to run this command",
        )


def _is_about_grant(entry: HistoryEntry, grant_id: str | None) -> bool:
    return grant_id is None or grant_id in entry.ids or entry.has_unknown_previous


def _stamp_command(root: Root) -> str:
    return f"cortex-policy stamp write{format_root_option(root)}"
