"""Run the cases of a root: each file on one frozen clock, one budget and a scratch root of its own."""

import os

from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.engine import rated, refusal
from cortex_policy.core.model import ALLOWED, Budget, Decision, Grant, GrantError, Request, Settings, Value
from cortex_policy.core.window import WINDOW_SECONDS, counted
from cortex_policy.manage.cases import NANOSECONDS, Case, CaseFile, Flaw, is_case_file, read
from cortex_policy.manage.coverage import Cover, Seen, covered
from cortex_policy.manage.scratch import scratch
from cortex_policy.manage.targets import shown
from cortex_policy.state.grants import Directory, Root, Trust, find_root
from cortex_policy.state.places import places
from cortex_policy.state.writers import NotDone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cortex_policy.manage.scratch import Scratch
    from cortex_policy.core.explanation import Explanation

    Track = Callable[[list["Target"]], Iterable["Target"]]  # yields files, and sees how far their reader is

TESTS = "/.cortex/policy/tests"
COMPLETE = "complete"  # how the case is called that a file with `complete = true` has at its end


class Target(Value):
    """A case file, and the root whose grants it is about."""

    path: str
    shown: str
    root: Root


class Result(Value):
    """What came of a case: in which of its calls, the decision, and each way in which it is not as expected."""

    case: Case
    call: int
    decision: Decision | None
    wrong: tuple[str, ...] = ()
    explanation: "Explanation | None" = None
    grant_file: str = ""


class Tested(Value):
    """What came of a file: its results in their order, and why others have none."""

    file: str
    grant_id: str
    results: tuple[Result, ...]
    flaws: tuple[Flaw, ...] = ()
    seen: tuple[Seen, ...] = ()

    @property
    def failed(self) -> tuple[Result, ...]:
        """The cases that are not as expected."""
        return tuple(result for result in self.results if result.wrong)


class Outcome(Value):
    """What came of all files, what no case covers, and what an operator should know beside."""

    tested: tuple[Tested, ...]
    covers: tuple[Cover, ...]
    warnings: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        """How much of what the grants allow and deny is covered by cases that pass."""
        all_of_it = sum(len(cover.met) + len(cover.unmet) for cover in self.covers)
        return 100 * sum(len(cover.met) for cover in self.covers) / all_of_it if all_of_it else 100.0

    @property
    def passes(self) -> bool:
        """Whether every case of every file is as expected."""
        return not any(tested.flaws or tested.failed for tested in self.tested)


class Subject(Value):
    """A grant of a root, as it was read for its cases."""

    grant: Grant
    text: bytes
    file: str


def targets(words: tuple[str, ...], named: str | None) -> tuple[Target, ...]:
    """Return the case files that these words name, those of the root where there are none; raise NotDone."""
    if not words:
        root = find_root(named)
        return tuple(_below(root.path + TESTS, root))
    found: dict[str, Target] = {}
    for word in words:
        path = os.path.abspath(word)
        if os.path.isdir(path):
            below = [one for top, around in _roots_in(path) for one in _below(top, _root_around(around, named))]
            if not below:
                raise NotDone(f"there is no case file in `{word}`", "write one with `cortex-policy test --init ID`")
        elif is_case_file(path):
            below = [Target(path, shown(path), _root_around(os.path.dirname(path), named))]
        else:
            raise NotDone(f"`{word}` is no case file", "its name ends in `.cases.toml` or `.cases.json`")
        for target in below:
            found.setdefault(target.path, target)
    return tuple(found.values())


def _roots_in(top: str) -> "Iterator[tuple[str, str]]":
    for directory, below, names in os.walk(top):
        below[:] = sorted(name for name in below if name != ".git")
        if any(map(is_case_file, names)):
            yield directory, directory


def _root_around(directory: str, named: str | None) -> Root:
    """Return the root whose tests a directory is, else the one that is named or found."""
    if directory.endswith(TESTS):
        return Root(os.path.realpath(directory[: -len(TESTS)] or "/"), named=True)
    return find_root(named)


def _below(directory: str, root: Root) -> "Iterator[Target]":
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotDone(f"`{directory}`: {(error.strerror or str(error)).lower()}") from None
    for name in filter(is_case_file, names):
        yield Target(f"{directory}/{name}", shown(f"{directory}/{name}"), root)


class Grants:
    """The grants of roots, each read once; modes that no check would believe are told as warnings."""

    def __init__(self) -> None:
        """Begin with none."""
        self.warnings: dict[str, None] = {}
        self._known: dict[tuple[str, str], Subject | GrantError] = {}

    def ids(self, root: Root) -> list[str]:
        """List the grants of a root."""
        try:
            with Directory(Trust(root), "tools") as tools:
                return tools.grant_ids()
        except FileNotFoundError:
            return []

    def subject(self, root: Root, grant_id: str) -> Subject:
        """Return a grant; raise GrantError where there is none, or it does not decode."""
        key = (root.path, grant_id)
        if key not in self._known:
            try:
                self._known[key] = self._read(root, grant_id)
            except GrantError as error:
                self._known[key] = error
        known = self._known[key]
        if isinstance(known, GrantError):
            raise known
        return known

    def _read(self, root: Root, grant_id: str) -> Subject:
        trust, file = Trust(root), f"{root.tools}/{grant_id}.json"
        try:
            with Directory(trust, "tools") as tools:
                data = tools.read(f"{grant_id}.json", MAX_BYTES + 1)
            grant = decode(data, grant_id)
        except (FileNotFoundError, GrantError) as error:
            from cortex_policy.state.remedies import traced  # noqa: PLC0415 - only a failure needs it

            raise traced(error, trust, grant_id, None) from None
        self.warnings |= dict.fromkeys(f"{fault}: `check` refuses that" for fault in trust.faults)
        return Subject(grant, data, shown(file))


