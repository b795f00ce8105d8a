"""What would help a denied call: what is nearest, what is still allowed, and the operator's command."""

from cortex_policy.core import commands
from cortex_policy.core.engine import judged, usable
from cortex_policy.core.nearness import miss_of, nearest_scope, nearest_value, nearest_word
from cortex_policy.core.walks import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.core.walks import Case

    Counsel = tuple[str, list[str], str]

_MOST_COST = 10**9


def _action(case: "Case") -> "Counsel":
    action, actions = case.request.action, case.grant.actions
    remedy = commands.setting(case.grant.id, "allow", [action] if action else [])
    return nearest_word(action, actions), list(actions), remedy


def _arguments(case: "Case") -> "Counsel":
    miss = miss_of(case.grant.args, case.request.args)
    return nearest_value(miss), [miss.allowed] if miss.allowed else [], commands.typed("edit", case.grant.id)


def _path(case: "Case") -> "Counsel":
    scopes = case.grant.fs_scope
    denied = [(there, why) for _, _, there, why in judged(case.grant, case.request) if why]
    if any(there is None or there.guard for there, _ in denied):
        return "", [], ""
    near = next((found for there, _ in denied if there is not None and (found := nearest_scope(scopes, there))), "")
    wanted = commands.missing_scopes(case.grant, case.decision)
    return near, [scope for scope in scopes if usable(scope)], commands.setting(case.grant.id, "add-scope", wanted)


def _approval(_: "Case") -> "Counsel":
    return "", [], ""


def _rate(case: "Case") -> "Counsel":
    budget, cost, grant = case.decision.budget, case.request.cost, case.grant
    if budget is None or budget.closed:
        return "", [], ""
    if budget.retry_after_seconds is None:
        remedy = commands.setting(grant.id, "rate", [str(cost)] if cost < _MOST_COST else [])
        return "", [f"a cost of at most {budget.limit}"], remedy
    left = [f"a cost of at most {budget.remaining} now"] if budget.remaining else []
    remedy = commands.typed("rate", "reset", grant.id, case.request.action)
    return f"in {budget.retry_after_seconds:.1f} seconds", left, remedy


HELP: "dict[str, Callable[[Case], Counsel]]" = dict(
    zip(RULES, (_action, _arguments, _path, _approval, _rate), strict=True)
)
