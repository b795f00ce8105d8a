"""Run the cases of one file on one grant: with a frozen clock, one budget and a sandbox."""

from collections import deque

from cortex_policy.core import Value, shorten_message
from cortex_policy.core.ecma_regex import MAX_SHARED_STEPS, SharedSteps
from cortex_policy.core.engine import decide_rate, find_denial_before_rate
from cortex_policy.core.explanation import explain
from cortex_policy.core.explanation_steps import DENIED_BY, DENIES, RuleStep
from cortex_policy.core.model import ALLOWED, Budget, Decision, Grant, Reason, Request
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.path_arguments import find_path_arguments
from cortex_policy.core.sliding_window import WINDOW_SECONDS
from cortex_policy.manage.cases.coverage import PassedCase, measure_coverage
from cortex_policy.manage.cases.model import NANOSECONDS, Case, CaseFile, CaseFileProblem
from cortex_policy.manage.cases.temporary_file_tree import open_temporary_file_tree
from cortex_policy.manage.signals import hold_signals
from cortex_policy.state.paths import resolve_path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.cases.temporary_file_tree import Sandbox

MAX_PATHS = 50_000  # of the cases of a file: each is looked up on the disk
MOST_WHYS = 100  # failed cases of a file that are explained
_MOST_EXPLAINED = 2 << 20  # bytes of the grant that this reads: an explanation reads all of them
COMPLETENESS_CASE = "complete"  # how the case is called that a file with `complete = true` has at its end


class GrantUnderTest(Value):
    """A grant, its text, and the path of its file for people."""

    grant: Grant
    text: bytes
    file: str


class FailureReason(Value):
    """The rule that decided, and the nearest call with another decision, '' for none."""

    step: RuleStep
    file: str
    nearest: str = ""


class CaseResult(Value):
    """The result of a case: the reason of its last decision, and how it differs from what was expected."""

    case: Case
    actual: Reason | None = None
    failures: tuple[str, ...] = ()
    why: FailureReason | None = None


class FileResult(Value):
    """What came of a file: its results in their order, why others have none, and what was seen to be as expected."""

    file: str
    grant_id: str
    results: tuple[CaseResult, ...] = ()
    errors: tuple[CaseFileProblem, ...] = ()
    passed_cases: tuple[PassedCase, ...] = ()
    own_line: int = 0  # the cases before this line are generated

    @property
    def failed_cases(self) -> tuple[CaseResult, ...]:
        """The results that differ from what the cases expect, in order."""
        return tuple(result for result in self.results if result.failures)


def run_case_file(file: CaseFile, subject: GrantUnderTest) -> FileResult:
    """Run the cases of a file on a grant; raise NotDoneError if its tree cannot be made, or patterns take too long."""
    results = []
    with hold_signals() as leave_if_received, open_temporary_file_tree(file.tree) as root, SharedSteps() as steps:
        run = _CaseRunner(file, subject, root)
        for case in file.cases:
            leave_if_received()
            results.append(run.run_case(case))
            if steps.is_used_up:
                why = f"the cases up to `{case.name:.100}` need more than {MAX_SHARED_STEPS:,} steps to match patterns"
                raise NotDoneError(why, "use shorter values, or fewer such cases")
    if file.is_complete and not any(result.failures for result in results):
        results += _fail_for_missing_coverage(file, subject, run.seen)
    return FileResult(file.file, file.grant_id, tuple(results), (), tuple(run.seen), file.own_line)


def _fail_for_missing_coverage(
    file: CaseFile, subject: GrantUnderTest, seen: list[PassedCase]
) -> "Iterator[CaseResult]":
    """Yield a failed case for what no case shows, if the file says that its cases are complete."""
    cover = measure_coverage(subject.grant, subject.file, [tuple(seen)])
    if cover.unmet:
        wrong = tuple(f"not covered: {requirement}" for requirement in cover.unmet)
        yield CaseResult(Case(COMPLETENESS_CASE, "", {}, ALLOWED, file.complete_line), None, wrong)


