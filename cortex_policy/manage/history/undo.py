"""Go back: bring grants to what they were before a write, or at a version; each is a write like any other."""

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import STAMP_MISMATCH, CortexPolicyError, GrantError, UsageError, Value
from cortex_policy.manage.diff.grants import Differences, changed
from cortex_policy.manage.diff.unified import difference
from cortex_policy.manage.editing.operations import Written
from cortex_policy.manage.history.log import SEE, check_known, check_text, since, way_back
from cortex_policy.manage.transaction.recovery import digest
from cortex_policy.manage.transaction.writer import writing
from cortex_policy.state import Root, history
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import Directory, Trust, check_id
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.history_entry import Entry, Kept
from cortex_policy.state.writer_lock import AT_ONCE, NotDone, Patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cortex_policy.manage.transaction.writer import Writer
    from cortex_policy.state.stamp import Stamp

    Read = Callable[[str], bytes | None]
    Consent = Callable[[Differences], None]  # raises where the answer is no


class Wanted(Value):
    """What is to be undone: the last write of all, or of a grant, or all of them after a version."""

    id: str | None = None
    version: int | None = None


class Step(Value):
    """One write on the way back: what a grant is now and what it becomes, None for absent; another id is a rename."""

    id: str
    old: bytes | None
    new: bytes | None
    mode: int
    renamed: str = ""

    def written(self) -> Written:
        """Return what it means, before it is made."""
        if self.renamed:
            return Written(changed(self.renamed, self.old, self.old), _moved(self.id, self.renamed))
        return Written(changed(self.id, self.old, self.new), difference(self.id, self.old, self.new))


class Undone(Value):
    """What was brought back, step by step, and to which version; the error is what stopped the rest of the steps."""

    version: int
    steps: tuple[Written, ...]
    error: CortexPolicyError | None = None

    @property
    def differences(self) -> Differences:
        """What all of it means."""
        return differences(self.steps)


def differences(steps: "Iterable[Written]") -> Differences:
    """Return what some steps mean together."""
    return Differences(tuple(step.change for step in steps), 0, ())


def planned(root: Root, wanted: Wanted) -> Undone:
    """Return what `undone` would write; take no lock."""
    stamp = stamps.read(root)
    if stamp is not None and stamp.pending:
        raise NotDone("a write is going on, or was interrupted and is finished by the next", "try again")
    version, steps = _plan(root, stamp, wanted, lambda grant_id: _read(root, grant_id))
    return Undone(version, tuple(step.written() for step in steps))


def undone(root: Root, wanted: Wanted, consent: "Consent", patience: Patience = AT_ONCE) -> Undone:
    """Go back, in one write for each grant, each complete in itself; what was changed last goes back first.

    Consent is asked for once, of all of it. What stops it on the way leaves the grants before it brought back, and the
    same again goes on from there.
    """
    with writing(root, patience, "undo") as writer:
        version, steps = _plan(root, writer.stamp(), wanted, writer.read)
        for step in steps:
            for grant_id in (step.id, *([step.renamed] if step.renamed else [])):
                writer.check_closed(grant_id)
        if steps:
            consent(differences(step.written() for step in steps))
        return _made(writer, version, steps)


def _made(writer: "Writer", version: int, steps: tuple[Step, ...]) -> Undone:
    made: list[Written] = []
    for step in steps:
        try:
            stamped = _make(writer, step)
        except (CortexPolicyError, OSError) as error:
            if not made:
                raise
            return Undone(version, tuple(made), _told(error))
        seen = step.written()
        made.append(Written(seen.change, seen.diff, is_written=True, version=stamped))
    return Undone(version, tuple(made))


def _make(writer: "Writer", step: Step) -> int | None:
    if step.renamed:
        return writer.rename(step.id, step.renamed, step.old or b"")
    if step.new is None:
        return writer.remove(step.id, step.old or b"")
    return writer.put(step.id, step.old, step.new, step.mode)


def _told(error: CortexPolicyError | OSError) -> CortexPolicyError:
    if isinstance(error, CortexPolicyError):
        return error
    return NotDone(f"`{error.filename}`: {(error.strerror or str(error)).lower()}")


