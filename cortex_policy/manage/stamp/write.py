"""Write the stamp of a root, so that it accepts the grants as they are now."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.editing.validity import require_valid_policy_text
from cortex_policy.manage.history.hand_edits import HandEdit, find_hand_edits
from cortex_policy.manage.stamp.write_steps import (
    are_grants_owned_by_caller,
    decode_stamp_or_none,
    find_highest_version_in_text,
    finish_interrupted_history_entry,
    increment_stamp_version,
    read_old_stamp_bytes_or_empty,
    write_entry_and_stamp,
)
from cortex_policy.manage.transaction.read_only_grant_files import open_grants_read_only_with_held_lock
from cortex_policy.manage.transaction.record import make_entry_for_stamp, read_history_limits
from cortex_policy.manage.transaction.recovery import recover_last_write
from cortex_policy.manage.transaction.stamp_file import require_no_unknown_stamp_members
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.history import HistoryWriter
from cortex_policy.state.stamp import Stamp, compute_content_digest
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, WriterLock, hold_writer_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    ShowAndAsk = Callable[
        [PolicyDiff], None
    ]  # prints the change, but not for JSON, and asks; raises if the answer is no


_NO_STAMP = "there is no stamp yet: every grant counts as new"
_BROKEN_STAMP = (
    "the stamp cannot be read: every grant counts as new; after a merge use `cortex-policy stamp merge` instead"
)


class StampResult(Value):
    """The stamp, whether it was written, and what it accepts that the one before did not."""

    stamp: Stamp
    is_written: bool
    diff: PolicyDiff


def write_stamp(root: Root, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT) -> StampResult:
    """Stamp every grant as it is now; ask for consent to what differs from the stamp before.

    Raise GrantError (21) for a grant that differs and does not load.
    """
    with hold_writer_lock(root, lock_wait) as lock:
        history, file = HistoryWriter(lock, read_history_limits(root)), stamps.make_stamp_path(root.path)
        with suppress(CortexPolicyError):  # an error here is reported below, or the stamp is made again
            recover_last_write(lock, history)
        data = read_old_stamp_bytes_or_empty(lock.policy, file)
        old = decode_stamp_or_none(root, data)
        digests, now = read_digests_and_differing_bytes(lock, old)
        if old is None:
            finish_interrupted_history_entry(history, digests)
        edits = find_hand_edits(root, old, now)
        notes = (_NO_STAMP if not data else _BROKEN_STAMP,) if old is None and edits else ()
        settings = load_settings_for_grant_comparison(root.path)
        diff = PolicyDiff(tuple(edit.to_diff(settings) for edit in edits), len(digests) - len(now), (), notes)
        if old is not None and old.digests == digests and not old.pending:
            return StampResult(old, is_written=False, diff=diff)
        version = increment_stamp_version(
            require_no_unknown_stamp_members(old, file)
            if old is not None
            else find_highest_version_in_text(data, file),
            file,
        )
        for edit in edits:
            _raise_if_edit_invalid(root, edit)
        show_and_ask(diff)
        # INVARIANT: the digests are those of the texts that were shown
        new = Stamp(version, digests, {})
        texts = {edit.id: (edit.old, now[edit.id]) for edit in edits}
        is_own = are_grants_owned_by_caller(lock)
        write_entry_and_stamp(
            lock, history, new, make_entry_for_stamp("stamp write", old, new, texts, diff, is_owned_by_caller=is_own)
        )
        return StampResult(new, is_written=True, diff=diff)


def read_digests_and_differing_bytes(
    lock: WriterLock, stamp: Stamp | None
) -> tuple[dict[str, str], dict[str, bytes | None]]:
    """Return the digest of every file, and the bytes of those that differ from a stamp, None for no file."""
    digests: dict[str, str] = {}
    stamped = stamp.digests if stamp is not None else {}
    differing: dict[str, bytes | None] = {}
    with open_grants_read_only_with_held_lock(lock) as files:
        for name in files.list_names():
            data = files.read(name)
            if data is not None:
                digests[name] = compute_content_digest(data)
                if digests[name] != stamped.get(name):
                    differing[name] = data
    return digests, differing | dict.fromkeys(stamped.keys() - digests.keys())


def _raise_if_edit_invalid(root: Root, edit: HandEdit) -> None:
    if isinstance(edit.new, bytes):
        where = format_root_option(root)
        hint = f"fix the file, or take it back with `cortex-policy undo {edit.id}{where}`"
        require_valid_policy_text(root, edit.id, edit.new, hint)
