"""What a change of the rules of agents' hooks means: whether it lets more calls of tools pass than before.

`same` and `narrowed` are proofs, `widened` says that there is none. Nothing is proven from what a grant allows: a call
that another rule decides than before may be allowed.
"""

from difflib import SequenceMatcher

from cortex_policy.core import Value
from cortex_policy.core.compare.grants import GrantComparison
from cortex_policy.core.compare.verdicts import (
    NARROWED,
    SAME,
    WIDENED,
    FieldComparison,
    combine_verdicts,
    join_nonempty,
    join_verbs_with_quoted_words,
    make_verdict_from_subsets,
    quote_and_join_words,
)
from cortex_policy.core.hooks.hooks_toml_problems import DENY, PASS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.core.hooks.hook_rules import HookRule, HookRules

_MATCHES = ("tools", "mcp", "agents", "subagents")
_JUDGES = ("paths", "globs", "patch")
_ABSENT = "every call of a tool is denied without these rules"


class _RulePlace(Value):
    """A rule and its index among others: what comes after it decides what it means."""

    rules: "HookRules"
    at: int

    @property
    def rule(self) -> "HookRule":
        """The rule at this place."""
        return self.rules.rules[self.at]


def compare_hook_rules(old: "HookRules | None", new: "HookRules | None") -> GrantComparison:
    """Compare two sets of rules; None is a `hooks.toml` that is absent or invalid, which denies every call."""
    if old is None or new is None:
        if old is new:
            return GrantComparison(SAME, (FieldComparison("rules", SAME, "every call is denied, as before"),))
        verdict = NARROWED if new is None else WIDENED
        sentence = (
            f"{len(new.rules)} rules, {_rule_for_other_calls_text(new)}; {_ABSENT}" if new is not None else _ABSENT
        )
        return GrantComparison(verdict, (FieldComparison("rules", verdict, sentence),))
    fields = (_compare_unmapped(old, new), _compare_guard(old, new), *_compare_rules(old, new))
    return GrantComparison(combine_verdicts(field.verdict for field in fields), fields)


def _rule_for_other_calls_text(rules: "HookRules") -> str:
    return f"a call that none of them fits is {'denied' if rules.unmapped == DENY else 'passed'}"


def _compare_unmapped(old: "HookRules", new: "HookRules") -> FieldComparison:
    if old.unmapped == new.unmapped:
        return FieldComparison("unmapped", SAME)
    return FieldComparison("unmapped", NARROWED if new.unmapped == DENY else WIDENED, _rule_for_other_calls_text(new))


def _compare_guard(old: "HookRules", new: "HookRules") -> FieldComparison:
    dropped = [path for path in dict.fromkeys(old.guard) if path not in new.guard]
    added = [path for path in dict.fromkeys(new.guard) if path not in old.guard]
    sentence = join_verbs_with_quoted_words(("guards also", added), ("no longer guards", dropped))
    return FieldComparison("guard", make_verdict_from_subsets(is_inside=not dropped, is_covered=not added), sentence)


def _compare_rules(old: "HookRules", new: "HookRules") -> "Iterator[FieldComparison]":
    """Compare the rules in their order: those that stayed are the same, the others came, went or changed."""
    steps = SequenceMatcher(None, old.rules, new.rules, autojunk=False).get_opcodes()
    for tag, start, stop, new_start, new_stop in steps:
        if tag == "equal":
            continue
        before, after = old.rules[start:stop], new.rules[new_start:new_stop]
        if len(before) == len(after):
            for offset in range(len(before)):
                sides = _RulePlace(old, start + offset), _RulePlace(new, new_start + offset)
                yield FieldComparison(_rule_name(new_start + offset), *_compare_rule(*sides))
            continue
        for at, rule in enumerate(before, start):
            verdict = NARROWED if _removal_only_denies(rule, new, new_start) else WIDENED
            yield FieldComparison(_rule_name(at), verdict, f"removed: {_format_rule_summary(rule)}")
        for at, rule in enumerate(after, new_start):
            verdict = NARROWED if _addition_only_denies(rule, old, start) else WIDENED
            yield FieldComparison(_rule_name(at), verdict, f"new: {_format_rule_summary(rule)}")


