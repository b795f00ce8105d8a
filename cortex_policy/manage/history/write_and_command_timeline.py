"""What operators did to a root, newest first: the writes of its grants, and the commands that write none."""

import os
import pwd
from contextlib import suppress
from heapq import merge

from cortex_policy import state
from cortex_policy.core import Value
from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import PROJECT, SYSTEM, USER
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.diff.grants import GrantDiff, compare_grant_bytes
from cortex_policy.manage.history.writes import read_writes_newest_first
from cortex_policy.state import Root
from cortex_policy.state.control_command_record import CommandRecord
from cortex_policy.state.control_command_record_reader import (
    iterate_command_records_newest_first,
    iterate_command_records_of_other_user,
)
from cortex_policy.state.emergency_stop import EmergencyStop, find_host_stop_in_settings_directory, find_root_stop
from cortex_policy.state.history import CorruptEntry
from cortex_policy.state.history_entry import Author, HistoryEntry
from cortex_policy.state.settings import find_settings_directory_of_place
from cortex_policy.state.stamp import compute_content_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


ROOT_USER = 0


class Timeline(Value):
    """The writes and commands, newest first, and the texts of grants that are kept, by digest.

    Then files that are neither, the error if others can write the history, and whether a history is kept.
    """

    steps: tuple[HistoryEntry | CommandRecord, ...]
    texts: "Mapping[str, bytes]"
    corrupt_entries: tuple[CorruptEntry, ...]
    unsafe_error: GrantError | None
    is_enabled: bool


def read_timeline(root: Root, grant_id: str | None = None) -> Timeline:
    """Return what was done to a root, or to one of its grants; take no lock."""
    history = read_writes_newest_first(root, grant_id)
    found = [one for place in (SYSTEM, USER, PROJECT) for one in _read_records(place, root)]
    found += _read_records_of_owner(root)
    records = [one for one in found if isinstance(one, CommandRecord)]
    records = [one for one in (*_find_unrecorded_stops(root, records), *records) if grant_id in (None, one.grant_id)]
    records.sort(key=lambda record: record.begun_ns, reverse=True)
    corrupt = (one for one in found if isinstance(one, CorruptEntry))
    texts = {compute_content_digest(text): text for entry in history.entries for text in entry.texts}
    both: list[Iterable[HistoryEntry | CommandRecord]] = [records, history.entries]
    steps = merge(*both, key=lambda step: step.written_at, reverse=True)  # each stays in its order if a clock went back
    return Timeline(tuple(steps), texts, (*history.corrupt_entries, *corrupt), history.unsafe_error, history.is_enabled)


def find_grants_of_step(step: HistoryEntry | CommandRecord) -> tuple[str, ...]:
    """Return the grants that a step names; one that recorded all grants as found names none."""
    return tuple(step.ids) if isinstance(step, HistoryEntry) else (step.grant_id,) if step.grant_id else ()


def make_entry_diffs(entry: HistoryEntry, texts: "Mapping[str, bytes]") -> dict[str, GrantDiff]:
    """Return what an entry means for each of its grants whose texts are kept; a rename means nothing."""
    renamed = {one.old for one in entry.changes} & {one.new for one in entry.changes} - {None}
    changes = {}
    for one in entry.changes:
        old = one.data if one.data is not None else texts.get(one.old or "")
        new = texts.get(one.new or "")
        is_known = (one.old is None or old is not None) and (one.new is None or new is not None)
        if is_known and not renamed & {one.old, one.new}:
            changes[one.id] = compare_grant_bytes(one.id, old, new)
    return changes


def _read_records(place: str, root: Root) -> "Iterator[CommandRecord | CorruptEntry]":
    try:
        yield from iterate_command_records_newest_first(place, root.path)
    except FileNotFoundError:  # there are none
        return
    except (OSError, GrantError) as error:
        why = error.detail if isinstance(error, GrantError) else format_os_error_cause(error)
        yield CorruptEntry(f"{find_settings_directory_of_place(place, root.path)}/history", why)


def _read_records_of_owner(root: Root) -> "list[CommandRecord | CorruptEntry]":
    """Return what the owner of a root changed in their own settings, if the caller is root and may see it."""
    with suppress(OSError, KeyError):
        owner = os.stat(root.path).st_uid
        if os.geteuid() == ROOT_USER != owner:
            return list(iterate_command_records_of_other_user(pwd.getpwuid(owner)))
    return []


def _find_unrecorded_stops(root: Root, records: list[CommandRecord]) -> "Iterator[CommandRecord]":
    """Yield a record for each stop in effect that was made without this program, from what its file says."""
    known = [one.command for one in records if one.command in ("stop", "resume")]
    of_root = find_root_stop(root) if known[:1] != ["stop"] else None
    for stop, place in ((find_host_stop_in_settings_directory(state.SYSTEM_SETTINGS), SYSTEM), (of_root, PROJECT)):
        if stop is not None and stop.timestamp is not None:
            with suppress(OSError):
                yield _stop_record(stop, place, os.lstat(stop.file).st_uid)


def _stop_record(stop: EmergencyStop, place: str, uid: int) -> CommandRecord:
    author = Author(stop.by or "", uid)
    begun_ns = int((stop.stopped_at or 0) * 1_000_000_000)
    return CommandRecord(stop.timestamp or "", author, "stop", "", stop.reason or "", place=place, begun_ns=begun_ns)
