"""Read the history of a root: its writes, and a grant at an earlier version."""

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import GRANT_NOT_FOUND, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff, compare_bytes
from cortex_policy.manage.transaction.record import is_valid_grant
from cortex_policy.manage.transaction.recovery import digest_or_none
from cortex_policy.state import Root, history
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_id
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.history import CorruptEntry, history_length
from cortex_policy.state.history_entry import GrantChange, HistoryEntry
from cortex_policy.state.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOG_HINT = "see the known writes with `cortex-policy log"


class HistoryLog(Value):
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


def read_history_log(root: Root, grant_id: str | None = None) -> HistoryLog:
    """Return the writes of a root, or of one of its grants, without a lock."""
    if grant_id is not None:
        check_id(grant_id)
    try:
        stamp = stamps.read_stamp(root)
    except GrantError:  # commands that need the stamp report it
        stamp = None
    found = tuple(history.read_history(root, stamp))
    written = tuple(one for one in found if isinstance(one, HistoryEntry) and _concerns(one, grant_id))
    corrupt_entries = tuple(one for one in found if isinstance(one, CorruptEntry))
    return HistoryLog(written, corrupt_entries, history.unsafe_history_error(root), bool(written) or _is_enabled(root))


def _is_enabled(root: Root) -> bool:
    try:
        return history_length(root.path) > 0
    except GrantError:  # commands that need the settings report them
        return True


def grant_at(root: Root, grant_id: str, version: int) -> GrantAtVersion:
    """Return a grant as it was at a version; raise GrantError (20) if there was none, NotDoneError if unknown."""
    check_id(grant_id)
    stamp = stamps.read_stamp(root)
    if stamp is None:
        raise NotDoneError("there is no stamp, so there are no versions", f"make one with `{_stamp_command(root)}`")
    change = _first_change_after(root, stamp, grant_id, version)
    if change is not None and change.data is not None:
        require_trusted_text(root, grant_id, change.data)
    text = change.data if change is not None else _current_text(root, stamp, grant_id, version)
    if text is None:
        hint = f"{LOG_HINT} {grant_id}{root_option(root)}`"
        raise GrantError(GRANT_NOT_FOUND, f"there was no `{grant_id}` at version {version}", hint)
    return GrantAtVersion(
        grant_id,
        version,
        text,
        compare_bytes(grant_id, None, text),
        history.unsafe_history_error(root) if change else None,
    )


def entries_newest_first(stamp: Stamp, found: "Iterable[HistoryEntry | CorruptEntry]") -> "Iterator[HistoryEntry]":
    """Yield the writes that led to a stamp, newest first, as long as each fits the state after it.

    Other entries are from another branch, or from a stamp that was removed since. Nothing is known of the time before
    an entry that does not name its changes.
    """
    state: dict[str, str | None] = {**stamp.grants}
    version = stamp.version
    for entry in found:
        if not isinstance(entry, HistoryEntry) or entry.version != version:
            continue
        if all(state.get(one.id) == one.new for one in entry.changes):
            yield entry
            if entry.has_unknown_previous:
                return
            state |= {one.id: one.old for one in entry.changes}
            version -= 1


def entries_since(
    root: Root, stamp: Stamp, version: int, found: "Iterable[HistoryEntry | CorruptEntry]"
) -> tuple[HistoryEntry, ...]:
    """Return the writes after a version, newest first; raise NotDoneError if some are not known."""
    if version > stamp.version:
        raise NotDoneError(f"the stamp is at version {stamp.version}, not at version {version} yet")
    reached, entries = stamp.version, []
    for entry in entries_newest_first(stamp, found):
        if reached <= version:
            break
        if entry.has_unknown_previous:
            raise NotDoneError(f"version {entry.version} recorded existing grants: the previous content was not kept")
        entries.append(entry)
        reached -= 1
    if reached > version:
        raise NotDoneError(
            f"the history does not reach back to version {version}: {_end_of_history(root, stamp, reached)}"
        )
    return tuple(entries)


def _end_of_history(root: Root, stamp: Stamp, reached: int) -> str:
    see = f"see it with `cortex-policy log{root_option(root)}`"
    if reached == stamp.version:
        return f"it does not know how version {reached} was made; {see}"
    return f"what it knows begins after version {reached}; {see}"


def require_content(root: Root, one: GrantChange, entry: HistoryEntry) -> None:
    """Raise NotDoneError if the history does not have the old bytes of a grant."""
    if not one.is_known:
        why = (
            "accepted a hand edit of" if entry.verdict is None else "replaced a text, too large to keep or no grant, of"
        )
        option = root_option(root)
        known = f"see `cortex-policy log {one.id}{option}`, then `cortex-policy undo --to VERSION{option}`"
        hint = f"an older text may be known: {known}"
        raise NotDoneError(f"version {entry.version} {why} `{one.id}`: the previous content was not kept", hint)


def require_trusted_text(root: Root, grant_id: str, text: bytes) -> None:
    """Raise NotDoneError for a text that is not a grant, if another user can write the history."""
    if not (is_valid_grant(text) or history.is_owned_by_caller(root)):
        hint = "the owner of the history can bring it back"
        raise NotDoneError(
            f"what the history has of `{grant_id}` is no grant, and another user could have written it", hint
        )


def _first_change_after(root: Root, stamp: Stamp, grant_id: str, version: int) -> GrantChange | None:
    """Return what the first write after a version replaced; None if the grant was not written since."""
    found = None
    for entry in entries_since(root, stamp, version, history.read_history(root, stamp)):
        for one in entry.changes:
            if one.id == grant_id:
                found = one, entry
    if found is None:
        return None
    require_content(root, *found)
    return found[0]


def _current_text(root: Root, stamp: Stamp, grant_id: str, version: int) -> bytes | None:
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            text: bytes | None = tools.read(f"{grant_id}.json", MAX_BYTES + 1)
    except FileNotFoundError:
        text = None
    if digest_or_none(text) != stamp.grants.get(grant_id):
        hint = f"look at it, then accept it with `{_stamp_command(root)}`"
        raise NotDoneError(
            f"version {version} of `{grant_id}` is not stored: the file was edited by hand after it", hint
        )
    return text


def _concerns(entry: HistoryEntry, grant_id: str | None) -> bool:
    return grant_id is None or grant_id in entry.ids or entry.has_unknown_previous


def _stamp_command(root: Root) -> str:
    return f"cortex-policy stamp write{root_option(root)}"
