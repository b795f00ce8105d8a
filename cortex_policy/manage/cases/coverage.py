"""What cases can cover of a grant: its actions, scopes, argument rules, budget and data class."""

from functools import partial
from itertools import islice
from typing import NamedTuple

from cortex_policy.core.arguments import declaration_error
from cortex_policy.core.compare.declarations import accepts_nothing
from cortex_policy.core.ecma_regex import MAX_SHARED_STEPS, SharedSteps
from cortex_policy.core.engine import normalize_scope
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Decision,
    Grant,
    Request,
    Value,
)
from cortex_policy.core.path_arguments import may_be_path
from cortex_policy.core.scope_prefix import PathSet
from cortex_policy.manage.cases.boundary_values import enforced, is_far, meeting, misses, missing
from cortex_policy.manage.cases.model import Case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_WORDS = 100
MOST_DEMANDS = 5_000  # of a grant


class Seen(Value):
    """A case that passed: its call, and the decision that it got."""

    case: Case
    request: Request
    decision: Decision


class Evidence:
    """What the cases of a file showed, so that each demand looks it up: there may be thousands of both."""

    has_obligations: bool
    has_path: bool
    is_back: bool
    is_used_up: bool
    inside: PathSet
    beside: PathSet

    def __init__(self, calls: "Iterable[Seen]") -> None:
        """Look at each call once."""
        self.reasons: set[str] = set()
        self.allowed: set[str] = set()  # actions
        self.passed: dict[str, set[str]] = {}  # values by argument, where the arguments met their declarations
        self.missed: dict[str, list[object]] = {}  # values by argument, where one of them did not
        self._inside: list[str] = []  # paths that were allowed
        self._beside: list[str] = []  # and such that were denied
        self.has_path = self.has_obligations = self.is_used_up = self.is_back = False
        self._ends: set[str] = set()  # actions of which nothing was left
        self._limited: set[str] = set()
        for seen in calls:
            self.reasons.add(seen.decision.reason)
            self._note_arguments(seen)
            self._note_paths(seen)
            self._note_budget(seen)
        self.inside, self.beside = PathSet(self._inside), PathSet(self._beside)

    def _note_arguments(self, seen: Seen) -> None:
        for name, value in seen.request.args.items():
            if seen.decision.reason == ARGUMENT_NOT_ALLOWED:
                self.missed.setdefault(name, []).append(value)
            elif seen.decision.reason != ACTION_NOT_ALLOWED:
                self.passed.setdefault(name, set()).add(canonical(value))

    def _note_paths(self, seen: Seen) -> None:
        decision = seen.decision
        if decision.allowed:
            self.has_path = self.has_path or bool(seen.request.paths)
            self._inside += [place.normalized for place in seen.request.paths if place.normalized is not None]
        elif decision.reason == PATH_OUTSIDE_SCOPE:
            self._beside += [place.normalized for place in seen.request.paths if place.normalized is not None]

    def _note_budget(self, seen: Seen) -> None:
        action, decision = seen.request.action, seen.decision
        if decision.allowed:
            self.allowed.add(action)
            self.has_obligations = self.has_obligations or bool(seen.case.obligations)
            self.is_back = self.is_back or action in self._limited
            if seen.case.remaining == 0:
                self._ends.add(action)
        elif decision.reason == RATE_LIMITED and decision.retryable:
            self._limited.add(action)
            self.is_used_up = self.is_used_up or action in self._ends


class Demand(NamedTuple):
    """One thing that cases can show of a grant, as the end of `no case shows that ...`."""

    said: str
    is_met: "Callable[[Evidence], bool]"


class Cover(Value):
    """What the cases of a grant show of it, and what they do not; `is_tested` where it has a case file at all."""

    grant_id: str
    file: str
    is_tested: bool
    met: tuple[str, ...]
    unmet: tuple[str, ...]


def covered(grant: Grant, file: str, runs: "Iterable[Iterable[Seen]]") -> Cover:
    """Say what the cases of some files, each with its own clock, show of a grant."""
    files = [Evidence(calls) for calls in runs]
    met, unmet = list[str](), list[str]()
    wanted = demands(grant)
    with SharedSteps() as steps:
        for demand in islice(wanted, MOST_DEMANDS):
            is_met = any(map(demand.is_met, files))
            if steps.is_used_up:
                break
            (met if is_met else unmet).append(demand.said)
    if steps.is_used_up:
        unmet.append(f"the rest is as meant: its patterns take more than {MAX_SHARED_STEPS:,} steps to look further")
    elif next(wanted, None) is not None:
        unmet.append(f"the rest is as meant: no more than {MOST_DEMANDS:,} things are looked for")
    return Cover(grant.id, file, bool(files), tuple(met), tuple(unmet))


