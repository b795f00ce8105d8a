"""The decision: every rule in its order, and the first that fails decides.

One module of more than 250 lines, as each module costs a check time.
"""

from cortex_policy.core.arguments import contains_object, find_first_argument_violation_text, has_enum_or_const
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    HUMAN_APPROVAL,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Decision,
    PathVerdict,
    Settings,
)
from cortex_policy.core.path_arguments import find_path_arguments, is_path_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cortex_policy.core.model import Budget, Grant, Request, ResolvedPath

DEFAULTS = Settings()
_FEW_SCOPES, _MAX_CACHED = 16, 32  # scopes that are looked at one by one, and grants with more whose scopes are kept
_scope_cache: "dict[int, tuple[tuple[str, ...], dict[str, int], frozenset[int]]]" = {}
_GLOBS = frozenset("*?[]{}\\")


def _action_denial(grant: "Grant", request: "Request", _: Settings) -> Decision | None:
    if request.action in grant.actions:
        return None
    return Decision(ACTION_NOT_ALLOWED, f"`{request.action}`")


def _arguments_denial(grant: "Grant", request: "Request", settings: Settings) -> Decision | None:
    why = find_first_argument_violation_text(grant.args, request.args) if grant.args else ""
    why = why or find_undeclared_argument_denial_text(grant, request.args, settings)
    return Decision(ARGUMENT_NOT_ALLOWED, why) if why else None


def find_undeclared_argument_denial_text(grant: "Grant", args: "Mapping[str, object]", settings: Settings) -> str:
    """Say which argument the setting `undeclared_args` denies, and why; '' if none."""
    if settings.undeclared_args == "allow":
        return ""
    for name, value in args.items():
        if name not in grant.args and not is_path_that_counts_as_declared(grant, name, value):
            return f"`{name}` is not declared in `args`, and the setting `undeclared_args` is `deny`"
        if contains_object(value) and not has_enum_or_const(grant.args, name):
            return f"`{name}` holds an object, whose members nothing declares, and `undeclared_args` is `deny`"
    return ""


def is_path_that_counts_as_declared(grant: "Grant", name: str, value: object) -> bool:
    """Whether an undeclared argument counts as declared: it is a path, and the grant limits paths."""
    return name in ("path", "paths") or (bool(grant.fs_scope) and is_path_argument(grant, name, value))


def _match_scopes(grant: "Grant", paths: "Iterable[ResolvedPath]") -> "tuple[tuple[ResolvedPath, str | None], ...]":
    """Return each path with the scope that allows it, None if none does or need to."""
    scopes = grant.fs_scope
    return tuple(
        (
            path,
            None
            if find_violation_text_of_one_path(scopes, path)
            else find_matching_scope(scopes, path.resolved_inside),
        )
        for path in paths
    )


def make_path_verdicts(grant: "Grant", request: "Request") -> "Iterator[PathVerdict]":
    """Yield the verdict on each path in the arguments, and on what should be a path and is not."""
    resolved_by_key = {(path.argument, path.given): path for path in request.paths}
    for argument, given, is_path in find_path_arguments(grant, request.args):
        # INVARIANT: each path in the arguments was resolved; a request in which one was not is denied here
        resolved = resolved_by_key.get((argument, given)) if given is not None else None
        if resolved is not None:
            why_denied = (
                find_violation_text_of_one_path(grant.fs_scope, resolved) if is_path else resolved.protected_reason
            )
        elif given is None:
            why_denied = "is neither a path nor an array of paths" if grant.fs_scope else ""
        else:
            why_denied = "was not resolved"
        if is_path or why_denied:
            yield PathVerdict(argument, given, resolved, why_denied)


def _path_denial(grant: "Grant", request: "Request", settings: Settings) -> Decision | None:
    names_path = False
    for verdict in make_path_verdicts(grant, request):
        names_path = names_path or verdict.given is not None
        if verdict.why_denied:
            detail = f"{verdict.label} {verdict.why_denied}"
            return Decision(PATH_OUTSIDE_SCOPE, detail, paths=_match_scopes(grant, request.paths))
    if settings.require_path and not names_path:
        return Decision(PATH_OUTSIDE_SCOPE, "no path was given, and one is required")
    return None


def _approval_denial(grant: "Grant", request: "Request", settings: Settings) -> Decision | None:
    if grant.data_class != "sensitive" or settings.sensitive == "allow":
        return None
    is_asked = settings.sensitive == "ask"
    if is_asked and request.approved:
        return None
    obligations, why = (
        ((HUMAN_APPROVAL,), "") if is_asked else ((), "the setting `sensitive` is `deny`, so no human is asked")
    )
    return Decision(APPROVAL_REQUIRED, why, obligations, paths=_match_scopes(grant, request.paths))


_RULES = (_action_denial, _arguments_denial, _path_denial, _approval_denial)


def find_denial_before_rate(grant: "Grant", request: "Request", settings: Settings = DEFAULTS) -> Decision | None:
    """Return the denial of the first rule before the rate that fails, None if all pass."""
    for rule in _RULES:
        decision = rule(grant, request, settings)
        if decision is not None:
            return decision
    return None


def decide_rate(grant: "Grant", request: "Request", budget: "Budget") -> Decision:
    """Decide by the rate alone, for a request that every other rule lets pass.

    The budget must be one that was asked for this cost.
    """
    paths = _match_scopes(grant, request.paths)
    if budget.fits(request.cost):
        obligations = (HUMAN_APPROVAL,) if grant.data_class == "sensitive" else ()
        return Decision(ALLOWED, "", obligations, budget, paths)
    return Decision(RATE_LIMITED, format_rate_denial(budget), (), budget, paths)


