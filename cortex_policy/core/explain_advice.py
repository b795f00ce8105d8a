"""What would help a denied call: the closest match, what is allowed, and a command for the operator."""

from cortex_policy.core import Value, operator_commands
from cortex_policy.core.closest_match import find_closest_scope, find_closest_value, find_closest_word
from cortex_policy.core.engine import (
    find_path_syntax_problem_text_or_empty,
    is_path_that_counts_as_declared,
    make_path_verdicts,
    strip_scope_slash_or_none,
)
from cortex_policy.core.explanation_steps import MOST_PATHS, RULES
from cortex_policy.core.path_likeness import find_unchecked_paths, looks_like_path
from cortex_policy.core.text import format_guess_hint
from cortex_policy.core.unicode_equivalence import (
    find_equivalent_word,
    find_scope_and_path_covered_in_nfc,
    format_normal_form_difference,
)
from cortex_policy.core.value_text import format_first_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.core.explanation_steps import ExplainContext
    from cortex_policy.core.model import ResolvedPath

_MOST_COST = 10**9


class Advice(Value):
    """The closest allowed value, all allowed values, a command and a sentence; each may be empty."""

    nearest: str = ""
    allowed: tuple[str, ...] = ()
    remedy: str = ""
    advice: str = ""


def _advise_on_action(case: "ExplainContext") -> Advice:
    action, actions = case.request.action, case.grant.actions
    remedy, closest = (
        operator_commands.format_set_command(case.grant.id, "allow", [action] if action else []),
        find_closest_word(action, actions),
    )
    if closest == find_equivalent_word(action, actions):
        return Advice(
            closest, actions, remedy, format_normal_form_difference("the action", action, closest) if closest else ""
        )
    advice = f"{format_guess_hint(closest)} an operator can also allow `{action}`" if closest else ""
    return Advice(closest, actions, remedy, advice)


def _advise_on_arguments(case: "ExplainContext") -> Advice:
    violation = case.violation
    if violation is None:
        return _advise_on_undeclared_arguments(case)
    remedy = operator_commands.format_program_command("edit", case.grant.id)
    if not violation.allowed:
        return Advice(remedy=remedy, advice="no value passes until the declaration is fixed")
    return Advice(
        find_closest_value(violation),
        (violation.allowed,),
        remedy,
        "give a value that is allowed; an operator can change the declaration",
    )


def _advise_on_undeclared_arguments(case: "ExplainContext") -> Advice:
    grant, args = case.grant, case.request.args
    names = [
        name for name in args if name not in grant.args and not is_path_that_counts_as_declared(grant, name, args[name])
    ]
    words = [f"{name}={word}" for name in names if "=" not in name and (word := _declaration_word(args[name]))]
    is_complete = bool(names) and len(words) == len(names) <= MOST_PATHS
    remedy = operator_commands.format_set_command(grant.id, "arg", words if is_complete else [])
    near = format_guess_hint(find_closest_word(names[0], tuple(grant.args))) if names else ""
    known = (f"the arguments {format_first_values(list(grant.args))}",) if grant.args else ()
    advice = "leave the argument out; an operator can declare it in `args` (an object by `const` or `enum`)"
    return Advice(
        "", known, remedy or operator_commands.format_program_command("edit", grant.id), f"{near} {advice}".strip()
    )


def _declaration_word(value: object) -> str:
    """Return the declaration of a scalar for `set --arg`, '' for another value."""
    if isinstance(value, str):
        return "string,format=path" if looks_like_path(value) else "string"
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "number" if isinstance(value, float) else ""


