"""The last writes of a root, one file each, so that they can be undone.

An entry is `pending.json` until the stamp has its version; then it gets its final name, so that a named entry is always
true. Names count up in the order of the writes, since a clock may go back, and so may a version if git moves a stamp.
"""

import os
import re
from contextlib import suppress
from time import time

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError
from cortex_policy.core.model import GRANT_UNSAFE, CortexPolicyError, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import Root, exists_or_unknown, history_entry
from cortex_policy.state.atomic_write import replace_file_atomically, sync_directory
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.safe_directories import make_directory, open_child_directory
from cortex_policy.state.settings import read_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.state.stamp import Stamp
    from cortex_policy.state.writer_lock import WriterLock

PENDING, IGNORED, NAME, COMMANDS = "pending.json", ".gitignore", "history", "commands"
_NAME = re.compile(r"([0-9]{8,18})-v([0-9]{1,16})\.json")
_OURS = (PENDING, IGNORED, COMMANDS)
DAY = 86_400
MAX_BYTES = 96 << 20  # of all entries that are read, the newest first


class HistoryLimits(Value):
    """How much of the past is kept: the number of writes (0 turns the history off), and their age in days.

    A hundred writes are about three months of a busy root, and a few hundred KiB. Older texts are in version control,
    and should not be kept here for ever.
    """

    entries: int = 100
    days: int = 90


class CorruptEntry(Value):
    """A file in the history that is not an entry, and why."""

    file: str
    problem: str


class HistoryWriter:
    """Records the writes of a root, while its lock is held."""

    def __init__(self, lock: "WriterLock", limits: HistoryLimits) -> None:
        """Store the held lock and the limits."""
        self._lock, self._limits = lock, limits

    @property
    def is_enabled(self) -> bool:
        """Whether anything is kept."""
        return self._limits.entries > 0

    def begin_write(self, entry: HistoryEntry) -> None:
        """Record the write that is about to happen; raise NotDoneError if that fails, since it could not be undone."""
        if not self.is_enabled:
            return
        policy = self._lock.policy
        try:
            create_history_directory(policy.descriptor)
            with self._lock.open_below(NAME) as directory:
                replace_file_atomically(
                    directory.descriptor, PENDING, history_entry.encode_entry(entry), 0o600, self._lock.check_held
                )
        except OSError as error:
            file = os.path.join(policy.path, NAME, error.filename or "")
            detail = f"`{file}`: {format_os_error_cause(error)}"
            raise NotDoneError(
                detail, "a change is written only if it can be undone; make room for the history, then try again"
            ) from None

    def read_pending_entry(self) -> HistoryEntry | None:
        """Return the entry of an unfinished write, None if there is none or it cannot be read."""
        with suppress(FileNotFoundError, GrantError), self._lock.open_below(NAME) as directory:
            return _read_or_none(directory, PENDING)
        return None

    def name_or_drop_pending_entry(self, stamp: "Stamp | None") -> None:
        """Name the pending entry if the stamp has its version, which says that the write was made; else drop it.

        If the disk fails, the next writer does it.
        """
        self._lock.check_held()  # without it the entry may be another writer's
        with suppress(OSError), self._lock.open_below(NAME) as directory:
            try:
                entry = _read_or_none(directory, PENDING)
            except GrantError:  # a link, or not a file: the next write reports it
                return
            known = _keep_stamped_changes(entry, stamp) if entry is not None and stamp is not None else None
            if known is None:
                os.unlink(PENDING, dir_fd=directory.descriptor)
                return
            if known != entry:
                replace_file_atomically(directory.descriptor, PENDING, history_entry.encode_entry(known), 0o600)
            last = max((number for number, _ in list_numbered_entry_names(directory)), default=0)
            name = f"{last + 1:08}-v{known.version}.json"
            os.rename(PENDING, name, src_dir_fd=directory.descriptor, dst_dir_fd=directory.descriptor)
            sync_directory(directory.descriptor)

    def commit_and_prune(self, stamp: "Stamp") -> None:
        """Name the entry of the write that was just made, and remove excess ones; on failure the next writer does."""
        with suppress(CortexPolicyError):
            self.name_or_drop_pending_entry(stamp)
            self._prune_entries()

    def drop_entry_of_failed_write(self, old: "Stamp | None") -> None:
        """Drop the entry of a write that was not made, if possible; errors here are not reported, the first one is.

        The stamp is still the old one: its version is below that of the entry, so the entry is not named.
        """
        with suppress(CortexPolicyError):
            self.name_or_drop_pending_entry(old)

    def _prune_entries(self) -> None:
        # the oldest first; the last write stays, however old it is
        with suppress(OSError), self._lock.open_below(NAME) as directory:
            names = [name for _, name in list_numbered_entry_names(directory)]
            excess = max(len(names) - max(self._limits.entries, 0), 0)
            before = time() - self._limits.days * DAY
            for index, name in enumerate(names):
                status = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
                if index >= excess and (status.st_mtime >= before or index == len(names) - 1):
                    return
                os.unlink(name, dir_fd=directory.descriptor)


