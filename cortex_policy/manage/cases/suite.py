"""Run the case files of roots, and measure how much of their grants they cover."""

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES, decode_grant
from cortex_policy.core.model import CortexPolicyError, GrantError
from cortex_policy.manage.cases.coverage import Coverage, measure_coverage
from cortex_policy.manage.cases.model import CaseFileProblem
from cortex_policy.manage.cases.parser import read_case_file_collecting_errors
from cortex_policy.manage.cases.runner import FileResult, GrantUnderTest, run_case_file
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.manage.settings_problems import find_settings_error_texts_of_roots
from cortex_policy.manage.unsafe_files import summarize_unsafe_file_texts
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, list_grant_ids, make_grant_read_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cortex_policy.manage.cases.discovery import CaseFileTarget, RunPlan

    Track = Callable[[list[CaseFileTarget]], Iterable[CaseFileTarget]]  # yields files, and sees how far their reader is


class SuiteResult(Value):
    """The results of all files, the coverage of their grants, and warnings."""

    files: tuple[FileResult, ...]
    coverage: tuple[Coverage, ...]
    warnings: tuple[str, ...] = ()

    @property
    def is_passed(self) -> bool:
        """Whether every case of every file is as expected."""
        return not any(one.errors or one.failed_cases for one in self.files)

    @property
    def coverage_percent(self) -> float:
        """The percentage of what the grants allow and deny that passed cases show."""
        return compute_coverage_percent(self.coverage)

    def filter_cases(self, text: str) -> "SuiteResult":
        """Return the result with only the cases whose name or file contains a text; errors stay."""
        matching = [
            FileResult(
                one.file, one.grant_id, tuple(r for r in one.results if text in r.case.name or text in one.file),
                one.errors, one.passed_cases, one.own_line,
            ) for one in self.files
        ]  # fmt: skip
        return SuiteResult(tuple(one for one in matching if one.results or one.errors), self.coverage, self.warnings)


def compute_coverage_percent(covers: "Iterable[Coverage]") -> float:
    """Return the percentage of requirements that are met, 100 if there are none."""
    counts = [(len(cover.met), len(cover.met) + len(cover.unmet)) for cover in covers]
    every = sum(number for _, number in counts)
    return 100 * sum(met for met, _ in counts) / every if every else 100.0


def run_suite(plan: "RunPlan", track: "Track" = iter) -> SuiteResult:
    """Run every case file of a plan; files that cannot be run are reported, and the others are still run."""
    grants = GrantLoader()
    tested = [_run_target(target, grants) for target in track(list(plan.targets))]
    runs: dict[tuple[str, str], list[FileResult]] = {}
    for root in plan.roots:
        runs |= {(root.path, grant_id): [] for grant_id in list_grant_ids(root)}
    roots = {root.path: root for root in (*plan.roots, *(target.root for target in plan.targets))}
    for target, one in zip(plan.targets, tested, strict=True):
        runs.setdefault((target.root.path, one.grant_id), []).append(one)
    covers = [cover for (path, grant_id), results_of_grant in sorted(runs.items())
              if (cover := grants.load_coverage(roots[path], grant_id, results_of_grant)) is not None]  # fmt: skip
    failed_files = [FileResult(problem.file, "", errors=(problem,)) for problem in plan.errors]
    return SuiteResult(
        (*failed_files, *tested), tuple(covers), (*find_settings_error_texts_of_roots(roots), *grants.warnings)
    )


def _run_target(target: "CaseFileTarget", grants: "GrantLoader") -> FileResult:
    file = read_case_file_collecting_errors(target.path, target.shown)
    if file.errors:
        return FileResult(file.file, file.grant_id, errors=file.errors)
    try:
        return run_case_file(file, grants.load(target.root, file.grant_id))
    except CortexPolicyError as error:
        why = f"`{file.grant_id}`: {error}"
        return FileResult(
            file.file, file.grant_id, errors=(CaseFileProblem(file.file, file.grant_line, why, error.hint),)
        )


class GrantLoader:
    """Loads the grants of roots, each once; a grant that no check would trust is loaded with a warning."""

    def __init__(self) -> None:
        """Start without grants."""
        self._warnings: dict[str, None] = {}
        self._unsafe: dict[str, None] = {}
        self._known: dict[tuple[str, str], GrantUnderTest | GrantError] = {}

    @property
    def warnings(self) -> list[str]:
        """Grants that could not be tested, and one warning for all the grants that checks do not trust."""
        return [*self._warnings, *summarize_unsafe_file_texts([*self._unsafe])]

    def load(self, root: Root, grant_id: str) -> GrantUnderTest:
        """Load a grant; raise GrantError if it does not exist or does not decode."""
        key = (root.path, grant_id)
        if key not in self._known:
            self._known[key] = self._read_grant(root, grant_id)
        known = self._known[key]
        if isinstance(known, GrantError):
            raise known
        return known

    def load_coverage(self, root: Root, grant_id: str, tested: list[FileResult]) -> Coverage | None:
        """Return the coverage of a grant; None, and a warning, if it cannot be read."""
        try:
            subject = self.load(root, grant_id)
        except GrantError as error:
            if not tested:  # else its case file has an error
                self._warnings[f"`{grant_id}` cannot be tested: {error}"] = None
            return None
        return measure_coverage(subject.grant, subject.file, [one.passed_cases for one in tested])

    def _read_grant(self, root: Root, grant_id: str) -> GrantUnderTest | GrantError:
        trust = TrustCheck(root)
        try:
            with PolicyDirectory(trust, "tools") as tools:
                data = tools.read(f"{grant_id}.json", MAX_BYTES + 1)
            grant = decode_grant(data, grant_id)
        except (FileNotFoundError, GrantError) as error:
            return make_grant_read_error(error, trust, grant_id)
        self._unsafe |= dict.fromkeys(trust.sentences)
        return GrantUnderTest(grant, data, make_path_relative_if_below_cwd(f"{root.tools_path}/{grant_id}.json"))
