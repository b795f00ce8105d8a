"""The rules of hooks.toml: which grant and which action the call of a tool asks for (docs/hooks.md)."""

from cortex_policy.core import Value
from cortex_policy.core.hooks.rule_problems import DENY, FORMAT, RULE_KEYS, TEXT_KEYS, RuleProblem, rule_problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Members = dict[str, Any]


class HookRulesError(ValueError):
    """A hooks.toml that is not what it should be: each call of a tool is denied."""


class HookRule(Value):
    """One rule: which calls it fits, and what they need.

    `agents` and `subagents` are None if it fits those of everyone. It has a grant with an action, or else `decide` is
    `pass` or `deny`. `paths`, `globs` and `patch` are labels of inputs, as `edits[].target` or `path?`.
    """

    tools: tuple[str, ...] = ()
    mcp: tuple[str, ...] = ()
    agents: tuple[str, ...] | None = None
    subagents: tuple[str, ...] | None = None
    grant: str = ""
    action: str = ""
    decide: str = ""
    within_root: bool = False
    paths: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    patch: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    no_path: bool = False


class HookRules(Value):
    """The rules of a root, what happens to a call that none fits (`pass` or `deny`), and more guarded files."""

    unmapped: str
    guard: tuple[str, ...]
    rules: tuple[HookRule, ...]


def decode_rules(document: object) -> HookRules:
    """Return the rules of a decoded hooks.toml, or of its copy; raise HookRulesError with its first problem."""
    problems = rule_problems(document)
    if problems or not isinstance(document, dict):
        raise HookRulesError(problem_sentence(problems[0]))
    rules = tuple(map(_decode_rule, document.get("rule", ())))
    return HookRules(document.get("unmapped", DENY), tuple(document.get("guard", ())), rules)


def problem_sentence(problem: RuleProblem) -> str:
    """Return a problem with the number of its rule."""
    in_rule = problem.keys[:1] == ("rule",) and len(problem.keys) > 1
    return f"rule {int(problem.keys[1]) + 1}: {problem.message}" if in_rule else problem.message


def _decode_rule(rule: "Members") -> HookRule:
    fields: Members = {key: tuple(rule[key]) for key in TEXT_KEYS if key in rule}
    fields |= {key: rule[key] for key in ("grant", "action", "decide", "no_path") if key in rule}
    return HookRule(**fields, within_root="within" in rule)


def rules_to_document(rules: HookRules) -> "Members":
    """Return rules as the document that they are decoded from."""
    return {
        "format": FORMAT, "unmapped": rules.unmapped, "guard": list(rules.guard),
        "rule": [_rule_to_document(rule) for rule in rules.rules],
    }  # fmt: skip


def _rule_to_document(rule: HookRule) -> "Members":
    document: Members = {"within": "root"} if rule.within_root else {}
    for key in RULE_KEYS:
        value = None if key == "within" else getattr(rule, key)
        if value or (value == () and key in ("agents", "subagents")):
            document[key] = list(value) if isinstance(value, tuple) else value
    return document