def create_history_directory(top: int, mode: int = 0o700) -> None:
    """Make the directory of the history below an open one, unless it exists; git ignores it."""
    make_directory(top, NAME, mode)
    directory = open_child_directory(top, NAME)
    try:
        if not exists_or_unknown(IGNORED, directory):
            replace_file_atomically(directory, IGNORED, b"*\n", mode & 0o666)
    finally:
        os.close(directory)


def _keep_stamped_changes(entry: HistoryEntry, stamp: "Stamp") -> HistoryEntry | None:
    """Return the part of an entry that the stamp has as its last write, None if there is no such part.

    After an interrupted rename and a hand edit, only half of the entry may be left.
    """
    changes = tuple(one for one in entry.changes if stamp.digests.get(one.id) == one.new)
    is_whole = changes == entry.changes
    if entry.version != stamp.version or not (changes or entry.has_unknown_previous or is_whole):
        return None
    if is_whole:
        return entry
    verdict = "widened" if any(one.new is not None for one in changes) else "narrowed"  # half a rename is not a rename
    return HistoryEntry(
        entry.version, entry.written_at, entry.author, entry.command, verdict, "", changes, written=entry.written
    )


def iterate_entries_newest_first(root: Root, stamp: "Stamp | None") -> "Iterator[HistoryEntry | CorruptEntry]":
    """Yield the entries, the newest first, and files that are not entries; take no lock."""
    with suppress(FileNotFoundError), PolicyDirectory(TrustCheck(root), NAME) as directory:
        known = _find_committed_entry(directory, stamp)
        if known is not None:
            yield known
        numbered = list_numbered_entry_names(directory)
        remaining = MAX_BYTES
        for _, name in reversed(numbered):
            with suppress(FileNotFoundError):  # pruned since it was listed
                remaining -= os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False).st_size
                if remaining < 0:
                    more = f"it and older entries are not read: the history is larger than {MAX_BYTES >> 20} MiB"
                    yield CorruptEntry(f"{directory.path}/{name}", more)
                    break
                entry = _read_or_report(directory, name)
                if entry != known:  # it got its name in between
                    yield entry
        own_names = {*(name for _, name in numbered), *_OURS}
        for name in sorted(set(os.listdir(directory.descriptor)) - own_names):
            if not name.startswith(".new-"):
                yield CorruptEntry(f"{directory.path}/{name}", "it is not an entry")


def _find_committed_entry(directory: PolicyDirectory, stamp: "Stamp | None") -> HistoryEntry | None:
    """Return the entry of a completed write whose writer was killed before it named the entry."""
    with suppress(FileNotFoundError):
        pending = _read_or_report(directory, PENDING)
        if isinstance(pending, HistoryEntry) and stamp is not None:
            return _keep_stamped_changes(pending, stamp)
    return None


def _read_or_report(directory: PolicyDirectory, name: str) -> "HistoryEntry | CorruptEntry":
    file = f"{directory.path}/{name}"
    try:
        entry = history_entry.decode_entry(directory.read(name, history_entry.MAX_ENTRY_BYTES + 1))
    except (MalformedError, CortexPolicyError) as error:
        return CorruptEntry(file, error.detail if isinstance(error, CortexPolicyError) else str(error))
    match = _NAME.fullmatch(name)
    return CorruptEntry(file, "its name and its version differ") if match and int(match[2]) != entry.version else entry


def _read_or_none(directory: PolicyDirectory, name: str) -> HistoryEntry | None:
    """Return an entry, None for a malformed one; raise GrantError for a link, or a file that is not private."""
    try:
        return history_entry.decode_entry(directory.read(name, history_entry.MAX_ENTRY_BYTES + 1))
    except MalformedError:
        return None


def list_numbered_entry_names(directory: PolicyDirectory) -> list[tuple[int, str]]:
    """Return the numbers and names of the entries, the oldest first; raise GrantError if they cannot be listed."""
    try:
        names = os.listdir(directory.descriptor)
    except OSError as error:
        raise GrantError(GRANT_UNSAFE, f"`{directory.path}`: {format_os_error_cause(error)}") from None
    return sorted((int(match[1]), name) for name in names if (match := _NAME.fullmatch(name)))


def read_max_history_entries(root: str) -> int:
    """Return how many writes can be undone, 0 if no history is kept."""
    value = read_setting("history.keep", root)
    return value if isinstance(value, int) else 0