def format_rate_denial(budget: "Budget") -> str:
    """Say why a budget has no room."""
    if budget.retry_after_seconds is None:
        from cortex_policy.core.value_text import format_value  # noqa: PLC0415 - few calls cost so much

        return f"a cost above {format_value(budget.limit)} never fits into a minute"
    if budget.closed:
        return (
            f"closed for a minute: {budget.closed_because}"
            if budget.closed_because
            else "closed for a minute after damage"
        )
    where = " on this host, as the server of budgets does not answer" if budget.local else ""
    return f"{budget.used} of {budget.limit} used in the last minute{where}"


def decide(
    grant: "Grant", request: "Request", hits: "Iterable[float]" = (), now: float = 0.0, settings: Settings = DEFAULTS
) -> Decision:
    """Decide a request after hits at the given times (seconds); read nothing, consume nothing.

    Raises UsageError for a cost below one, and for what cannot be read as what it should be.
    """
    from cortex_policy.core import input_objects, input_values  # noqa: PLC0415 - a check need not load these
    from cortex_policy.core.sliding_window import make_budget_from_times  # noqa: PLC0415 - the ledger has its own

    grant, request = input_objects.rebuild_grant(grant), input_objects.rebuild_request(request)
    # never `refused or ...`: a denial is false
    refused = find_denial_before_rate(grant, request, input_objects.rebuild_settings(settings))
    if refused is not None:
        return refused
    times, limit = input_values.require_timestamps(hits), grant.rate.per_minute
    budget = make_budget_from_times(times, input_values.require_timestamp(now), limit, request.cost)
    return decide_rate(grant, request, budget)


def _is_control_character(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _has_scheme(given: str) -> bool:
    scheme, colon, _ = given.partition(":")
    if not colon or len(scheme) <= 1 or not scheme.isascii():
        return False
    return scheme[0].isalpha() and all(character.isalnum() or character in "+.-" for character in scheme)


def find_path_syntax_problem_text_or_empty(given: str) -> str:
    """Return why a path is denied by its spelling alone, '' if it is not."""
    if not given:
        return "is empty"
    if not given.isprintable() and any(map(_is_control_character, given)):
        return "holds a control character"
    if given[0] == "~":
        return "starts with `~`, which is not expanded"
    if _has_scheme(given):
        return "is a URL, not a path"
    if "\\" in given:
        return "holds a backslash"
    if given != given.strip():
        return "starts or ends with a space"
    return ""


def strip_scope_slash_or_none(scope: str) -> str | None:
    """Return a scope as it is compared, without one trailing `/`; None if it can never match."""
    trimmed = scope.removesuffix("/")
    if trimmed != trimmed.strip() or not _GLOBS.isdisjoint(trimmed):
        return None
    return trimmed if _leads_down(trimmed) else None


def _leads_down(path: str) -> bool:
    """Return whether each part of a path is a name."""
    closed = f"/{path}/"
    return "/../" not in closed and "/./" not in closed and "//" not in closed


def find_matching_scope(scopes: tuple[str, ...], relative: str | None) -> str | None:
    """Return the first scope that a path relative to the root equals or lies below, None if there is none.

    A path with `..` in it is in no scope: whoever calls `decide` with paths that nobody resolved gets no yes by them.
    """
    if relative is None:
        return None
    find = _find_matching_scope_of_many if len(scopes) > _FEW_SCOPES else _find_matching_scope_of_few
    found = find(scopes, relative)
    return found if found is not None and _leads_down(relative) else None


def _find_matching_scope_of_few(scopes: tuple[str, ...], relative: str) -> str | None:
    for scope in scopes:
        # as `strip_scope_slash_or_none` returns it; called of few, as a grant may have thousands
        prefix = scope.removesuffix("/")
        is_below = relative.startswith(prefix) and relative[len(prefix) :][:1] in ("", "/")
        if is_below and strip_scope_slash_or_none(scope) is not None:
            return scope
    return None


def _find_matching_scope_of_many(scopes: tuple[str, ...], relative: str) -> str | None:
    """Look the path and what is above it up among the scopes: a call may have many paths as well."""
    cached = _scope_cache.get(id(scopes))
    if cached is None or cached[0] is not scopes:
        known: dict[str, int] = {}
        for index, scope in enumerate(scopes):
            prefix = strip_scope_slash_or_none(scope)
            if prefix is not None:
                known.setdefault(prefix, index)
        if len(_scope_cache) >= _MAX_CACHED:
            _scope_cache.clear()
        cached = _scope_cache[id(scopes)] = scopes, known, frozenset(map(len, known))
    _, known, lengths = cached
    first, end = len(scopes), relative.find("/")
    while end >= 0:
        if end in lengths:  # a path may have half a million parts
            first = min(first, known.get(relative[:end], first))
        end = relative.find("/", end + 1)
    first = min(first, known.get(relative, first))
    return scopes[first] if first < len(scopes) else None


def find_violation_text_of_one_path(scopes: tuple[str, ...], path: "ResolvedPath") -> str:
    """Return why a path is denied under these scopes, '' if it is allowed."""
    if path.protected_reason:
        return path.protected_reason
    if not scopes:
        return ""
    error = find_path_syntax_problem_text_or_empty(path.given) or path.error
    if error:
        return error
    if find_matching_scope(scopes, path.normalized) is None:
        if path.normalized is not None or path.resolved is None or path.given.startswith("/"):
            return "is in no scope"
        return f"is `{path.resolved}` from the working directory, which is in no scope"
    if path.resolved_inside != path.normalized and find_matching_scope(scopes, path.resolved_inside) is None:
        return f"leads to `{path.resolved}`, which is in no scope"
    return ""
