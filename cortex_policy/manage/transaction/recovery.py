"""Finish or drop an interrupted write, as the grants and `hooks.toml` on disk show, not as the write intended."""

from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles, open_grants_read_only_with_held_lock
from cortex_policy.manage.transaction.stamp_file import (
    check_digest_is_stamped,
    compute_content_digest_or_none,
    read_supported_stamp_or_none,
    replace_stamp,
    update_digests,
)
from cortex_policy.state.history import HistoryWriter
from cortex_policy.state.stamp import Stamp
from cortex_policy.state.writer_lock import WriterLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state.history_entry import HistoryEntry


def recover_last_write(lock: WriterLock, history: HistoryWriter) -> None:
    """Make the stamp and the history agree with the grants on disk; the caller holds the lock."""
    stamp = read_supported_stamp_or_none(lock.policy)
    if stamp is None:
        stamp = _finish_first_write(lock, history.read_pending_entry())
    elif stamp.pending:
        with open_grants_read_only_with_held_lock(lock) as files:
            stamp = replace_stamp(lock, _stamp_after_recovery(stamp, files))
    history.name_or_drop_pending_entry(stamp)


def _stamp_after_recovery(stamp: Stamp, files: GrantFiles) -> Stamp:
    """Return a stamp without its pending write: with its digests if it was made, else without them."""
    current = {name: compute_content_digest_or_none(files.read(name)) for name in stamp.pending}
    completed = {name: new for name, (_, new) in stamp.pending.items() if current[name] == new}
    # a write is one step: if one file is still the old one, nothing was done. All else is a hand edit
    is_one_still_old = any(old != new and current[name] == old for name, (old, new) in stamp.pending.items())
    if is_one_still_old or not completed:
        return Stamp(stamp.version, stamp.digests, {})
    return Stamp(stamp.version + 1, update_digests(stamp.digests, completed), {})


def check_file_stamped(files: GrantFiles, name: str, data: bytes | None) -> None:
    """Raise GrantError (23) if a file differs from its stamp as recovery leaves it: a write is refused."""
    stamp = read_supported_stamp_or_none(files.policy)
    if stamp is not None:
        # without the lock a write may be pending
        after = _stamp_after_recovery(stamp, files) if stamp.pending else stamp
        check_digest_is_stamped(files.root, after, name, compute_content_digest_or_none(data))


def _finish_first_write(lock: WriterLock, entry: "HistoryEntry | None") -> Stamp | None:
    """Finish the first write of a root, which has no stamp yet; return None if it was not made."""
    if entry is None or entry.version != 1 or not entry.changes:
        return None
    with open_grants_read_only_with_held_lock(lock) as files:
        if any(compute_content_digest_or_none(files.read(one.id)) != one.new for one in entry.changes):
            return None
        return replace_stamp(lock, Stamp(1, files.read_digests(), {}))
