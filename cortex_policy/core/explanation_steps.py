"""The result of each rule for a call, in sentences, and the place in the grant that decided."""

from cortex_policy.core import Value
from cortex_policy.core.closest_match import ArgumentViolation, find_closest_scope
from cortex_policy.core.engine import (
    find_matching_scope,
    find_path_syntax_problem_text_or_empty,
    find_undeclared_argument_denial_text,
    make_path_verdicts,
)
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
)
from cortex_policy.core.path_arguments import find_path_arguments, is_path_argument
from cortex_policy.core.path_likeness import find_unchecked_paths
from cortex_policy.core.text import join_words_that_fit
from cortex_policy.core.value_text import format_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.core.model import Decision, Grant, PathVerdict, Reason, Request, ResolvedPath, Settings

PASSES, DENIES, NOT_ASKED = "passes", "denies", "not asked"
FAILS = "fails"  # it could not be asked: never the verdict of a rule, but the call is denied
RULES = ("action", "arguments", "path", "approval", "rate")
DENIED_BY: "dict[Reason, str]" = {
    ACTION_NOT_ALLOWED: "action",
    ARGUMENT_NOT_ALLOWED: "arguments",
    PATH_OUTSIDE_SCOPE: "path",
    APPROVAL_REQUIRED: "approval",
    RATE_LIMITED: "rate",
}
MOST_PATHS = 20  # of a kind, that have a step of their own


class RuleStep(Value):
    """One rule, or one path of the path rule, and how it went; the line of the grant it went by, 0 if there is none.

    `verdict` is `passes`, `denies` or `not asked`; `pointer` is a JSON Pointer into the grant.
    """

    rule: str
    verdict: str
    message: str = ""
    pointer: str = ""
    line: int = 0


class ExplainContext(Value):
    """A decision beside all that it was made of; `violation` is that of its arguments, if they were denied for one."""

    grant: "Grant"
    request: "Request"
    decision: "Decision"
    settings: "Settings"
    violation: ArgumentViolation | None = None

    @property
    def denying_rule(self) -> str:
        """The rule that denies, '' if none does."""
        return DENIED_BY.get(self.decision.reason, "")


def _explain_action(case: ExplainContext) -> "Iterator[RuleStep]":
    action, actions = case.request.action, case.grant.actions
    if case.denying_rule == "action":
        yield RuleStep("action", DENIES, f"`{action}` is not in `actions`", "/actions")
    else:
        yield RuleStep(
            "action", PASSES, f"`{action}` is in `actions`", format_json_pointer("actions", actions.index(action))
        )


def _explain_arguments(case: ExplainContext) -> "Iterator[RuleStep]":
    """Yield one step: the violation, or which arguments are as declared, not declared, or paths."""
    declared, given = case.grant.args, case.request.args
    if case.denying_rule == "arguments":
        violation = case.violation
        if violation is not None:
            pointer = format_json_pointer("args", *violation.keys)
            yield RuleStep("arguments", DENIES, _violation_text(violation), pointer)
        else:
            why = find_undeclared_argument_denial_text(case.grant, given, case.settings)
            yield RuleStep("arguments", DENIES, why, format_json_pointer("args") if declared else "")
        return
    known, free, paths = list[str](), list[str](), list[str]()
    for name, value in given.items():
        (known if name in declared else paths if is_path_argument(case.grant, name, value) else free).append(name)
    sentence = [
        *([f"{_names_text(known)} as declared"] if known else []),
        *([f"{_names_text(free)} not declared, so any value is allowed"] if free else []),
        *([f"{_names_text(paths)} decided by the path rule"] if paths else []),
    ]
    pointer = format_json_pointer("args", known[0]) if len(known) == 1 else format_json_pointer("args") if known else ""
    yield RuleStep("arguments", PASSES, "; ".join(sentence) or "the call has no arguments", pointer)


def _violation_text(violation: ArgumentViolation) -> str:
    is_plain = isinstance(violation.value, str | int | float)
    # a type says already what came, and of a broken declaration (which allows nothing) no value is to blame
    is_shown = is_plain and violation.allowed and violation.keyword != "type"
    return f"{violation.why}, and is {format_value(violation.value)}" if is_shown else violation.why


def _names_text(names: list[str]) -> str:
    shown = join_words_that_fit([f"`{name}`" for name in names])
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def _explain_paths(case: ExplainContext) -> "Iterator[RuleStep]":
    counts = dict.fromkeys((PASSES, DENIES), 0)
    for verdict in make_path_verdicts(case.grant, case.request):
        result = DENIES if verdict.why_denied else PASSES
        counts[result] += 1
        if counts[result] <= MOST_PATHS:
            yield _explain_path(case.grant.fs_scope, verdict)
    for result, count in counts.items():
        if count > MOST_PATHS:
            yield RuleStep("path", result, f"and {count - MOST_PATHS} paths more")
    if case.denying_rule == "path" and not counts[DENIES]:
        yield RuleStep("path", DENIES, "the call names no path, but `--require-path` or the settings require one")
    elif not any(counts.values()):
        unchecked = ", so `fsScope` is not checked" if case.grant.fs_scope else ""
        yield RuleStep("path", PASSES, f"the call names no path{unchecked}", "/fsScope" if unchecked else "")
    yield from _explain_what_is_no_path(case)


