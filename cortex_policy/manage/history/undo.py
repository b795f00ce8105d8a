"""Bring grants back to their state before a write, or at a version; each step is a write like any other."""

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import STAMP_MISMATCH, CortexPolicyError, GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import os_error_text
from cortex_policy.manage.diff.grants import PolicyDiff, compare_bytes
from cortex_policy.manage.diff.unified import unified_diff
from cortex_policy.manage.editing.operations import WriteResult
from cortex_policy.manage.history.log import (
    LOG_HINT,
    entries_newest_first,
    entries_since,
    require_content,
    require_trusted_text,
)
from cortex_policy.manage.transaction.recovery import digest_or_none
from cortex_policy.manage.transaction.writer import write_transaction
from cortex_policy.state import Root, history
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_id
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.history_entry import GrantChange, HistoryEntry
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cortex_policy.manage.transaction.writer import GrantWriter
    from cortex_policy.state.stamp import Stamp

    Read = Callable[[str], bytes | None]
    Consent = Callable[[PolicyDiff], None]  # raises if the answer is no


class UndoRequest(Value):
    """What to undo: the last write of the root, the last write of a grant, or all writes after a version."""

    id: str | None = None
    version: int | None = None


class UndoStep(Value):
    """One write of an undo: the old and new bytes of a grant (None: no grant); a new id makes it a rename."""

    id: str
    old: bytes | None
    new: bytes | None
    mode: int
    new_id: str = ""

    def preview(self) -> WriteResult:
        """Return the result of the step, before it is made."""
        if self.new_id:
            return WriteResult(compare_bytes(self.new_id, self.old, self.old), _rename_diff(self.id, self.new_id))
        return WriteResult(compare_bytes(self.id, self.old, self.new), unified_diff(self.id, self.old, self.new))


class UndoResult(Value):
    """The steps that were done, and the version they lead to; the error is the one that stopped the rest."""

    version: int
    steps: tuple[WriteResult, ...]
    error: CortexPolicyError | None = None

    @property
    def diff(self) -> PolicyDiff:
        """What all steps mean together."""
        return combine_diffs(self.steps)


def combine_diffs(steps: "Iterable[WriteResult]") -> PolicyDiff:
    """Return the changes of some steps as one diff."""
    return PolicyDiff(tuple(step.change for step in steps), 0, ())


def preview_undo(root: Root, request: UndoRequest) -> UndoResult:
    """Return what `undo_writes` would write, without a lock."""
    stamp = stamps.read_stamp(root)
    if stamp is not None and stamp.pending:
        raise NotDoneError("a write is running, or was interrupted and the next write finishes it", "try again")
    version, steps = _plan(root, stamp, request, lambda grant_id: _read_without_lock(root, grant_id))
    return UndoResult(version, tuple(step.preview() for step in steps))


def undo_writes(root: Root, request: UndoRequest, consent: "Consent", lock_wait: LockWait = NO_WAIT) -> UndoResult:
    """Undo writes grant by grant, newest first; each grant is one complete write.

    Ask for consent once, for all steps. After an error the finished steps stay; to continue, run the same again.
    """
    with write_transaction(root, lock_wait, "undo") as writer:
        version, steps = _plan(root, writer.stamp(), request, writer.grants.read)
        for step in steps:
            for grant_id in (step.id, *([step.new_id] if step.new_id else [])):
                writer.grants.check_permissions(grant_id)
        if steps:
            consent(combine_diffs(step.preview() for step in steps))
        return _run_steps(writer, version, steps)


def _run_steps(writer: "GrantWriter", version: int, steps: tuple[UndoStep, ...]) -> UndoResult:
    results: list[WriteResult] = []
    for step in steps:
        try:
            stamped = _run_step(writer, step)
        except (CortexPolicyError, OSError) as error:
            if not results:
                raise
            return UndoResult(version, tuple(results), _as_policy_error(error))
        seen = step.preview()
        results.append(WriteResult(seen.change, seen.diff, is_written=True, version=stamped))
    return UndoResult(version, tuple(results))


def _run_step(writer: "GrantWriter", step: UndoStep) -> int | None:
    if step.new_id:
        return writer.rename(step.id, step.new_id, step.old or b"")
    if step.new is None:
        return writer.remove(step.id, step.old or b"")
    return writer.write(step.id, step.old, step.new, step.mode)


def _as_policy_error(error: CortexPolicyError | OSError) -> CortexPolicyError:
    if isinstance(error, CortexPolicyError):
        return error
    return NotDoneError(f"`{error.filename}`: {os_error_text(error)}")


