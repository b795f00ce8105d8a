"""What cases can cover of a grant: its actions, scopes, argument rules, budget and data class."""

from functools import partial
from itertools import islice
from typing import NamedTuple

from cortex_policy.core import Value
from cortex_policy.core.arguments import find_declaration_problem_text_or_empty
from cortex_policy.core.compare.declarations import accepts_nothing
from cortex_policy.core.ecma_regex import MAX_SHARED_STEPS, SharedSteps
from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Decision,
    Grant,
    Request,
)
from cortex_policy.core.path_arguments import may_be_path_argument
from cortex_policy.core.path_index import PathIndex
from cortex_policy.manage.cases.boundary_values import (
    find_keywords_except_format_and_items,
    is_bound_too_large,
    is_keyword_violated_by,
    sample_invalid_values,
    sample_valid_values,
)
from cortex_policy.manage.cases.model import Case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_WORDS = 100
MAX_REQUIREMENTS = 5_000  # of a grant


class PassedCase(Value):
    """A case that passed, with its call and the decision."""

    case: Case
    request: Request
    decision: Decision


class CaseEvidence:
    """What the passed cases of a file show, indexed: there may be thousands of cases and of requirements."""

    has_obligations: bool
    has_path: bool
    is_budget_restored: bool
    is_budget_used_up: bool
    allowed_paths: PathIndex
    denied_paths: PathIndex

    def __init__(self, calls: "Iterable[PassedCase]") -> None:
        """Index each case once."""
        self.reasons: set[str] = set()
        self.allowed: set[str] = set()  # actions
        self.passed: dict[str, set[str]] = {}  # values by argument, where the arguments met their declarations
        self.missed: dict[str, list[object]] = {}  # values by argument, if one of them did not
        self._inside: list[str] = []  # paths that were allowed
        self._beside: list[str] = []  # and such that were denied
        self.has_path = self.has_obligations = self.is_budget_used_up = self.is_budget_restored = False
        self._ends: set[str] = set()  # actions of which nothing was left
        self._limited: set[str] = set()
        for seen in calls:
            self.reasons.add(seen.decision.reason)
            self._note_argument_values(seen)
            self._note_paths(seen)
            self._note_budget(seen)
        self.allowed_paths, self.denied_paths = PathIndex(self._inside), PathIndex(self._beside)

    def _note_argument_values(self, seen: PassedCase) -> None:
        for name, value in seen.request.args.items():
            if seen.decision.reason == ARGUMENT_NOT_ALLOWED:
                self.missed.setdefault(name, []).append(value)
            elif seen.decision.reason != ACTION_NOT_ALLOWED:
                self.passed.setdefault(name, set()).add(_json_equality_key(value))

    def _note_paths(self, seen: PassedCase) -> None:
        decision = seen.decision
        if decision.allowed:
            self.has_path = self.has_path or bool(seen.request.paths)
            self._inside += [path.normalized for path in seen.request.paths if path.normalized is not None]
        elif decision.reason == PATH_OUTSIDE_SCOPE:
            self._beside += [path.normalized for path in seen.request.paths if path.normalized is not None]

    def _note_budget(self, seen: PassedCase) -> None:
        action, decision = seen.request.action, seen.decision
        if decision.allowed:
            self.allowed.add(action)
            self.has_obligations = self.has_obligations or bool(seen.case.obligations)
            self.is_budget_restored = self.is_budget_restored or action in self._limited
            if seen.case.remaining == 0:
                self._ends.add(action)
        elif decision.reason == RATE_LIMITED and decision.retryable:
            self._limited.add(action)
            self.is_budget_used_up = self.is_budget_used_up or action in self._ends


class Requirement(NamedTuple):
    """One thing that cases can show of a grant, as the end of `not covered: ...`."""

    sentence: str
    is_met: "Callable[[CaseEvidence], bool]"


class Coverage(Value):
    """What the cases of a grant show, and what they do not; `is_tested` if it has a case file."""

    grant_id: str
    file: str
    is_tested: bool
    met: tuple[str, ...]
    unmet: tuple[str, ...]


def measure_coverage(grant: Grant, file: str, runs: "Iterable[Iterable[PassedCase]]") -> Coverage:
    """Return what the cases of some files, each with its own clock, show of a grant."""
    files = [CaseEvidence(calls) for calls in runs]
    met, unmet = list[str](), list[str]()
    required = _list_requirements(grant)
    with SharedSteps() as steps:
        for requirement in islice(required, MAX_REQUIREMENTS):
            is_met = any(map(requirement.is_met, files))
            if steps.is_used_up:
                break
            (met if is_met else unmet).append(requirement.sentence)
    if steps.is_used_up:
        unmet.append(f"the rest, which was not examined: its values take more than {MAX_SHARED_STEPS:,} steps")
    elif next(required, None) is not None:
        unmet.append(f"the rest, which was not examined: at most {MAX_REQUIREMENTS:,} requirements are")
    return Coverage(grant.id, file, bool(files), tuple(met), tuple(unmet))