def demands(grant: Grant) -> "Iterator[Demand]":
    """Yield all that cases can show of a grant."""
    for action in dict.fromkeys(grant.actions):
        yield Demand(f"`{action}` is allowed", partial(_allows, action))
    yield Demand("another action is denied", lambda shown: ACTION_NOT_ALLOWED in shown.reasons)
    for name, declaration in grant.args.items():
        yield from _argument(grant, name, declaration)
    if grant.actions:
        yield from _paths(grant)
        if grant.data_class == "sensitive":
            yield Demand("an allowed call has its obligations", lambda shown: shown.has_obligations)
        yield Demand(f"{grant.rate.per_minute} calls a minute are allowed, and no more", lambda shown: shown.is_used_up)
        yield Demand("a used up budget comes back", lambda shown: shown.is_back)


def prefixes(grant: Grant) -> list[str]:
    """Return the scopes as they are compared, without those that never match or lie in another one."""
    known = dict.fromkeys(prefix for prefix in map(normalize_scope, grant.fs_scope) if prefix is not None)
    every = PathSet(known)
    return [prefix for prefix in known if every.is_outermost(prefix)]


def values_of(grant: Grant, name: str) -> "list[object]":
    """Return what to try as an argument, so that it meets its declaration."""
    return meeting(grant.args[name], _words(grant, name))


def misses_of(grant: Grant, name: str) -> "Iterator[tuple[str, object]]":
    """Yield (keyword, value): what to try as an argument, so that it misses this keyword of its declaration."""
    return missing(grant.args[name], _words(grant, name))


def canonical(value: object) -> str:
    """Return a text that two values share where they are equal to JSON Schema, which knows one kind of numbers."""
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{name!r}:{canonical(part)}' for name, part in value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(canonical, value))}]"
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


def _words(grant: Grant, name: str) -> tuple[str, ...]:
    """Return texts that may be allowed as an argument, none where any may."""
    return tuple(prefixes(grant)[:MOST_WORDS]) if may_be_path(grant, name) else ()


def _allows(action: str, shown: Evidence) -> bool:
    return action in shown.allowed


def _argument(grant: Grant, name: str, declaration: object) -> "Iterator[Demand]":
    if declaration_error(declaration, 0) or not isinstance(declaration, dict):
        yield Demand(f"no `{name}` is taken", lambda shown: name in shown.missed)
        return
    # what nobody can show is not asked for: an argument that no value meets, a keyword that every value meets
    is_void, missed = accepts_nothing(grant.args, name), {keyword for keyword, _ in misses_of(grant, name)}
    for keyword in enforced(declaration):
        if not is_void:
            yield Demand(f"a `{name}` meets its `{keyword}`", lambda shown: name in shown.passed)
        if keyword in missed or is_far(keyword, declaration[keyword]):
            yield Demand(f"a `{name}` misses its `{keyword}`", partial(_misses, declaration, name, keyword))
    for keyword in sorted(missed - declaration.keys()):  # those inside
        yield Demand(f"a `{name}` misses its `{keyword}`", partial(_misses, declaration, name, keyword))
    if "enum" in declaration:
        for value in values_of(grant, name):
            yield Demand(f"`{name}` may be {value!r:.80}", partial(_takes, name, canonical(value)))


def _takes(name: str, value: str, shown: Evidence) -> bool:
    return value in shown.passed.get(name, ())


def _misses(declaration: object, name: str, keyword: str, shown: Evidence) -> bool:
    return any(misses(declaration, keyword, value) for value in shown.missed.get(name, ()))


def _paths(grant: Grant) -> "Iterator[Demand]":
    known = prefixes(grant)
    for prefix in known:
        yield Demand(f"a path in `{prefix}` is allowed", partial(_is_inside, prefix))
        yield Demand(f"a path beside `{prefix}` is denied", partial(_is_beside, prefix))
    if not grant.fs_scope:
        yield Demand("any path is allowed", lambda shown: shown.has_path)
    elif not known:
        yield Demand("no path is allowed", lambda shown: PATH_OUTSIDE_SCOPE in shown.reasons)


def _is_inside(prefix: str, shown: Evidence) -> bool:
    return shown.inside.count_in(prefix) > 0


def _is_beside(prefix: str, shown: Evidence) -> bool:
    """Whether a path was denied that lies in the directory in which the scope lies, and not in the scope."""
    around, beside = prefix.rpartition("/")[0], shown.beside
    others = beside.count_in(around) - beside.has(around) if around else len(beside)
    return others > beside.count_in(prefix)