def _plan(root: Root, stamp: "Stamp | None", request: UndoRequest, read: "Read") -> tuple[int, tuple[UndoStep, ...]]:
    """Return the version to go back to, and the steps to it; raise if that is impossible."""
    if request.id is not None:
        check_id(request.id)
        if request.version is not None:
            raise UsageError("an id and `--to` do not go together", "leave out one of them")
    if stamp is None:
        hint = f"make one with `cortex-policy stamp write{root_option(root)}`"
        raise NotDoneError("there is no stamp, so the last write is not known", hint)
    if unsafe := history.unsafe_history_error(root):
        raise unsafe
    if request.version is not None:
        entries, version = (
            entries_since(root, stamp, request.version, history.read_history(root, stamp)),
            request.version,
        )
    else:
        entry = _last_entry(root, stamp, request.id)
        entries, version = (entry,), entry.version - 1
    return version, _steps(root, entries, read)


def _last_entry(root: Root, stamp: "Stamp", grant_id: str | None) -> HistoryEntry:
    """Return the last write of the root, or of a grant if no later write depends on it."""
    later: dict[str, int] = {}
    for entry in entries_newest_first(stamp, history.read_history(root, stamp)):
        if grant_id is None or grant_id in entry.ids:
            for other in entry.ids:
                if other in later:
                    hint = f"undo that first with `cortex-policy undo {other}{root_option(root)}`"
                    raise NotDoneError(
                        f"version {entry.version} wrote `{other}` too, as did version {later[other]}", hint
                    )
            if not entry.changes:
                raise NotDoneError(
                    f"version {entry.version} recorded existing grants: the previous content was not kept"
                )
            return entry
        later |= {other: later.get(other, entry.version) for other in entry.ids}
    what = f"how version {stamp.version} was made" if grant_id is None else f"a write of `{grant_id}` that led here"
    raise NotDoneError(f"the history does not know {what}", f"{LOG_HINT}{root_option(root)}`")


def _steps(root: Root, entries: tuple[HistoryEntry, ...], read: "Read") -> tuple[UndoStep, ...]:
    """Return a step for each grant that was written, newest first; the two halves of a rename are one step."""
    now: dict[str, str | None] = {}
    last_changes: dict[str, tuple[GrantChange, HistoryEntry]] = {}
    for entry in entries:
        for one in entry.changes:
            now.setdefault(one.id, one.new)
            last_changes[one.id] = one, entry
    steps = []
    for grant_id, current in now.items():
        one, entry = last_changes[grant_id]
        if one.old != current:
            require_content(root, one, entry)
            if one.data is not None:
                require_trusted_text(root, grant_id, one.data)
            steps.append(UndoStep(grant_id, _read_unchanged(root, grant_id, current, read), one.data, one.mode))
    return _join_renames(steps)


def _read_unchanged(root: Root, grant_id: str, expected: str | None, read: "Read") -> bytes | None:
    """Return a grant; raise GrantError (23) if its bytes are not those of its last write."""
    data = read(grant_id)
    if digest_or_none(data) != expected:
        hint = f"look at it, then accept it with `cortex-policy stamp write{root_option(root)}`"
        raise GrantError(STAMP_MISMATCH, f"`{grant_id}` is not what its last write left", hint)
    return data


def _rename_diff(grant_id: str, other: str) -> str:
    """Return the rename of a grant as git shows it."""
    old, new = (f".cortex/policy/tools/{name}.json" for name in (grant_id, other))
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


def _join_renames(steps: list[UndoStep]) -> tuple[UndoStep, ...]:
    """Join the removal of a text under one id and its return under another into a rename."""
    joined: dict[int, UndoStep] = {}
    alone: dict[tuple[bool, bytes], list[int]] = {}  # places of steps that remove or bring back a text
    for place, step in enumerate(steps):
        is_gone, text = step.new is None, step.old if step.new is None else step.new if step.old is None else None
        others = alone.get((not is_gone, text), []) if text is not None else []
        if others:
            first = others.pop(0)
            removed, restored = (step, joined[first]) if is_gone else (joined[first], step)
            joined[first] = UndoStep(removed.id, removed.old, None, restored.mode, restored.id)
            continue
        joined[place] = step
        if text is not None:
            alone.setdefault((is_gone, text), []).append(place)
    return tuple(joined.values())


def _read_without_lock(root: Root, grant_id: str) -> bytes | None:
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tools.read(f"{grant_id}.json", MAX_BYTES + 1)
    except FileNotFoundError:
        return None