def _list_requirements(grant: Grant) -> "Iterator[Requirement]":
    """Yield everything that cases can show of a grant."""
    for action in dict.fromkeys(grant.actions):
        yield Requirement(f"`{action}` is allowed", partial(_is_action_shown_allowed, action))
    yield Requirement("another action is denied", lambda shown: ACTION_NOT_ALLOWED in shown.reasons)
    for name, declaration in grant.args.items():
        yield from _argument_requirements(grant, name, declaration)
    if grant.actions:
        yield from _path_requirements(grant)
        if grant.data_class == "sensitive":
            yield Requirement("an allowed call has its obligations", lambda shown: shown.has_obligations)
        yield Requirement(
            f"{grant.rate.per_minute} calls a minute are allowed, and no more", lambda shown: shown.is_budget_used_up
        )
        yield Requirement("a used up budget comes back", lambda shown: shown.is_budget_restored)


def normalize_outermost_scopes(grant: Grant) -> list[str]:
    """Return the normalized scopes, without those that never match or are inside another scope."""
    known = dict.fromkeys(prefix for prefix in map(strip_scope_slash_or_none, grant.fs_scope) if prefix is not None)
    every = PathIndex(known)
    return [prefix for prefix in known if every.is_outermost(prefix)]


def sample_valid_values_of_argument(grant: Grant, name: str) -> "list[object]":
    """Return values of an argument that satisfy its declaration."""
    return sample_valid_values(grant.args[name], _likely_texts(grant, name))


def sample_keyword_violations_of_argument(grant: Grant, name: str) -> "Iterator[tuple[str, object]]":
    """Yield (keyword, value): values of an argument that violate this keyword of its declaration."""
    return sample_invalid_values(grant.args[name], _likely_texts(grant, name))


def _json_equality_key(value: object) -> str:
    """Return a text that is the same for values that JSON Schema calls equal, such as `1` and `1.0`."""
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{name!r}:{_json_equality_key(part)}' for name, part in value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_json_equality_key, value))}]"
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


def _likely_texts(grant: Grant, name: str) -> tuple[str, ...]:
    """Return texts that may be allowed as an argument; none if any text may."""
    return tuple(normalize_outermost_scopes(grant)[:MAX_WORDS]) if may_be_path_argument(grant, name) else ()


def _is_action_shown_allowed(action: str, shown: CaseEvidence) -> bool:
    return action in shown.allowed


def _argument_requirements(grant: Grant, name: str, declaration: object) -> "Iterator[Requirement]":
    """Yield what cases must show of a declaration: each keyword met and violated, and each value of an `enum`."""
    if find_declaration_problem_text_or_empty(declaration, 0) or not isinstance(declaration, dict):
        yield Requirement(f"a call with `{name}` is denied", lambda shown: name in shown.missed)
        return
    # no requirement without a possible case: an argument that no value satisfies, a keyword that none violates
    is_void, missed = (
        accepts_nothing(grant.args, name),
        {keyword for keyword, _ in sample_keyword_violations_of_argument(grant, name)},
    )
    for keyword in find_keywords_except_format_and_items(declaration):
        if not is_void:
            yield Requirement(f"a `{name}` that meets its `{keyword}`", lambda shown: name in shown.passed)
        if keyword in missed or is_bound_too_large(keyword, declaration[keyword]):
            yield Requirement(
                f"a `{name}` that violates its `{keyword}`", partial(_is_violation_shown, declaration, name, keyword)
            )
    for keyword in sorted(missed - declaration.keys()):  # those inside
        yield Requirement(
            f"a `{name}` that violates its `{keyword}`", partial(_is_violation_shown, declaration, name, keyword)
        )
    if "enum" in declaration:
        for value in sample_valid_values_of_argument(grant, name):
            yield Requirement(
                f"`{name}` may be {value!r:.80}", partial(_is_value_shown_allowed, name, _json_equality_key(value))
            )


def _is_value_shown_allowed(name: str, value: str, shown: CaseEvidence) -> bool:
    return value in shown.passed.get(name, ())


def _is_violation_shown(declaration: object, name: str, keyword: str, shown: CaseEvidence) -> bool:
    return any(is_keyword_violated_by(declaration, keyword, value) for value in shown.missed.get(name, ()))


def _path_requirements(grant: Grant) -> "Iterator[Requirement]":
    known = normalize_outermost_scopes(grant)
    for prefix in known:
        yield Requirement(f"a path in `{prefix}` is allowed", partial(_is_path_inside_shown, prefix))
        yield Requirement(f"a path beside `{prefix}` is denied", partial(_is_path_beside_shown, prefix))
    if not grant.fs_scope:
        yield Requirement("any path is allowed", lambda shown: shown.has_path)
    elif not known:
        yield Requirement("no path is allowed", lambda shown: PATH_OUTSIDE_SCOPE in shown.reasons)


def _is_path_inside_shown(prefix: str, shown: CaseEvidence) -> bool:
    return shown.allowed_paths.count_below(prefix) > 0


def _is_path_beside_shown(prefix: str, shown: CaseEvidence) -> bool:
    """Whether a path was denied that is in the parent directory of the scope, but not in the scope."""
    around, beside = prefix.rpartition("/")[0], shown.denied_paths
    others = beside.count_below(around) - beside.contains(around) if around else len(beside)
    return others > beside.count_below(prefix)
