"""Run the cases of roots, and say what of their grants no case shows."""

from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.model import CortexPolicyError, GrantError, Value
from cortex_policy.manage.cases.coverage import Coverage, measure_coverage
from cortex_policy.manage.cases.model import CaseFileError
from cortex_policy.manage.cases.parser import read_case_file
from cortex_policy.manage.cases.runner import FileResult, GrantUnderTest, run_file
from cortex_policy.manage.file_permissions import unsafe_warning
from cortex_policy.manage.path_names import display_path
from cortex_policy.manage.settings_problems import settings_warnings
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, with_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cortex_policy.manage.cases.discovery import CaseFileTarget, RunPlan

    Track = Callable[[list[CaseFileTarget]], Iterable[CaseFileTarget]]  # yields files, and sees how far their reader is


class SuiteResult(Value):
    """What came of all files, what no case shows of their grants, and what an operator should know beside."""

    files: tuple[FileResult, ...]
    coverage: tuple[Coverage, ...]
    warnings: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether every case of every file is as expected."""
        return not any(one.errors or one.failed_cases for one in self.files)

    @property
    def percent(self) -> float:
        """How much of what the grants allow and deny is shown by cases that pass."""
        return coverage_percent(self.coverage)

    def filter(self, text: str) -> "SuiteResult":
        """Return the outcome with the cases only whose name, or whose file, holds a text; flaws stay."""
        kept = [
            FileResult(
                one.file, one.grant_id, tuple(r for r in one.results if text in r.case.name or text in one.file),
                one.errors, one.passed_cases,
            ) for one in self.files
        ]  # fmt: skip
        return SuiteResult(tuple(one for one in kept if one.results or one.errors), self.coverage, self.warnings)


def coverage_percent(covers: "Iterable[Coverage]") -> float:
    """Return how much of what is to be shown is shown; all of it where there is nothing."""
    counts = [(len(cover.met), len(cover.met) + len(cover.unmet)) for cover in covers]
    every = sum(number for _, number in counts)
    return 100 * sum(met for met, _ in counts) / every if every else 100.0


def run_suite(plan: "RunPlan", track: "Track" = iter) -> SuiteResult:
    """Run every case file of a plan; what cannot be run is told, and the others are run all the same."""
    grants = GrantLoader()
    tested = [_run_target(target, grants) for target in track(list(plan.targets))]
    runs: dict[tuple[str, str], list[FileResult]] = {}
    for root in plan.roots:
        runs |= {(root.path, grant_id): [] for grant_id in grants.ids(root)}
    roots = {root.path: root for root in (*plan.roots, *(target.root for target in plan.targets))}
    for target, one in zip(plan.targets, tested, strict=True):
        runs.setdefault((target.root.path, one.grant_id), []).append(one)
    covers = [cover for (path, grant_id), ones in sorted(runs.items())
              if (cover := grants.measure(roots[path], grant_id, ones)) is not None]  # fmt: skip
    strangers = [FileResult(flaw.file, "", errors=(flaw,)) for flaw in plan.errors]
    return SuiteResult((*strangers, *tested), tuple(covers), (*settings_warnings(roots), *grants.warnings))


def _run_target(target: "CaseFileTarget", grants: "GrantLoader") -> FileResult:
    file = read_case_file(target.path, target.shown)
    if file.errors:
        return FileResult(file.file, file.grant_id, errors=file.errors)
    try:
        return run_file(file, grants.load(target.root, file.grant_id))
    except CortexPolicyError as error:
        why = f"`{file.grant_id}`: {error}"
        return FileResult(
            file.file, file.grant_id, errors=(CaseFileError(file.file, file.grant_line, why, error.hint),)
        )


class GrantLoader:
    """The grants of roots, each read once; what no check would believe is told as a warning, and read."""

    def __init__(self) -> None:
        """Begin with none."""
        self._warnings: dict[str, None] = {}
        self._unsafe: dict[str, None] = {}
        self._known: dict[tuple[str, str], GrantUnderTest | GrantError] = {}

    @property
    def warnings(self) -> list[str]:
        """What could not be tested, and, once for all of it, what no check trusts."""
        return [*self._warnings, *unsafe_warning([*self._unsafe])]

    def ids(self, root: Root) -> list[str]:
        """List the grants of a root."""
        try:
            with PolicyDirectory(TrustCheck(root), "tools") as tools:
                return tools.grant_ids()
        except FileNotFoundError:
            return []

    def load(self, root: Root, grant_id: str) -> GrantUnderTest:
        """Return a grant; raise GrantError where there is none, or it does not decode."""
        key = (root.path, grant_id)
        if key not in self._known:
            self._known[key] = self._read(root, grant_id)
        known = self._known[key]
        if isinstance(known, GrantError):
            raise known
        return known

    def measure(self, root: Root, grant_id: str, tested: list[FileResult]) -> Coverage | None:
        """Say what cases show of a grant; None where it cannot be read, which is told."""
        try:
            subject = self.load(root, grant_id)
        except GrantError as error:
            if not tested:  # else its case file has told so
                self._warnings[f"`{grant_id}` cannot be tested: {error}"] = None
            return None
        return measure_coverage(subject.grant, subject.file, [one.passed_cases for one in tested])

    def _read(self, root: Root, grant_id: str) -> GrantUnderTest | GrantError:
        trust = TrustCheck(root)
        try:
            with PolicyDirectory(trust, "tools") as tools:
                data = tools.read(f"{grant_id}.json", MAX_BYTES + 1)
            grant = decode(data, grant_id)
        except (FileNotFoundError, GrantError) as error:
            return with_context(error, trust, grant_id)
        self._unsafe |= dict.fromkeys(trust.faults)
        return GrantUnderTest(grant, data, display_path(f"{root.tools}/{grant_id}.json"))
