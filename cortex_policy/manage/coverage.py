"""What cases can cover of a grant: its actions, scopes, argument rules, budget and data class."""

from typing import NamedTuple

from cortex_policy.core.arguments import broken
from cortex_policy.core.engine import covering, is_path_argument, usable
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
from cortex_policy.manage.cases import Case
from cortex_policy.manage.probes import enforced, meeting, meets, misses, missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Calls = tuple["Seen", ...]


class Seen(Value):
    """A case that passed: its call, and the decision that it got."""

    case: Case
    request: Request
    decision: Decision


class Demand(NamedTuple):
    """One thing that cases can show of a grant, as the end of `no case shows that ...`."""

    said: str
    is_met: "Callable[[Calls], bool]"


class Cover(Value):
    """What the cases of a grant show of it, and what they do not; `is_tested` where it has a case file at all."""

    grant_id: str
    file: str
    is_tested: bool
    met: tuple[str, ...]
    unmet: tuple[str, ...]


def covered(grant: Grant, file: str, runs: "Iterable[Calls]") -> Cover:
    """Say what the cases of some files, each with its own clock, show of a grant."""
    files = list(runs)
    met, unmet = list[str](), list[str]()
    for demand in demands(grant):
        (met if any(map(demand.is_met, files)) else unmet).append(demand.said)
    return Cover(grant.id, file, bool(files), tuple(met), tuple(unmet))


def demands(grant: Grant) -> "Iterator[Demand]":
    """Yield all that cases can show of a grant."""
    yield from _actions(grant)
    for name, declaration in grant.args.items():
        yield from _argument(grant, name, declaration)
    yield from _paths(grant)
    if grant.actions and grant.data_class == "sensitive":
        yield Demand("an allowed call has its obligations", _has_obligations)
    if grant.actions:
        yield Demand(f"{grant.rate.per_minute} calls a minute are allowed, and no more", _is_used_up)
        yield Demand("a used up budget comes back", _is_back)


def prefixes(grant: Grant) -> list[str]:
    """Return the scopes as they are compared, without those that never match or lie in another one."""
    known = list(dict.fromkeys(prefix for prefix in map(usable, grant.fs_scope) if prefix is not None))
    return [one for one in known if covering(tuple(other for other in known if other != one), one) is None]


def values_of(grant: Grant, name: str) -> "list[object]":
    """Return what to try as an argument, so that it meets its declaration."""
    return meeting(grant.args[name], _words(grant, name))


def misses_of(grant: Grant, name: str) -> "Iterator[tuple[str, object]]":
    """Yield (keyword, value): what to try as an argument, so that it misses this keyword of its declaration."""
    return missing(grant.args[name], _words(grant, name))


def _words(grant: Grant, name: str) -> tuple[str, ...]:
    """Return texts that may be allowed as an argument, none where any may."""
    return tuple(prefixes(grant)) if is_path_argument(grant, name) else ()


def _actions(grant: Grant) -> "Iterator[Demand]":
    def is_allowed(action: str) -> "Callable[[Calls], bool]":
        return lambda calls: any(seen.decision.allowed and seen.request.action == action for seen in calls)

    for action in dict.fromkeys(grant.actions):
        yield Demand(f"`{action}` is allowed", is_allowed(action))
    yield Demand("another action is denied", lambda calls: any(_is(seen, ACTION_NOT_ALLOWED) for seen in calls))


def _argument(grant: Grant, name: str, declaration: object) -> "Iterator[Demand]":
    if broken(declaration, 0) or not isinstance(declaration, dict):
        yield Demand(f"no `{name}` is taken", lambda calls: any(_denied(seen, name) for seen in calls))
        return
    values = values_of(grant, name)
    missed = dict.fromkeys(keyword for keyword, _ in misses_of(grant, name))
    for keyword in dict.fromkeys([*enforced(declaration), *missed]):
        if values:
            yield Demand(f"a `{name}` meets its `{keyword}`", _meets(name))
        if keyword in missed:
            yield Demand(f"a `{name}` misses its `{keyword}`", _misses(declaration, name, keyword))
    for value in declaration.get("enum", ()):
        if meets(declaration, value):
            yield Demand(f"`{name}` may be {value!r:.80}", _takes(name, value))


def _is(seen: Seen, reason: str) -> bool:
    return seen.decision.reason == reason


def _denied(seen: Seen, name: str) -> bool:
    return _is(seen, ARGUMENT_NOT_ALLOWED) and name in seen.request.args


def _passed(seen: Seen, name: str) -> bool:
    """Whether the arguments of a call met what is declared, whatever became of it then."""
    return name in seen.request.args and seen.decision.reason not in (ACTION_NOT_ALLOWED, ARGUMENT_NOT_ALLOWED)


def _meets(name: str) -> "Callable[[Calls], bool]":
    return lambda calls: any(_passed(seen, name) for seen in calls)


def _takes(name: str, value: object) -> "Callable[[Calls], bool]":
    return lambda calls: any(_passed(seen, name) and meets({"const": value}, seen.request.args[name]) for seen in calls)


def _misses(declaration: object, name: str, keyword: str) -> "Callable[[Calls], bool]":
    return lambda calls: any(
        _denied(seen, name) and misses(declaration, keyword, seen.request.args[name]) for seen in calls
    )


def _paths(grant: Grant) -> "Iterator[Demand]":
    if not grant.actions:
        return
    known = prefixes(grant)
    for prefix in known:
        yield Demand(f"a path in `{prefix}` is allowed", _is_inside(prefix))
        yield Demand(f"a path beside `{prefix}` is denied", _is_beside(prefix))
    if not grant.fs_scope:
        yield Demand(
            "any path is allowed", lambda calls: any(seen.decision.allowed and seen.request.places for seen in calls)
        )
    elif not known:
        yield Demand("no path is allowed", lambda calls: any(_is(seen, PATH_OUTSIDE_SCOPE) for seen in calls))


def _is_inside(prefix: str) -> "Callable[[Calls], bool]":
    return lambda calls: any(
        seen.decision.allowed and covering((prefix,), place.collapsed)
        for seen in calls
        for place in seen.request.places
    )


def _is_beside(prefix: str) -> "Callable[[Calls], bool]":
    """Whether a path was denied that lies in the directory which the scope lies in, or below that."""
    around, slash, _ = prefix.rpartition("/")

    def is_beside(path: str | None) -> bool:
        return path is not None and path.startswith(around + slash) and not covering((prefix,), path)

    return lambda calls: any(
        _is(seen, PATH_OUTSIDE_SCOPE) and any(is_beside(place.collapsed) for place in seen.request.places)
        for seen in calls
    )


def _has_obligations(calls: "Calls") -> bool:
    return any(seen.decision.allowed and seen.case.obligations for seen in calls)


def _is_limited(seen: Seen) -> bool:
    return _is(seen, RATE_LIMITED) and seen.decision.retryable


def _is_used_up(calls: "Calls") -> bool:
    """Whether a budget was taken to its end, and one more call denied."""
    ends = {seen.request.action for seen in calls if seen.decision.allowed and seen.case.remaining == 0}
    return any(_is_limited(seen) and seen.request.action in ends for seen in calls)


def _is_back(calls: "Calls") -> bool:
    limited: set[str] = set()
    for seen in calls:
        if _is_limited(seen):
            limited.add(seen.request.action)
        elif seen.decision.allowed and seen.request.action in limited:
            return True
    return False