def _explain_what_is_no_path(case: ExplainContext) -> "Iterator[RuleStep]":
    """Say which arguments are paths and which are not, and name each text among those that looks like a path."""
    paths, others = list[str](), list[str]()
    for name, value in case.request.args.items():
        is_path = any(is_path for *_, is_path in find_path_arguments(case.grant, {name: value}))
        (paths if is_path else others).append(f"`{name}`")
    if others:
        treated = [f"treated as paths: {join_words_that_fit(paths)}"] if paths else []
        yield RuleStep("path", PASSES, "; ".join([*treated, f"not treated as paths: {join_words_that_fit(others)}"]))
    for name, label, text in find_unchecked_paths(case.grant, case.request.args)[:MOST_PATHS]:
        pointer = format_json_pointer("args", name) if name in case.grant.args else ""
        yield RuleStep("path", PASSES, f"`{label}` is not checked as a path, but `{text}` looks like one", pointer)


def _explain_path(scopes: tuple[str, ...], verdict: "PathVerdict") -> RuleStep:
    why = verdict.why_denied
    if verdict.resolved is not None:
        return _explain_resolved_path(scopes, verdict.resolved, why)
    sentence = f"{verdict.label} {why or 'is not a path'}"
    return RuleStep("path", DENIES if why else PASSES, sentence, "/fsScope" if scopes else "")


def _explain_resolved_path(scopes: tuple[str, ...], resolved: "ResolvedPath", why: str) -> RuleStep:
    if not why:
        scope = find_matching_scope(scopes, resolved.resolved_inside)
        if scope is None:
            return RuleStep("path", PASSES, f"`{resolved.given}` may be anywhere: the grant has no `fsScope`")
        return RuleStep(
            "path",
            PASSES,
            f"`{resolved.given}` lies in scope `{scope}`",
            format_json_pointer("fsScope", scopes.index(scope)),
        )
    is_plain = not (
        resolved.error or resolved.protected_reason or find_path_syntax_problem_text_or_empty(resolved.given)
    )
    more = _readings_text(scopes, resolved) if is_plain else ""
    if resolved.protected_reason or not scopes:
        return RuleStep("path", DENIES, f"`{resolved.given}` {why}{more}")
    closest = find_closest_scope(scopes, resolved)
    pointer = format_json_pointer("fsScope", scopes.index(closest)) if closest else "/fsScope"
    return RuleStep("path", DENIES, f"`{resolved.given}` {why}{more}", pointer)


def _readings_text(scopes: tuple[str, ...], resolved: "ResolvedPath") -> str:
    """Say how a path is read both ways, where those differ, and the scope that covers each."""
    if resolved.normalized is None or resolved.normalized != resolved.resolved_inside:
        typed, resolved_state = (
            _reading_text(scopes, resolved, resolved.normalized),
            _reading_text(scopes, resolved, resolved.resolved_inside),
        )
        return f": as typed it is {typed}, with links followed {resolved_state}"
    same = resolved.normalized == resolved.given
    return "" if same else f": relative to the root it is `{resolved.normalized or '.'}`"


def _reading_text(scopes: tuple[str, ...], resolved: "ResolvedPath", relative: str | None) -> str:
    if relative is None:
        return "outside the root"
    scope = find_matching_scope(scopes, relative)
    where = f"in scope `{scope}`" if scope is not None else "in no scope"
    return where if relative == resolved.given else f"`{relative or '.'}`, {where}"


def _explain_approval(case: ExplainContext) -> "Iterator[RuleStep]":
    kind, word = case.grant.data_class, case.settings.sensitive
    pointer = "/dataClass"
    if kind != "sensitive":
        yield RuleStep(
            "approval", PASSES, f"`dataClass` is {kind}, which needs no approval", pointer if kind != "internal" else ""
        )
    elif case.denying_rule == "approval":
        why = "a human must approve this very call" if word == "ask" else "no such call is allowed"
        if case.decision.approval is not None:
            why = f"{why}, and {case.decision.detail}"
        yield RuleStep(
            "approval", DENIES, f"`dataClass` is sensitive, and the setting `sensitive` is `{word}`: {why}", pointer
        )
    elif word == "ask":
        yield RuleStep("approval", PASSES, "`dataClass` is sensitive, and a human has approved this call", pointer)
    else:
        sentence = "`dataClass` is sensitive, which the settings allow; the caller must get a human's approval"
        yield RuleStep("approval", PASSES, sentence, pointer)


def _explain_rate(case: ExplainContext) -> "Iterator[RuleStep]":
    budget = case.decision.budget
    if budget is None:
        yield RuleStep("rate", NOT_ASKED)
    elif case.denying_rule == "rate":
        yield RuleStep("rate", DENIES, case.decision.detail + _waiting_time_text(case), "/rate/perMinute")
    else:
        counted = "this call counted" if budget.consumed else "and this call fits"
        sentence = f"{budget.used} of {budget.limit} used in the last minute, {counted}"
        yield RuleStep("rate", PASSES, sentence, "/rate/perMinute")


def _waiting_time_text(case: ExplainContext) -> str:
    seconds = case.decision.budget.retry_after_seconds if case.decision.budget is not None else None
    return "" if seconds is None else f"; this call fits in {seconds:.1f} seconds"


EXPLAINERS: "dict[str, Callable[[ExplainContext], Iterator[RuleStep]]]" = dict(
    zip(RULES, (_explain_action, _explain_arguments, _explain_paths, _explain_approval, _explain_rate), strict=True)
)
