"""Each rule of a decision with the line of the grant that decided, and what would change the answer."""

from cortex_policy.core import Value
from cortex_policy.core.closest_match import locate_argument_violation_or_none
from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.explain_advice import ADVISERS, Advice, advise_declaring_paths
from cortex_policy.core.explanation_steps import EXPLAINERS, NOT_ASKED, RULES, ExplainContext, RuleStep
from cortex_policy.core.json_tree import find_line_and_column, parse_tree, require_node
from cortex_policy.core.model import ALLOWED, ARGUMENT_NOT_ALLOWED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.json_tree import JsonNode
    from cortex_policy.core.model import Decision, Grant, Request, Settings


class Explanation(Value):
    """Every step of a decision; for a denial what is nearest, what is still allowed, and the operator's command.

    `advice` says what else to do, above all if no command helps.
    """

    steps: tuple[RuleStep, ...]
    nearest: str = ""
    allowed: tuple[str, ...] = ()
    remedy: str = ""
    advice: str = ""


def explain(
    grant: "Grant", text: bytes, request: "Request", decision: "Decision", settings: "Settings" = DEFAULTS
) -> Explanation:
    """Explain a decision on a request by a grant, whose text must be the bytes that it was decoded from.

    Empty bytes, where they are not known any more, leave the lines out. The request needs its places; a decision of no
    rule, as by an emergency stop, leaves every rule unasked.
    """
    violation = (
        locate_argument_violation_or_none(grant.args, request.args) if decision.reason is ARGUMENT_NOT_ALLOWED else None
    )
    case, source, is_asked = ExplainContext(grant, request, decision, settings, violation), text.decode(), True
    tree = parse_tree(source) if source else None
    steps: list[RuleStep] = []
    for rule in RULES:
        is_asked = is_asked and (bool(case.denying_rule) or decision.reason is ALLOWED)
        rule_steps = list(EXPLAINERS[rule](case)) if is_asked else [RuleStep(rule, NOT_ASKED)]
        steps += [_with_line(step, source, tree) for step in rule_steps]
        is_asked = is_asked and rule != case.denying_rule
    unruled = advise_declaring_paths(case) if decision.reason is ALLOWED else Advice()
    advice = ADVISERS[case.denying_rule](case) if case.denying_rule else unruled
    return Explanation(tuple(steps), advice.nearest, advice.allowed, advice.remedy, advice.advice)


def _with_line(step: RuleStep, source: str, tree: "JsonNode | None") -> RuleStep:
    """Return a step with the line of its pointer; the line of the key, if the value has one."""
    if not step.pointer or tree is None:
        return step
    line, _ = find_line_and_column(source, require_node(tree, step.pointer).start_in_container)
    return RuleStep(step.rule, step.verdict, step.message, step.pointer, line)
