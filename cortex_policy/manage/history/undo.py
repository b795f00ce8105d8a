"""Go back: bring grants to what they were before a write, or at a version; each is a write like any other."""

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import STAMP_MISMATCH, CortexPolicyError, GrantError, UsageError, Value
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
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, NotDoneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cortex_policy.manage.transaction.writer import Writer
    from cortex_policy.state.stamp import Stamp

    Read = Callable[[str], bytes | None]
    Consent = Callable[[PolicyDiff], None]  # raises where the answer is no


class UndoRequest(Value):
    """What is to be undone: the last write of all, or of a grant, or all of them after a version."""

    id: str | None = None
    version: int | None = None


class UndoStep(Value):
    """One write on the way back: what a grant is now and what it becomes, None for absent; another id is a rename."""

    id: str
    old: bytes | None
    new: bytes | None
    mode: int
    new_id: str = ""

    def preview(self) -> WriteResult:
        """Return what it means, before it is made."""
        if self.new_id:
            return WriteResult(compare_bytes(self.new_id, self.old, self.old), _rename_diff(self.id, self.new_id))
        return WriteResult(compare_bytes(self.id, self.old, self.new), unified_diff(self.id, self.old, self.new))


class UndoResult(Value):
    """What was brought back, step by step, and to which version; the error is what stopped the rest of the steps."""

    version: int
    steps: tuple[WriteResult, ...]
    error: CortexPolicyError | None = None

    @property
    def diff(self) -> PolicyDiff:
        """What all of it means."""
        return combine_diffs(self.steps)


def combine_diffs(steps: "Iterable[WriteResult]") -> PolicyDiff:
    """Return what some steps mean together."""
    return PolicyDiff(tuple(step.change for step in steps), 0, ())


def preview_undo(root: Root, wanted: UndoRequest) -> UndoResult:
    """Return what `undone` would write; take no lock."""
    stamp = stamps.read_stamp(root)
    if stamp is not None and stamp.pending:
        raise NotDoneError("a write is going on, or was interrupted and is finished by the next", "try again")
    version, steps = _plan(root, stamp, wanted, lambda grant_id: _read_without_lock(root, grant_id))
    return UndoResult(version, tuple(step.preview() for step in steps))


def undo_writes(root: Root, wanted: UndoRequest, consent: "Consent", patience: LockWait = NO_WAIT) -> UndoResult:
    """Go back, in one write for each grant, each complete in itself; what was changed last goes back first.

    Consent is asked for once, of all of it. What stops it on the way leaves the grants before it brought back, and the
    same again goes on from there.
    """
    with write_transaction(root, patience, "undo") as writer:
        version, steps = _plan(root, writer.stamp(), wanted, writer.grants.read)
        for step in steps:
            for grant_id in (step.id, *([step.new_id] if step.new_id else [])):
                writer.grants.check_permissions(grant_id)
        if steps:
            consent(combine_diffs(step.preview() for step in steps))
        return _run_steps(writer, version, steps)


def _run_steps(writer: "Writer", version: int, steps: tuple[UndoStep, ...]) -> UndoResult:
    made: list[WriteResult] = []
    for step in steps:
        try:
            stamped = _run_step(writer, step)
        except (CortexPolicyError, OSError) as error:
            if not made:
                raise
            return UndoResult(version, tuple(made), _as_policy_error(error))
        seen = step.preview()
        made.append(WriteResult(seen.change, seen.diff, is_written=True, version=stamped))
    return UndoResult(version, tuple(made))


def _run_step(writer: "Writer", step: UndoStep) -> int | None:
    if step.new_id:
        return writer.rename(step.id, step.new_id, step.old or b"")
    if step.new is None:
        return writer.remove(step.id, step.old or b"")
    return writer.write(step.id, step.old, step.new, step.mode)


def _as_policy_error(error: CortexPolicyError | OSError) -> CortexPolicyError:
    if isinstance(error, CortexPolicyError):
        return error
    return NotDoneError(f"`{error.filename}`: {os_error_text(error)}")


def _plan(root: Root, stamp: "Stamp | None", wanted: UndoRequest, read: "Read") -> tuple[int, tuple[UndoStep, ...]]:
    """Return the version that stands afterwards, and the writes that lead there; raise for what is in the way."""
    if wanted.id is not None:
        check_id(wanted.id)
        if wanted.version is not None:
            raise UsageError("an id and `--to` do not go together", "leave out one of them")
    if stamp is None:
        hint = f"make one with `cortex-policy stamp write{root_option(root)}`"
        raise NotDoneError("there is no stamp, so nobody knows which write was the last", hint)
    if unsafe := history.unsafe_history_error(root):
        raise unsafe
    if wanted.version is not None:
        entries, version = entries_since(root, stamp, wanted.version, history.read_history(root, stamp)), wanted.version
    else:
        entry = _last_entry(root, stamp, wanted.id)
        entries, version = (entry,), entry.version - 1
    return version, _steps(root, entries, read)


def _last_entry(root: Root, stamp: "Stamp", grant_id: str | None) -> HistoryEntry:
    """Return the last write of the root, or of a grant that no later write stands in front of."""
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
    """Return what becomes of each grant that was written, the last one first; where two are a rename, one step."""
    now: dict[str, str | None] = {}
    then: dict[str, tuple[GrantChange, HistoryEntry]] = {}
    for entry in entries:
        for one in entry.changes:
            now.setdefault(one.id, one.new)
            then[one.id] = one, entry
    steps = []
    for grant_id, stands in now.items():
        one, entry = then[grant_id]
        if one.old != stands:
            require_content(root, one, entry)
            if one.data is not None:
                require_trusted_text(root, grant_id, one.data)
            steps.append(UndoStep(grant_id, _read_unchanged(root, grant_id, stands, read), one.data, one.mode))
    return _join_renames(steps)


def _read_unchanged(root: Root, grant_id: str, expected: str | None, read: "Read") -> bytes | None:
    """Return a grant, which must be what its last write left; its stamp says so of that write."""
    data = read(grant_id)
    if digest_or_none(data) != expected:
        hint = f"look at it, then accept it with `cortex-policy stamp write{root_option(root)}`"
        raise GrantError(STAMP_MISMATCH, f"`{grant_id}` is not what its last write left", hint)
    return data


def _rename_diff(grant_id: str, other: str) -> str:
    """Return what git says of a file that has another name."""
    old, new = (f".cortex/policy/tools/{name}.json" for name in (grant_id, other))
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


def _join_renames(steps: list[UndoStep]) -> tuple[UndoStep, ...]:
    """Make a rename of what leaves one id and comes back by another."""
    joined: dict[int, UndoStep] = {}
    alone: dict[tuple[bool, bytes], list[int]] = {}  # places of what leaves, or comes back, by its text
    for place, step in enumerate(steps):
        is_gone, text = step.new is None, step.old if step.new is None else step.new if step.old is None else None
        others = alone.get((not is_gone, text), []) if text is not None else []
        if others:
            first = others.pop(0)
            gone, back = (step, joined[first]) if is_gone else (joined[first], step)
            joined[first] = UndoStep(gone.id, gone.old, None, back.mode, back.id)
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