def _rule_name(at: int) -> str:
    return f"rule {at + 1}"


def _removal_only_denies(rule: "HookRule", rules: "HookRules", following: int) -> bool:
    """Whether what a rule fitted can only be denied, or was passed anyway, by the rules that follow in its place."""
    # INVARIANT: two readings of the name of an MCP tool may have fitted two rules, which denied the call
    if rule.decide == PASS and not rule.mcp:
        return True
    return rules.unmapped == DENY and all(other.decide == DENY for other in rules.rules[following:])


def _addition_only_denies(rule: "HookRule", rules: "HookRules", following: int) -> bool:
    """Whether a rule can only deny what passed before without it."""
    passed_all = rules.unmapped == PASS and all(other.decide == PASS for other in rules.rules[following:])
    # INVARIANT: two readings of the name of an MCP tool may have fitted two rules that pass, which denied the call
    return rule.decide == DENY or (passed_all and not rule.mcp)


def _compare_rule(old: _RulePlace, new: _RulePlace) -> tuple[str, str]:
    """Return the verdict on a rule that became another, and what changed."""
    before, after = old.rule, new.rule
    changed = [name for name in before.__match_args__ if getattr(before, name) != getattr(after, name)]
    sentence = join_nonempty(*(_field_text(before, after, name) for name in changed))
    if any(name in _MATCHES for name in changed):
        return _compare_matches(old, new), sentence
    if after.decide == DENY or before.decide == PASS:
        return NARROWED, sentence
    return combine_verdicts(_compare_field(before, after, name) for name in changed), sentence


def _compare_matches(old: _RulePlace, new: _RulePlace) -> str:
    """Return the verdict on a rule that fits other calls than before."""
    before, after = old.rule, new.rule
    if _removal_only_denies(before, new.rules, new.at) and _addition_only_denies(after, old.rules, old.at):
        return NARROWED
    others = [name for name in before.__match_args__ if name not in {"tools", "agents"}]
    if any(getattr(before, name) != getattr(after, name) for name in others):
        return WIDENED
    fits_less, fits_more = _fits_all_of(after, before), _fits_all_of(before, after)
    if fits_less and fits_more:
        return SAME
    if fits_less and _removal_only_denies(before, new.rules, new.at + 1):
        return NARROWED
    return NARROWED if fits_more and _addition_only_denies(after, old.rules, old.at + 1) else WIDENED


def _fits_all_of(rule: "HookRule", other: "HookRule") -> bool:
    """Whether a rule fits only what another fits, by its tools and agents."""
    in_agents = other.agents is None or (rule.agents is not None and set(rule.agents) <= set(other.agents))
    return in_agents and set(rule.tools) <= set(other.tools)


def _compare_field(old: "HookRule", new: "HookRule", name: str) -> str:
    before, after = getattr(old, name), getattr(new, name)
    if name in _JUDGES or name == "ignore":
        # INVARIANT: an input that is judged in addition may be the path that a scoped grant wanted
        return SAME if set(before) == set(after) else WIDENED
    is_stricter = {"within_root": bool(after), "no_path": not after}.get(name, False)
    return NARROWED if is_stricter else WIDENED


def _field_text(old: "HookRule", new: "HookRule", name: str) -> str:
    before, after = getattr(old, name), getattr(new, name)
    label = "within" if name == "within_root" else name
    return f"{label}: {_value_text(before)} becomes {_value_text(after)}"


def _value_text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{quote_and_join_words(value)}]"
    if isinstance(value, str):
        return quote_and_join_words((value,)) if value else "nothing"
    return "everyone" if value is None else str(value).lower()


def _format_rule_summary(rule: "HookRule") -> str:
    """Say in one line which calls a rule fits, and what it asks."""
    tools = quote_and_join_words((*rule.tools, *rule.mcp))
    what = f"{rule.grant} {rule.action}" if rule.grant else rule.decide
    return f"{tools}: {what}"
