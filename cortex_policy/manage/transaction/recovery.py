"""Finish or drop an interrupted write, as the grants and `hooks.toml` on disk show, not as the write intended."""

from cortex_policy.core.model import STAMP_MISMATCH, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles, open_grants_read_only_with_held_lock
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import replace_file_atomically
from cortex_policy.state.grants import PolicyDirectory
from cortex_policy.state.grants_errors import format_root_option, make_hand_edit_hint
from cortex_policy.state.history import HistoryWriter
from cortex_policy.state.stamp import Stamp, compute_content_digest
from cortex_policy.state.writer_lock import WriterLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.state.history_entry import HistoryEntry

    # the old and new bytes of each grant by its id, and of `hooks.toml` by that name; None: no such file
    FileChanges = Mapping[str, tuple[bytes | None, bytes | None]]


def recover_last_write(lock: WriterLock, history: HistoryWriter) -> None:
    """Make the stamp and the history agree with the grants on disk; the caller holds the lock."""
    stamp = read_supported_stamp_or_none(lock.policy)
    if stamp is None:
        stamp = _finish_first_write(lock, history.read_pending_entry())
    elif stamp.pending:
        with open_grants_read_only_with_held_lock(lock) as files:
            stamp = replace_stamp(lock, _stamp_after_recovery(stamp, files))
    history.finish_pending(stamp)


def _stamp_after_recovery(stamp: Stamp, files: GrantFiles) -> Stamp:
    """Return a stamp without its pending write: with its digests if it was made, else without them."""
    now = {name: compute_content_digest_or_none(files.read(name)) for name in stamp.pending}
    completed = {name: new for name, (_, new) in stamp.pending.items() if now[name] == new}
    # a write is one step: if one file is still the old one, nothing was done. All else is a hand edit
    if any(now[name] == old != new for name, (old, new) in stamp.pending.items()):
        completed = {}
    return Stamp(stamp.version + bool(completed), update_digests(stamp.digests, completed), {})


def check_file_stamped(files: GrantFiles, name: str, data: bytes | None) -> None:
    """Raise GrantError (23) if a file differs from its stamp: a write would be refused."""
    stamp = read_supported_stamp_or_none(files.policy)
    if stamp is not None:
        # without the lock a write may be pending
        after = _stamp_after_recovery(stamp, files) if stamp.pending else stamp
        check_digest_is_stamped(files.root, after, name, compute_content_digest_or_none(data))


def check_digest_is_stamped(root: Root, stamp: Stamp, name: str, digest: str | None) -> None:
    """Raise GrantError (23) if the digest of a file is not the one in its stamp."""
    if stamp.digests.get(name) != digest:
        raise GrantError(STAMP_MISMATCH, f"`{name}`", make_hand_edit_hint(format_root_option(root), name))


def _finish_first_write(lock: WriterLock, entry: "HistoryEntry | None") -> Stamp | None:
    """Finish the first write of a root, which has no stamp yet; return None if it was not made."""
    if entry is None or entry.version != 1 or not entry.changes:
        return None
    with open_grants_read_only_with_held_lock(lock) as files:
        if any(compute_content_digest_or_none(files.read(one.id)) != one.new for one in entry.changes):
            return None
        return replace_stamp(lock, Stamp(1, files.read_digests(), {}))


def replace_stamp(lock: WriterLock, stamp: Stamp) -> Stamp:
    """Write the stamp while its lock is held, and return it."""
    replace_file_atomically(lock.policy.descriptor, "stamp.json", stamps.encode_stamp(stamp), 0o644, lock.check_held)
    return stamp


def read_supported_stamp_or_none(policy: PolicyDirectory) -> Stamp | None:
    """Return the stamp, None if there is none.

    Raise GrantError (22, 23) if it is a link or broken, NotDoneError if a newer program wrote it.
    """
    root, data = policy.trust.root, stamps.read_stamp_bytes(policy)
    stamp = stamps.decode_stamp_of_root(data, root) if data is not None else None
    if stamp is not None:
        require_no_unknown_stamp_members(stamp, stamps.make_stamp_path(root.path))
    return stamp


def require_no_unknown_stamp_members(old: Stamp, file: str) -> int:
    """Return the version of a stamp; raise NotDoneError if a newer program wrote members unknown to this one."""
    if old.unknown:
        names = ", ".join(f"`{name}`" for name in old.unknown)
        raise NotDoneError(f"`{file}` holds {names}, which this program does not know", stamps.NEWER)
    return old.version


def make_pending_digest_pairs(
    changes: "FileChanges", *, is_hand_edit: bool
) -> dict[str, tuple[str | None, str | None]]:
    """Return the old and new digests that a stamp records for pending changes.

    Readers accept both, so a hand edit that is undone is not among them: the new one takes its place.
    """
    pairs = {
        name: (compute_content_digest_or_none(old), compute_content_digest_or_none(new))
        for name, (old, new) in changes.items()
    }
    return {name: (new if is_hand_edit else old, new) for name, (old, new) in pairs.items()}


def update_digests(digests: "Mapping[str, str]", new: "Mapping[str, str | None]") -> dict[str, str]:
    """Return the digests of a stamp after a change; None removes one."""
    return {name: digest for name, digest in {**digests, **new}.items() if digest is not None}


def compute_content_digest_or_none(data: bytes | None) -> str | None:
    """Return the digest of a file's bytes, None for no file."""
    return None if data is None else compute_content_digest(data)
