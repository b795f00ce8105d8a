"""Put the stamp right after a merge: it accepts what either side had stamped, and nothing else."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.editing.validity import require_valid_policy_text
from cortex_policy.manage.history.hand_edits import find_hand_edits
from cortex_policy.manage.stamp.merge_sides import MergeSides, read_merge_sides_or_none
from cortex_policy.manage.stamp.write import read_digests_and_differing_bytes
from cortex_policy.manage.stamp.write_steps import (
    are_grants_owned_by_caller,
    decode_stamp_or_none,
    finish_interrupted_history_entry,
    increment_stamp_version,
    read_old_stamp_bytes_or_empty,
    write_entry_and_stamp,
)
from cortex_policy.manage.transaction.record import make_entry_for_stamp, read_history_limits
from cortex_policy.manage.transaction.recovery import recover_last_write
from cortex_policy.manage.transaction.stamp_file import require_no_unknown_stamp_members
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.history import HistoryWriter
from cortex_policy.state.stamp import Stamp
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, WriterLock, hold_writer_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class MergeResult(Value):
    """The stamp, whether it was written, what it accepts that ours did not, and the grants that no side had stamped."""

    stamp: Stamp
    is_written: bool
    diff: PolicyDiff
    unstamped: tuple[str, ...]


def write_stamp_after_merge(root: Root, lock_wait: LockWait = NO_WAIT) -> MergeResult:
    """Write a stamp of the grants that either side of a merge had stamped, with a version after both.

    A grant that neither side had stamped still differs from it. Raise GrantError (21) if such a grant does not load,
    NotDoneError if the stamp is broken and says nothing.
    """
    with hold_writer_lock(root, lock_wait) as lock:
        history, file = HistoryWriter(lock, read_history_limits(root)), stamps.make_stamp_path(root.path)
        with suppress(CortexPolicyError):  # an error here is reported below, or the stamp is made again
            recover_last_write(lock, history)
        data = read_old_stamp_bytes_or_empty(lock.policy, file)
        current = decode_stamp_or_none(root, data)
        if current is not None:
            require_no_unknown_stamp_members(current, file)
        sides = read_merge_sides_or_none(root, data, is_broken=current is None)
        if sides is None and current is not None:
            sides = MergeSides(current, current, None)
        if sides is None:
            hint = f"make a new one with `cortex-policy stamp write{format_root_option(root)}`"
            raise NotDoneError(f"`{file}` holds no stamp that could be merged", hint)
        return _merge_sides(root, lock, history, sides, current)


def _merge_sides(
    root: Root, lock: WriterLock, history: HistoryWriter, sides: MergeSides, current: Stamp | None
) -> MergeResult:
    """Write the stamp that accepts what a side had stamped, unless the current one does so already."""
    newest = max(sides.ours.version, sides.theirs.version)
    later = current if current is not None and current.version > newest else None  # written since the merge
    before = later or Stamp(sides.ours.version, sides.ours.digests, {})
    digests, texts = read_digests_and_differing_bytes(lock, before)
    if current is None:
        finish_interrupted_history_entry(history, digests)
    grants, unstamped = find_merged_digests_and_unstamped(sides, later, digests)
    for grant_id in unstamped:
        _raise_if_text_invalid(root, grant_id, texts.get(grant_id))
    changed = {name: text for name, text in texts.items() if grants.get(name) != before.digests.get(name)}
    edits = find_hand_edits(root, before, changed)
    settings = load_settings_for_grant_comparison(root.path)
    diff = PolicyDiff(tuple(edit.to_diff(settings) for edit in edits), len(grants) - len(edits), ())
    if current is not None and current.digests == grants and current.version >= newest:
        return MergeResult(current, is_written=False, diff=diff, unstamped=unstamped)
    new = Stamp(increment_stamp_version(max(newest, before.version), stamps.make_stamp_path(root.path)), grants, {})
    replaced = {edit.id: (edit.old, changed[edit.id]) for edit in edits}
    is_own = are_grants_owned_by_caller(lock)
    entry = make_entry_for_stamp("stamp merge", before, new, replaced, diff, is_owned_by_caller=is_own)
    write_entry_and_stamp(lock, history, new, entry)
    return MergeResult(new, is_written=True, diff=diff, unstamped=unstamped)


def find_merged_digests_and_unstamped(
    sides: MergeSides, current: Stamp | None, digests: "Mapping[str, str]"
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the digests of a merged stamp, and the grants that differ from it, from the digests of all grants.

    INVARIANT: a digest is accepted only if a stamp has it for this grant, or for one that the other side renamed to it.
    """
    known = [sides.ours, sides.theirs, *([current] if current is not None else [])]
    before = current or sides.ours
    grants: dict[str, str] = {}
    unstamped = []
    for grant_id in sorted({*digests, *(name for side in known for name in side.digests)}):
        digest = digests.get(grant_id)
        if not (any(side.accepts(grant_id, digest) for side in known) or _is_renamed(sides, grant_id, digest)):
            unstamped.append(grant_id)
            digest = before.digests.get(grant_id)
        if digest is not None:
            grants[grant_id] = digest
    return grants, tuple(unstamped)


def _is_renamed(sides: MergeSides, grant_id: str, digest: str | None) -> bool:
    """Whether one side renamed a grant to this id, and the other changed that grant to this digest."""
    base = sides.base
    if base is None or digest is None or grant_id in base.digests:
        return False
    return any(
        old not in renaming.digests and base.digests.get(old) == renaming.digests.get(grant_id)
        for renaming, changing in ((sides.ours, sides.theirs), (sides.theirs, sides.ours))
        for old, stamped in changing.digests.items()
        if stamped == digest
    )


def _raise_if_text_invalid(root: Root, grant_id: str, text: bytes | None) -> None:
    if text is not None:
        hint = f"resolve it, then run `cortex-policy stamp merge{format_root_option(root)}` again"
        require_valid_policy_text(root, grant_id, text, hint)