def run(where: tuple[Target, ...], roots: tuple[Root, ...], track: "Track" = iter) -> Outcome:
    """Run the cases of files, and say what of the grants they cover; those of `roots` without cases count too."""
    grants = Grants()
    tested = [_tested(target, grants) for target in track(list(where))]
    wanted = {(root.path, grant_id): root for root in roots for grant_id in grants.ids(root)}
    wanted |= {(target.root.path, one.grant_id): target.root for target, one in zip(where, tested, strict=True)}
    covers = []
    for (path, grant_id), root in sorted(wanted.items()):
        try:
            subject = grants.subject(root, grant_id)
        except GrantError as error:
            if (path, grant_id) not in {(target.root.path, one.grant_id) for target, one in zip(where, tested, strict=True)}:
                grants.warnings[f"`{grant_id}` is not tested: {error}"] = None
            continue
        files = [
            one.seen
            for target, one in zip(where, tested, strict=True)
            if (target.root.path, one.grant_id) == (path, grant_id)
        ]
        covers.append(covered(subject.grant, subject.file, files))
    return Outcome(tuple(tested), tuple(covers), tuple(grants.warnings))


def _tested(target: Target, grants: Grants) -> Tested:
    file = read(target.path, target.shown)
    if file.flaws:
        return Tested(file.file, file.grant_id, (), file.flaws)
    try:
        subject = grants.subject(target.root, file.grant_id)
        return tested(file, subject)
    except (GrantError, NotDone) as error:
        return Tested(file.file, file.grant_id, (), (Flaw(file.file, 1, str(error), error.hint),))


def tested(file: CaseFile, subject: Subject) -> Tested:
    """Run the cases of a file on a grant."""
    with scratch(file.tree) as root:
        run = Run(file, subject, root)
        results = [run.result(case) for case in file.cases]
    if file.is_complete:
        results.append(_completeness(file, subject, run.seen))
    return Tested(file.file, file.grant_id, tuple(results), (), tuple(run.seen))


def _completeness(file: CaseFile, subject: Subject, seen: list[Seen]) -> Result:
    cover = covered(subject.grant, subject.file, [tuple(seen)])
    wrong = tuple(f"no case that passes shows that {said}" for said in cover.unmet)
    return Result(Case(COMPLETE, "", {}, ALLOWED, file.complete_line), 1, None, wrong, None, subject.file)


class Run:
    """The clock and the budgets of one file, and what was seen so far."""

    def __init__(self, file: CaseFile, subject: Subject, root: "Scratch") -> None:
        """Begin with nothing used."""
        self.seen: list[Seen] = []
        self._settings, self._subject, self._root = file.settings, subject, root
        self._now = 0
        self._hits: dict[str, list[tuple[int, int]]] = {}

    def result(self, case: Case) -> Result:
        """Make the calls of a case, until one of them is not as expected."""
        self._now += case.advance_ns
        grant, root = self._subject.grant, self._root
        request = Request(
            case.action, case.args, places(grant, root.origin, case.args, root.guarded, root.start(case.cwd)), case.cost
        )
        refused = refusal(grant, request, self._settings)
        calls = case.times if refused is None else 1
        for call in range(1, calls + 1):
            decision = refused if refused is not None else self._take(request)
            wrong = tuple(self._wrong(case, decision, is_last=call == calls))
            if wrong:
                break
        if not wrong:
            self.seen.append(Seen(case, request, decision))
        explanation = _explained(self._subject, request, decision, self._settings) if wrong else None
        return Result(case, call, decision, wrong, explanation, self._subject.file)

    def _take(self, request: Request) -> Decision:
        grant, hits = self._subject.grant, self._hits.setdefault(request.action, [])
        # INVARIANT: the difference is taken in whole nanoseconds, so that a window is exactly as long as it says
        hits[:] = [(at, number) for at, number in hits if self._now - at < WINDOW_SECONDS * NANOSECONDS]
        limit, cost = grant.rate.per_minute, request.cost
        budget = counted((((at - self._now) / NANOSECONDS, number) for at, number in hits), 0.0, limit, cost)
        if budget.retry_after_seconds == 0:
            if hits and hits[-1][0] == self._now:
                hits[-1] = (self._now, hits[-1][1] + cost)
            else:
                hits.append((self._now, cost))
            budget = Budget(limit, budget.used + cost, budget.remaining - cost, 0.0, cost)
        return rated(grant, request, budget)

    def _wrong(self, case: Case, decision: Decision, *, is_last: bool) -> "Iterator[str]":
        if decision.reason != case.expect:
            yield f"expected `{case.expect}`, got `{decision.reason}`: {self._root.hidden(decision.message)}"
            return
        budget = decision.budget
        left = budget.remaining if budget is not None else None
        if is_last and case.remaining is not None and left != case.remaining:
            yield f"expected {case.remaining} remaining, got {'none was counted' if left is None else left}"
        if case.obligations is not None and decision.obligations != case.obligations:
            yield f"expected {_words(case.obligations)}, got {_words(decision.obligations)}"
        if case.tool is not None and self._subject.grant.tool != case.tool:
            yield f"expected the budget of `{case.tool}`, got that of `{self._subject.grant.tool}`"


def _words(obligations: tuple[str, ...]) -> str:
    return f"the obligations {', '.join(obligations)}" if obligations else "no obligation"


def _explained(subject: Subject, request: Request, decision: Decision, settings: Settings) -> "Explanation | None":
    return None
