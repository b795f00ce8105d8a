"""Validate grants: every problem of every file, whatever stands in the way of one of them."""

from itertools import chain

from cortex_policy.core.model import UsageError
from cortex_policy.manage.file_permissions import unsafe_files
from cortex_policy.manage.settings_problems import CODE
from cortex_policy.manage.validation.grant_file import Inspector
from cortex_policy.manage.validation.process_pool import spread
from cortex_policy.manage.validation.root_rules import problems_of_root, shared_budgets
from cortex_policy.manage.validation.suppressions import Exemptions
from cortex_policy.manage.validation.targets import STDIN, Targets, of_root, of_words
from cortex_policy.schema.catalog import ERROR, WARNING
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.state.grants import find_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cortex_policy.manage.validation.grant_file import Looked
    from cortex_policy.manage.validation.root_rules import Pair

    Track = Callable[[Iterable[Looked], int], Iterable[Looked]]  # yields what was looked at, and sees how far it is


def targets(words: tuple[str, ...], root: str | None) -> Targets:
    """Return what these words name; no words at all are the grants of the root."""
    if words.count(STDIN) > 1:
        raise UsageError("`-` is standard input, and can be read once")
    return of_words(words, find_root(root) if root is not None else None) if words else of_root(find_root(root))


def validate(where: Targets, exemptions: Exemptions, track: "Track", *, strict: bool = False) -> Report:
    """Look at all of it but what is exempt; `strict` makes errors of warnings."""
    with Inspector(where.as_checked) as inspector:
        results = track(spread(where.files, inspector.look), len(where.files))
        looked = list(zip(where.files, results, strict=True))
        found = chain(where.problems, _found(where, looked, inspector))
        problems = [_raised(one) if strict else one for one in exemptions.report(found)]
    return Report(len(looked), tuple(sorted(problems, key=_order)))


def _order(problem: Problem) -> tuple[object, ...]:
    """Sort by place; settings that cannot be trusted are said first, since every check answers 27 meanwhile."""
    return problem.code != CODE, problem.file, problem.line, problem.column, problem.code


def _found(where: Targets, looked: "list[Pair]", inspector: Inspector) -> "Iterator[Problem]":
    for _, one in looked:
        yield from one.problems
    grants: dict[str, list[Pair]] = {root: [] for root in where.roots}
    for target, one in looked:
        if target.is_in_place:
            grants.setdefault(target.root, []).append((target, one))
    for root, ones in grants.items():
        yield from shared_budgets(ones, inspector)
        files, doubts = [target.path for target, _ in ones], [doubt for _, one in ones for doubt in one.doubts]
        yield from unsafe_files(where.as_checked(root), files, doubts)
        if root in where.roots:
            yield from problems_of_root(root, ones)


def _raised(problem: Problem) -> Problem:
    if problem.severity != WARNING:
        return problem
    return Problem(**{name: getattr(problem, name) for name in problem.__match_args__} | {"severity": ERROR})