def _plan(root: Root, stamp: "Stamp | None", wanted: Wanted, read: "Read") -> tuple[int, tuple[Step, ...]]:
    """Return the version that stands afterwards, and the writes that lead there; raise for what is in the way."""
    if wanted.id is not None:
        check_id(wanted.id)
        if wanted.version is not None:
            raise UsageError("an id and `--to` do not go together", "leave out one of them")
    if stamp is None:
        hint = f"make one with `cortex-policy stamp write{root_option(root)}`"
        raise NotDone("there is no stamp, so nobody knows which write was the last", hint)
    if unsafe := history.doubt(root):
        raise unsafe
    if wanted.version is not None:
        entries, version = since(root, stamp, wanted.version, history.read(root, stamp)), wanted.version
    else:
        entry = _last(root, stamp, wanted.id)
        entries, version = (entry,), entry.version - 1
    return version, _steps(root, entries, read)


def _last(root: Root, stamp: "Stamp", grant_id: str | None) -> Entry:
    """Return the last write of the root, or of a grant that no later write stands in front of."""
    later: dict[str, int] = {}
    for entry in way_back(stamp, history.read(root, stamp)):
        if grant_id is None or grant_id in entry.ids:
            for other in entry.ids:
                if other in later:
                    hint = f"undo that first with `cortex-policy undo {other}{root_option(root)}`"
                    raise NotDone(f"version {entry.version} wrote `{other}` too, as did version {later[other]}", hint)
            if not entry.changes:
                raise NotDone(f"version {entry.version} stamped what stood there: what it was before, nobody knows")
            return entry
        later |= {other: later.get(other, entry.version) for other in entry.ids}
    what = f"how version {stamp.version} was made" if grant_id is None else f"a write of `{grant_id}` that led here"
    raise NotDone(f"the history does not know {what}", f"{SEE}{root_option(root)}`")


def _steps(root: Root, entries: tuple[Entry, ...], read: "Read") -> tuple[Step, ...]:
    """Return what becomes of each grant that was written, the last one first; where two are a rename, one step."""
    now: dict[str, str | None] = {}
    then: dict[str, tuple[Kept, Entry]] = {}
    for entry in entries:
        for one in entry.changes:
            now.setdefault(one.id, one.new)
            then[one.id] = one, entry
    steps = []
    for grant_id, stands in now.items():
        one, entry = then[grant_id]
        if one.old != stands:
            check_known(root, one, entry)
            if one.data is not None:
                check_text(root, grant_id, one.data)
            steps.append(Step(grant_id, _expected(root, grant_id, stands, read), one.data, one.mode))
    return _joined(steps)


def _expected(root: Root, grant_id: str, expected: str | None, read: "Read") -> bytes | None:
    """Return a grant, which must be what its last write left; its stamp says so of that write."""
    data = read(grant_id)
    if digest(data) != expected:
        hint = f"look at it, then accept it with `cortex-policy stamp write{root_option(root)}`"
        raise GrantError(STAMP_MISMATCH, f"`{grant_id}` is not what its last write left", hint)
    return data


def _moved(grant_id: str, other: str) -> str:
    """Return what git says of a file that has another name."""
    old, new = (f".cortex/policy/tools/{name}.json" for name in (grant_id, other))
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


def _joined(steps: list[Step]) -> tuple[Step, ...]:
    """Make a rename of what leaves one id and comes back by another."""
    joined: dict[int, Step] = {}
    alone: dict[tuple[bool, bytes], list[int]] = {}  # places of what leaves, or comes back, by its text
    for place, step in enumerate(steps):
        is_gone, text = step.new is None, step.old if step.new is None else step.new if step.old is None else None
        others = alone.get((not is_gone, text), []) if text is not None else []
        if others:
            first = others.pop(0)
            gone, back = (step, joined[first]) if is_gone else (joined[first], step)
            joined[first] = Step(gone.id, gone.old, None, back.mode, back.id)
            continue
        joined[place] = step
        if text is not None:
            alone.setdefault((is_gone, text), []).append(place)
    return tuple(joined.values())


def _read(root: Root, grant_id: str) -> bytes | None:
    try:
        with Directory(Trust(root), "tools") as tools:
            return tools.read(f"{grant_id}.json", MAX_BYTES + 1)
    except FileNotFoundError:
        return None
