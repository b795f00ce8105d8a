"""Validate grants and the rules of agents' hooks: report every problem, even if some files cannot be read."""

from itertools import chain

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import UsageError
from cortex_policy.manage.settings_problems import CODE
from cortex_policy.manage.unsafe_files import find_permission_problems
from cortex_policy.manage.validation.grant_file import FileInspector
from cortex_policy.manage.validation.process_pool import map_in_processes
from cortex_policy.manage.validation.root_problems import find_problems_of_grants_sharing_budgets, find_root_problems
from cortex_policy.manage.validation.rule_selection_and_suppressions import Suppressions
from cortex_policy.manage.validation.scope_skipping_settings import find_scope_skipping_setting_problems
from cortex_policy.manage.validation.targets import (
    STDIN,
    ValidationTargets,
    find_validation_targets_of_paths,
    find_validation_targets_of_root,
)
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.schema.rule_catalog import ERROR, WARNING
from cortex_policy.state.grants import find_named_or_only_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cortex_policy.manage.validation.grant_file import FileReport
    from cortex_policy.manage.validation.root_problems import Pair

    Track = Callable[[Iterable[FileReport], int], Iterable[FileReport]]  # yields the reports, and shows the progress


def find_targets(words: tuple[str, ...], root: str | None) -> ValidationTargets:
    """Return the files that these words name; without words, the grants of the root."""
    if words.count(STDIN) > 1:
        raise UsageError("`-` is standard input, and can be read once")
    return (
        find_validation_targets_of_paths(words, find_named_or_only_root(root) if root is not None else None)
        if words
        else find_validation_targets_of_root(find_named_or_only_root(root))
    )


def validate_targets(
    targets: ValidationTargets, suppressions: Suppressions, track: "Track", *, strict: bool = False
) -> Report:
    """Check all files and report the problems that are not suppressed; `strict` turns warnings into errors."""
    with FileInspector(targets.root_as_check_finds_it) as inspector:
        results = track(map_in_processes(targets.files, inspector.inspect_file), len(targets.files))
        reports = list(zip(targets.files, results, strict=True))
        all_problems = chain(targets.problems, _find_problems(targets, reports, inspector))
        problems = [_as_error(one) if strict else one for one in suppressions.apply_to(all_problems)]
    return Report(len(reports), tuple(sorted(problems, key=_sort_key)))


def _sort_key(problem: Problem) -> tuple[object, ...]:
    """Sort by position; settings that cannot be trusted come first: every check answers 27 until then."""
    return problem.code != CODE, problem.file, problem.line, problem.column, problem.code


def _find_problems(targets: ValidationTargets, reports: "list[Pair]", inspector: FileInspector) -> "Iterator[Problem]":
    for _, one in reports:
        yield from one.problems
    in_place: dict[str, list[Pair]] = {root: [] for root in targets.roots}
    for target, one in reports:
        if target.is_in_place:
            in_place.setdefault(target.root, []).append((target, one))
    for root, root_reports in in_place.items():
        grants = [(target, one) for target, one in root_reports if target.id != HOOKS_TOML]
        yield from find_problems_of_grants_sharing_budgets(grants, inspector)
        files = [target.path for target, _ in root_reports]
        of_files = [problem for _, one in root_reports for problem in one.trust_problems]
        yield from find_permission_problems(targets.root_as_check_finds_it(root), files, of_files)
        if root in targets.roots:
            yield from find_scope_skipping_setting_problems(
                root, [target.id for target, one in grants if one.has_scope]
            )
            yield from find_root_problems(root, grants)


def _as_error(problem: Problem) -> Problem:
    if problem.severity != WARNING:
        return problem
    return Problem(**{name: getattr(problem, name) for name in problem.__match_args__} | {"severity": ERROR})
