"""The decision: every rule in its order, and the first that fails decides (contracts, section 3)."""

from cortex_policy.core.arguments import unmet
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    HUMAN_APPROVAL,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Decision,
    Settings,
)
from cortex_policy.core.scope import covering, outside, path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.core.model import Budget, Grant, Place, Request

DEFAULTS = Settings()


def _action(grant: "Grant", request: "Request", _: Settings) -> Decision | None:
    if request.action in grant.actions:
        return None
    return Decision(ACTION_NOT_ALLOWED, f"`{request.action}`")


def _arguments(grant: "Grant", request: "Request", _: Settings) -> Decision | None:
    why = unmet(grant.args, request.args) if grant.args else ""
    return Decision(ARGUMENT_NOT_ALLOWED, why) if why else None


def _covered(grant: "Grant", places: "Iterable[Place]") -> "tuple[tuple[Place, str | None], ...]":
    return tuple((place, covering(grant.fs_scope, place.landed)) for place in places)


def _path(grant: "Grant", request: "Request", settings: Settings) -> Decision | None:
    places = {(place.argument, place.given): place for place in request.places}
    seen = False
    for argument, given in path_arguments(grant, request.args):
        seen = True
        # INVARIANT: each path in the arguments meets a place made for it; a request without one is denied here
        place = places.get((argument, given)) if given is not None else None
        if place is not None:
            why = outside(grant.fs_scope, place)
        elif given is None:
            why = "is neither a path nor an array of paths" if grant.fs_scope else ""
        else:
            why = "comes unresolved"
        if why:
            what = f"`{given}`" if given is not None else f"argument `{argument}`"
            return Decision(PATH_OUTSIDE_SCOPE, f"{what} {why}", places=_covered(grant, request.places))
    if settings.require_path and not seen:
        return Decision(PATH_OUTSIDE_SCOPE, "no path was given, and one is required")
    return None


def _approval(grant: "Grant", request: "Request", settings: Settings) -> Decision | None:
    if grant.data_class != "sensitive" or settings.sensitive == "allow":
        return None
    if settings.sensitive == "ask":
        return None if request.approved else Decision(APPROVAL_REQUIRED, obligations=(HUMAN_APPROVAL,))
    return Decision(APPROVAL_REQUIRED, "sensitive data is denied by the settings")


_RULES = (_action, _arguments, _path, _approval)


def refusal(grant: "Grant", request: "Request", settings: Settings = DEFAULTS) -> Decision | None:
    """Return the no of the first rule that fails before the rate is asked, None where all pass."""
    for rule in _RULES:
        decision = rule(grant, request, settings)
        if decision is not None:
            return decision
    return None


def rated(grant: "Grant", request: "Request", budget: "Budget") -> Decision:
    """Decide by the rate alone, for a request that every other rule lets pass.

    The budget must be one that was asked for this cost: it fits where it was consumed or none need be waited for.
    """
    places = _covered(grant, request.places)
    if budget.consumed == request.cost or budget.retry_after_seconds == 0:
        obligations = (HUMAN_APPROVAL,) if grant.data_class == "sensitive" else ()
        return Decision(ALLOWED, "", obligations, budget, places)
    if budget.retry_after_seconds is None:
        # the cost stays unsaid: Python refuses to print the largest ones
        detail = f"a cost above {budget.limit} never fits into a minute"
    else:
        detail = f"{budget.used} of {budget.limit} used"
    return Decision(RATE_LIMITED, detail, (), budget, places)


def decide(
    grant: "Grant", request: "Request", hits: "Iterable[float]" = (), now: float = 0.0, settings: Settings = DEFAULTS
) -> Decision:
    """Decide a request after hits at the given times (seconds); read nothing, consume nothing."""
    from cortex_policy.core.window import budget  # noqa: PLC0415 - the ledger has its own; a check need not load this

    limit = grant.rate.per_minute
    refused = refusal(grant, request, settings)  # never `refused or ...`: a no is false
    return rated(grant, request, budget(hits, now, limit, request.cost)) if refused is None else refused