def _advise_on_path(case: "ExplainContext") -> Advice:
    """Advise on a path in no scope: the closest scope and the command that adds one, unless no grant could allow it."""
    scopes = case.grant.fs_scope
    usable = tuple(scope for scope in scopes if strip_scope_slash_or_none(scope) is not None)
    denied = [verdict for verdict in make_path_verdicts(case.grant, case.request) if verdict.why_denied]
    if not denied:
        return Advice("", usable, advice="name a path, as with `--path P`")
    paths = [verdict.resolved for verdict in denied if verdict.resolved is not None]
    if reason := next((resolved.protected_reason for resolved in paths if resolved.protected_reason), ""):
        what = "a path that cannot be resolved" if "cannot be resolved" in reason else "files that govern grants"
        return Advice(advice=f"no grant may allow access to {what}")
    if len(paths) < len(denied):
        return Advice("", usable, advice="give a path as a string, or several as an array of strings")
    same = [
        pair for resolved in paths[:MOST_PATHS] if (pair := find_scope_and_path_covered_in_nfc(scopes, resolved))[0]
    ]
    closest = next((found for resolved in paths[:MOST_PATHS] if (found := find_closest_scope(scopes, resolved))), "")
    remedy = operator_commands.format_set_command(
        case.grant.id, "add-scope", operator_commands.suggest_scopes_to_allow(case.grant, case.decision)
    )
    if same:
        closest, spelling = same[0]
        return Advice(closest, usable, remedy, format_normal_form_difference("the scope", spelling, closest))
    return Advice(
        closest, usable, remedy, _did_you_mean_scope_text(closest, paths) if remedy else _no_scope_helps_text(paths)
    )


def advise_declaring_paths(case: "ExplainContext") -> Advice:
    """Advise on a call that is allowed: declare as a path what looks like one, so that its scope is checked."""
    grant, args = case.grant, case.request.args
    alike = dict.fromkeys(name for name, *_ in find_unchecked_paths(grant, args)) if grant.fs_scope else {}
    texts = [name for name in alike if name not in grant.args and isinstance(args[name], str) and "=" not in name]
    words = [f"{name}=string,format=path" for name in texts[:MOST_PATHS]]
    remedy = operator_commands.format_set_command(grant.id, "arg", words)
    return Advice(remedy=remedy, advice="an operator can declare the argument that looks like a path" if remedy else "")


def _did_you_mean_scope_text(closest: str, paths: "list[ResolvedPath]") -> str:
    """Ask whether another scope was meant, if one is spelled alike and begins differently."""
    tops = {(resolved.normalized or resolved.given).partition("/")[0] for resolved in paths}
    is_begun = closest.partition("/")[0] in tops
    return "" if is_begun or not closest else f"did you mean a path in `{closest}`? upper and lower case matter"


def _no_scope_helps_text(paths: "list[ResolvedPath]") -> str:
    """Say why no scope can let these paths in."""
    if any(find_path_syntax_problem_text_or_empty(resolved.given) for resolved in paths):
        return (
            "no scope can cover a path written like this; write the path relative to the root or the working directory"
        )
    if any(resolved.error for resolved in paths):
        return "no scope can cover a path that cannot be resolved"
    if any(resolved.normalized is None or resolved.resolved_inside is None for resolved in paths):
        return "no scope reaches outside the root"
    return "no scope can be written for this path"


def _advise_on_approval(case: "ExplainContext") -> Advice:
    if case.settings.sensitive != "ask":
        return Advice()
    remedy = operator_commands.format_approve_command(case.decision)
    return Advice(
        remedy=remedy,
        advice="wait for the answer with `check --wait 300`"
        if remedy
        else operator_commands.make_approval_hint(case.decision),
    )


def _advise_on_rate(case: "ExplainContext") -> Advice:
    budget, cost, grant = case.decision.budget, case.request.cost, case.grant
    if budget is None or budget.closed:
        return Advice(advice="wait until the damaged ledger opens again")
    if budget.retry_after_seconds is None:
        remedy = operator_commands.format_set_command(grant.id, "rate", [str(cost)] if cost < _MOST_COST else [])
        return Advice("", (f"a cost of at most {budget.limit}",), remedy)
    seconds = budget.retry_after_seconds
    left = (f"a cost of at most {budget.remaining} now",) if budget.remaining else ()
    remedy = operator_commands.format_program_command("rate", "reset", grant.id, case.request.action)
    return Advice(
        f"in {seconds:.1f} seconds", left, remedy, f"wait for the budget with `check --wait {int(seconds) + 1}`"
    )


ADVISERS: "dict[str, Callable[[ExplainContext], Advice]]" = dict(
    zip(
        RULES,
        (_advise_on_action, _advise_on_arguments, _advise_on_path, _advise_on_approval, _advise_on_rate),
        strict=True,
    )
)