class _CaseRunner:
    """The clock and the budgets of one file, and its passed cases."""

    def __init__(self, file: CaseFile, subject: GrantUnderTest, root: "Sandbox") -> None:
        """Start with full budgets."""
        self.seen: list[PassedCase] = []
        self._settings, self._subject, self._root = file.settings, subject, root
        self._now = self._paths = 0  # nanoseconds, and how many paths there were
        self._hits: dict[str, deque[tuple[int, int]]] = {}  # by action: when, and how many
        self._used: dict[str, int] = {}  # by action: all of them
        self._whys, self._most_whys = 0, min(MOST_WHYS, _MOST_EXPLAINED // max(1, len(subject.text)))

    def run_case(self, case: Case) -> CaseResult:
        """Make the calls of a case until one of them fails."""
        self._now += case.advance_ns
        request = self._build_request(case)
        refused = find_denial_before_rate(self._subject.grant, request, self._settings)
        # what other rules refuse is refused again, however often it is called
        calls = case.times if refused is None else 1
        call, is_last = 0, False
        while not is_last:
            call += 1
            decision = refused if refused is not None else self._decide_by_rate(request)
            is_last = call == calls or not decision.allowed  # what counts nothing is denied again each time
            wrong = tuple(map(shorten_message, self._find_failures(case, decision, call, is_last=is_last)))
            if wrong:
                return CaseResult(case, decision.reason, wrong, self._explain_failure(case, request, decision))
            # a call that fits is answered as the one before it: only the first and the last are decided
            call += 0 if is_last else self._repeat_allowed_call(request, calls - call - 1)
        self.seen.append(PassedCase(case, request, decision))
        return CaseResult(case, decision.reason)

    def _repeat_allowed_call(self, request: Request, max_calls: int) -> int:
        """Count the call that was just allowed again, as often as it fits; return how often."""
        used = self._used[request.action]
        times = min(max_calls, (self._subject.grant.rate.per_minute - used) // request.cost)
        now, number = self._hits[request.action].pop()
        self._hits[request.action].append((now, number + times * request.cost))
        self._used[request.action] = used + times * request.cost
        return times

    def _build_request(self, case: Case) -> Request:
        """Resolve the paths of a case; raise NotDoneError if there are too many of them."""
        root = self._root
        self._paths += sum(1 for _ in find_path_arguments(self._subject.grant, case.args))
        if self._paths > MAX_PATHS:
            raise NotDoneError(
                f"the cases up to `{case.name:.100}` have more than {MAX_PATHS:,} paths in all", "give fewer"
            )
        paths = resolve_path_arguments(
            self._subject.grant, root.origin, case.args, root.protected, root.start_directory(case.cwd)
        )
        return Request(case.action, case.args, paths, case.cost)

    def _decide_by_rate(self, request: Request) -> Decision:
        """Decide by the rate alone, and count allowed calls."""
        grant, hits = self._subject.grant, self._hits.setdefault(request.action, deque())
        while hits and self._now - hits[0][0] >= WINDOW_SECONDS * NANOSECONDS:
            self._used[request.action] -= hits.popleft()[1]
        limit, cost, used = grant.rate.per_minute, request.cost, self._used.get(request.action, 0)
        if used + cost > limit:
            return decide_rate(grant, request, self._exhausted_budget(hits, used, limit, cost))
        now, before = hits.pop() if hits and hits[-1][0] == self._now else (self._now, 0)
        hits.append((now, before + cost))
        self._used[request.action] = used + cost
        return decide_rate(grant, request, Budget(limit, used + cost, limit - used - cost, 0.0, cost))

    def _exhausted_budget(self, hits: deque[tuple[int, int]], used: int, limit: int, cost: int) -> Budget:
        """Return a budget without room for a cost, as `counted` does, without a look at each hit for each call."""
        excess = used + cost - limit
        # INVARIANT: the difference is taken in whole nanoseconds, so that a window is exactly as long as it says
        for at, number in hits if cost <= limit else ():
            excess -= number
            if excess <= 0:
                return Budget(limit, used, max(0, limit - used), (at - self._now) / NANOSECONDS + WINDOW_SECONDS, 0)
        return Budget(limit, used, max(0, limit - used), None, 0)

    def _find_failures(self, case: Case, decision: Decision, call: int, *, is_last: bool) -> "Iterator[str]":
        which_call = f" in call {call} of {case.times}" if case.times > 1 else ""
        if decision.reason != case.expect:
            yield f"expected `{case.expect}`, got `{decision.reason}`{which_call}"
            return
        left = decision.budget.remaining if decision.budget is not None else None
        if is_last and case.remaining is not None and left != case.remaining:
            yield f"expected {case.remaining} remaining, got {'none, as nothing was counted' if left is None else left}"
        if case.obligations is not None and decision.obligations != case.obligations:
            yield f"expected {_obligations_text(case.obligations)}, got {_obligations_text(decision.obligations)}"
        if case.tool is not None and self._subject.grant.tool != case.tool:
            yield f"expected the budget of `{case.tool}`, got that of `{self._subject.grant.tool}`"

    def _explain_failure(self, case: Case, request: Request, decision: Decision) -> FailureReason | None:
        """Return the step that denied; where none did, the one that was expected to, or the last; None after many."""
        if self._whys == self._most_whys:
            return None
        self._whys += 1
        report = explain(self._subject.grant, self._subject.text, request, decision, self._settings)
        denying = [step for step in report.steps if step.verdict == DENIES]
        expected = [step for step in report.steps if step.rule == DENIED_BY.get(case.expect, "rate") and step.message]
        if not denying and not expected:
            return None
        step = (denying or expected)[0]
        hide = self._root.mask_path
        seen = RuleStep(step.rule, step.verdict, hide(step.message), step.pointer, step.line)
        return FailureReason(seen, self._subject.file, hide(report.nearest))


def _obligations_text(obligations: tuple[str, ...]) -> str:
    return f"the obligations {', '.join(obligations)}" if obligations else "no obligation"
