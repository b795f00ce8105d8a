"""Bring grants back to what was stamped, to their state before a write, or at a version; each step is a write."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import STAMP_MISMATCH, CortexPolicyError, GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.editing.results import WriteResult
from cortex_policy.manage.history.hand_edits import HandEdit, find_hand_edits
from cortex_policy.manage.history.texts_by_digest import find_texts_by_digest
from cortex_policy.manage.history.undo_step import UndoStep, join_renames
from cortex_policy.manage.history.writes import (
    find_entries_after_version,
    find_last_write_or_raise_if_not_undoable,
    make_unknown_text_error,
    require_valid_text_or_own_history,
)
from cortex_policy.manage.transaction.record import is_to_be_kept_in_history
from cortex_policy.manage.transaction.stamp_file import compute_content_digest_or_none, read_supported_stamp_or_none
from cortex_policy.manage.transaction.version_after_write import Version
from cortex_policy.manage.transaction.writer import make_write_error, open_grants_for_write, open_grants_read_only
from cortex_policy.state import Root, history, history_trust
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants_errors import format_root_option, make_hand_edit_hint
from cortex_policy.state.history import read_max_history_entries
from cortex_policy.state.history_entry import GrantChange, HistoryEntry
from cortex_policy.state.policy_files import check_grant_id_or_hooks_toml
from cortex_policy.state.stamp import compute_content_digest
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles
    from cortex_policy.manage.transaction.writer import GrantWriter
    from cortex_policy.state.stamp import Stamp

    Read = Callable[[str], bytes | None]
    ShowAndAsk = Callable[
        [PolicyDiff], None
    ]  # prints the change, but not for JSON, and asks; raises if the answer is no


class UndoRequest(Value):
    """What to undo: the last write of the root, the last write of a grant, or all writes after a version.

    A hand edit is undone before the last write.
    """

    id: str | None = None
    version: int | None = None


class UndoResult(Value):
    """The steps that were done, and the version they lead to; the error is the one that stopped the rest.

    `is_of_hand_edits` says that the steps take hand edits back, and no writes.
    """

    version: int
    steps: tuple[WriteResult, ...]
    is_of_hand_edits: bool
    error: CortexPolicyError | None = None

    @property
    def diff(self) -> PolicyDiff:
        """What all steps mean together."""
        return _combine_diffs(self.steps)


class _Plan(Value):
    """The version to go back to, and the steps to it."""

    version: int
    steps: tuple[UndoStep, ...]

    @property
    def is_of_hand_edits(self) -> bool:
        """Whether the steps take hand edits back."""
        return any(step.is_hand_edit for step in self.steps)


class _Return(Value):
    """A grant that has to change back: its digest now and then, and the write of a version that changed it."""

    id: str
    current: str | None
    digest: str | None
    change: GrantChange
    version: int


def _combine_diffs(steps: "Iterable[WriteResult]") -> PolicyDiff:
    """Return the changes of some steps as one diff."""
    return PolicyDiff(tuple(step.change for step in steps))


def preview_undo(root: Root, request: UndoRequest) -> UndoResult:
    """Return what `undo_writes` would write, without a lock."""
    with open_grants_read_only(root) as files:
        stamp = read_supported_stamp_or_none(files.policy)
        if stamp is not None and stamp.pending:
            raise NotDoneError(
                "a write is running, or was interrupted; an interrupted write is finished by the next one", "try again"
            )
        plan = _plan_undo(stamp, request, files)
    settings = load_settings_for_grant_comparison(root.path)
    return UndoResult(plan.version, tuple(step.preview(settings) for step in plan.steps), plan.is_of_hand_edits)


def undo_writes(
    root: Root, request: UndoRequest, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT
) -> UndoResult:
    """Undo writes grant by grant, newest first; each grant is one complete write.

    Ask for consent once, for all steps. After an error the finished steps stay; to continue, run the same again.
    """
    with open_grants_for_write(root, lock_wait, "undo") as writer:
        plan = _plan_undo(read_supported_stamp_or_none(writer.policy), request, writer.grants)
        if plan.steps:
            settings = load_settings_for_grant_comparison(root.path)
            show_and_ask(_combine_diffs(step.preview(settings) for step in plan.steps))
        return _run_steps(writer, plan)


def _run_steps(writer: "GrantWriter", plan: _Plan) -> UndoResult:
    results: list[WriteResult] = []
    for step in plan.steps:
        try:
            stamped = _run_step(writer, step)
        except (CortexPolicyError, OSError) as error:
            if not results:
                raise
            return UndoResult(plan.version, tuple(results), plan.is_of_hand_edits, make_write_error(error))
        seen = step.preview(load_settings_for_grant_comparison(writer.root.path))
        results.append(WriteResult(seen.change, seen.diff, stamped))
    return UndoResult(plan.version, tuple(results), plan.is_of_hand_edits)


def _run_step(writer: "GrantWriter", step: UndoStep) -> Version:
    if step.is_hand_edit:
        return writer.undo_hand_edit(step.id, step.old, step.new)
    if step.new_id:
        return writer.rename(step.id, step.new_id, step.old or b"")
    if step.new is None:
        return writer.remove(step.id, step.old or b"")
    return writer.write(step.id, step.old, step.new, step.mode)


def _plan_undo(stamp: "Stamp | None", request: UndoRequest, files: "GrantFiles") -> _Plan:
    """Return the version to go back to, and the steps to it; raise what a step would raise."""
    plan = _find_plan(files.root, stamp, request, files.read)
    for step in plan.steps:
        for name in filter(None, (step.id, step.new_id)):
            files.check_permissions(name)
    return plan


def _find_plan(root: Root, stamp: "Stamp | None", request: UndoRequest, read: "Read") -> _Plan:
    """Return the version to go back to, and the steps to it; raise if that is impossible."""
    if request.id is not None:
        check_grant_id_or_hooks_toml(request.id)
        if request.version is not None:
            raise UsageError("an id and `--to` cannot be combined", "leave out one of them")
    if stamp is None:
        hint = f"make one with `cortex-policy stamp write{format_root_option(root)}`"
        raise NotDoneError("there is no stamp, so the last write is not known", hint)
    if unsafe := history_trust.find_unsafe_history_error(root):
        raise unsafe
    if request.version is not None:
        entries = find_entries_after_version(
            root, stamp, request.version, history.iterate_entries_newest_first(root, stamp)
        )
        return _Plan(request.version, _steps_of_returns(root, _earliest_changes(entries, is_stamped=True), read))
    if edits := _find_hand_edits_to_undo(root, stamp, request.id, read):
        return _Plan(stamp.version, tuple(_step_to_stamp(root, one) for one in edits))
    entry = find_last_write_or_raise_if_not_undoable(root, stamp, request.id)
    return _Plan(entry.previous_version, _steps_of_returns(root, _earliest_changes((entry,), is_stamped=False), read))


def _find_hand_edits_to_undo(root: Root, stamp: "Stamp", grant_id: str | None, read: "Read") -> tuple[HandEdit, ...]:
    """Return the hand edits to undo; a grant that was added by hand is removed only if it is named."""
    if grant_id is not None:
        return find_hand_edits(root, stamp, {grant_id: read(grant_id)})
    now: dict[str, bytes | None] = {}
    for name in stamp.digests:
        with suppress(GrantError):  # a link, or no file: it is not in the way of other grants
            now[name] = read(name)
    return find_hand_edits(root, stamp, now)


def _step_to_stamp(root: Root, edit: HandEdit) -> UndoStep:
    """Return the step that takes a hand edit back; raise NotDoneError if a text would be lost, or is not known."""
    if not edit.has_stamped_text:
        raise make_unknown_text_error(root, edit.id, f"what was stamped as `{edit.id}` is not kept")
    new = edit.new if isinstance(edit.new, bytes) else None
    if edit.old is not None:
        require_valid_text_or_own_history(root, edit.id, edit.old)
    if new is not None and not (
        read_max_history_entries(root.path)
        and is_to_be_kept_in_history(edit.id, new, is_owned_by_caller=history_trust.is_history_owned_by_caller(root))
    ):
        why = f"the text that you edited by hand would be lost: the history cannot keep this text of `{edit.id}`"
        raise NotDoneError(why, "move the file to another place, then run the command again")
    return UndoStep(edit.id, new, edit.old, is_hand_edit=True)


def _earliest_changes(entries: tuple[HistoryEntry, ...], *, is_stamped: bool) -> tuple[_Return, ...]:
    """Return for each grant of some entries, newest first, what it is now and what it has to become.

    That is what was stamped before the earliest entry, or else what was on disk before it.
    """
    now: dict[str, str | None] = {}
    last_changes: dict[str, tuple[GrantChange, HistoryEntry]] = {}
    for entry in entries:
        for one in entry.changes:
            now.setdefault(one.id, one.new)
            last_changes[one.id] = one, entry
    return tuple(
        _Return(grant_id, now[grant_id], one.stamp_digest_before if is_stamped else one.old, one, entry.version)
        for grant_id, (one, entry) in last_changes.items()
    )


def _steps_of_returns(root: Root, returns: tuple[_Return, ...], read: "Read") -> tuple[UndoStep, ...]:
    """Return a step for each grant that has to change, newest first; the two halves of a rename are one step."""
    due = [one for one in returns if one.digest != one.current]
    kept = {compute_content_digest(one.change.data): one.change.data for one in due if one.change.data is not None}
    kept |= find_texts_by_digest(root, [one.digest for one in due if one.digest is not None and one.digest not in kept])
    steps = []
    for one in due:
        if one.digest is not None:
            if one.digest not in kept:
                why = f"version {one.version} replaced a text of `{one.id}` that is not kept"
                raise make_unknown_text_error(root, one.id, why)
            require_valid_text_or_own_history(root, one.id, kept[one.digest])
        new = None if one.digest is None else kept[one.digest]
        steps.append(UndoStep(one.id, _read_unchanged(root, one.id, one.current, read), new, one.change.mode))
    return join_renames(steps)


def _read_unchanged(root: Root, grant_id: str, expected: str | None, read: "Read") -> bytes | None:
    """Return a grant; raise GrantError (23) if its bytes are not those of its last write."""
    data = read(grant_id)
    if compute_content_digest_or_none(data) != expected:
        raise GrantError(
            STAMP_MISMATCH,
            f"`{grant_id}` was changed after its last write",
            make_hand_edit_hint(format_root_option(root), grant_id),
        )
    return data
