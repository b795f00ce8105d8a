"""Lint the bytes of a hooks.toml: every problem with its place (docs/hooks.md)."""

from contextlib import suppress
from itertools import chain

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.decode import MAX_BYTES, MalformedError
from cortex_policy.core.hooks.agent_tool_names import TOOLS, list_tools_of_agents
from cortex_policy.core.hooks.hook_rules import HookRules, find_wildcard_text_or_none
from cortex_policy.core.hooks.hooks_toml_problems import check_and_decode_rules_document, find_rules_document_problems
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.model import GrantError
from cortex_policy.core.text import format_guess_hint
from cortex_policy.core.toml import decode_toml
from cortex_policy.core.toml_positions import Span, find_error_offset, find_key_spans
from cortex_policy.schema.lint import limit_problems_per_code
from cortex_policy.schema.problems import UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.core.hooks.hook_rules import HookRule
    from cortex_policy.core.toml_positions import Keys

    # a problem before its place: code, message, hint, and the keys that lead to it
    Found = tuple[str, str, str, Keys]
    FindActions = Callable[[str], tuple[str, ...] | None]

MARKING_AGENTS = ("claude", "codex")  # their payloads tell sub-agents from the main agent
_MAX_COVERING = 200  # patterns with a `*` that are compared with each name


def decode_and_lint_hook_rules(
    data: bytes, find_actions: "FindActions | None" = None
) -> tuple[HookRules | None, tuple[UnlocatedProblem, ...]]:
    """Decode the bytes of a hooks.toml as a hook does; return its rules, or None, and all problems.

    `find_actions` returns the actions of a grant, None if there is none of that id; it raises GrantError for one that
    cannot be read, which is a problem of that file.
    """
    text = data.decode("utf-8", "replace")
    try:
        document = decode_toml(data) if len(data) <= MAX_BYTES else None
    except MalformedError as error:
        offset = find_error_offset(text, str(error))
        why = str(error).partition(" (at ")[0]  # its place is told in another way
        return None, (_make_problem("hooks-syntax", why, "", (), Span(offset, offset, offset, offset + 1)),)
    if document is None:
        return None, (UnlocatedProblem("hooks-syntax", f"it is larger than {MAX_BYTES} bytes"),)
    spans = find_key_spans(text)
    problems = [
        _make_problem(one.code, one.message, one.hint, one.keys, _nearest_span(spans, one.keys), at_key=one.at_key)
        for one in find_rules_document_problems(document)
    ]
    if problems:
        return None, tuple(limit_problems_per_code(problems))
    rules = check_and_decode_rules_document(document)
    found = chain(
        _find_unknown_tools(rules), _find_unmarked_subagents(rules), _find_covered_rules(rules),
        _find_grant_problems(rules, find_actions) if find_actions is not None else (),
    )  # fmt: skip
    return rules, tuple(limit_problems_per_code(_make_problem(*one, _nearest_span(spans, one[3])) for one in found))


def _nearest_span(spans: "dict[Keys, Span]", keys: "Keys") -> Span:
    """Return the span of a value, or of what it would be in."""
    while keys and keys not in spans:
        keys = keys[:-1]
    return spans.get(keys, Span(0, 0, 0, 0))


def _make_problem(
    code: str, message: str, hint: str, keys: "Keys", span: Span, *, at_key: bool = False
) -> UnlocatedProblem:
    place = (span.key_start, span.key_end) if at_key else (span.start, span.end)
    return UnlocatedProblem(code, message, hint, format_json_pointer(*keys), at_key, place)


def _find_unknown_tools(rules: HookRules) -> "Iterator[Found]":
    """Find names of tools that are like one that an agent has built in, and none itself."""
    for index, rule in enumerate(rules.rules):
        tools = list_tools_of_agents(rule.agents)
        for position, name in enumerate(rule.tools):
            keys = ("rule", index, "tools", position)
            if "*" not in name and name not in tools and (near := find_closest_word(name, tools)):
                whose = f"of {' or '.join(rule.agents)}" if rule.agents is not None else "of an agent"
                yield "hooks-tool", f"`{name}` is not a built-in tool {whose}", format_guess_hint(near), keys


def _find_unmarked_subagents(rules: HookRules) -> "Iterator[Found]":
    for index, rule in enumerate(rules.rules):
        unmarked = [agent for agent in rule.agents or TOOLS if agent not in MARKING_AGENTS]
        if rule.subagents is not None and unmarked:
            agents = ", ".join(unmarked)
            message = f"{agents} do not say which sub-agent calls, so the rule treats each as the main agent"
            hint = f"add `agents = {list(MARKING_AGENTS)}`".replace("'", '"')
            yield "hooks-subagents", message, hint, ("rule", index, "subagents")


def _find_covered_rules(rules: HookRules) -> "Iterator[Found]":
    """Find names that an earlier rule fits in every call, so that they have no effect."""
    earlier = _EarlierNames()
    for index, rule in enumerate(rules.rules):
        names = [("tools", position, name) for position, name in enumerate(rule.tools)]
        names += [("mcp", position, name) for position, name in enumerate(rule.mcp)]
        covered = [
            (*one, number) for one in names if (number := earlier.find_covering_rule(one[0], one[2], rule.agents))
        ]
        if names and len(covered) == len(names):
            message = f"no call reaches it: rule {covered[0][3]} comes first, and fits the same tools"
            yield "hooks-unreachable", message, "move it up, or remove it", ("rule", index)
        else:
            for key, position, name, number in covered:
                message = f"no call reaches it: rule {number} comes first, and fits `{name}` too"
                yield (
                    "hooks-unreachable",
                    message,
                    "remove the name, or move the rule up",
                    ("rule", index, key, position),
                )
        earlier.add(rule, index + 1)


class _EarlierNames:
    """The names of rules that decide each call they fit: those without `subagents`."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], list[HookRule]] = {}
        self._patterns: list[tuple[str, str, HookRule]] = []
        self._numbers: dict[int, int] = {}

    def add(self, rule: "HookRule", number: int) -> None:
        """Add a rule and its number."""
        if rule.subagents is not None:
            return
        self._numbers[id(rule)] = number
        for key, name in [*(("tools", name) for name in rule.tools), *(("mcp", name) for name in rule.mcp)]:
            self._by_name.setdefault((key, name), []).append(rule)
            if "*" in name and len(self._patterns) < _MAX_COVERING:
                self._patterns.append((key, name, rule))

    def find_covering_rule(self, key: str, name: str, agents: tuple[str, ...] | None) -> int:
        """Return the number of a rule that fits each call of a name by these agents, 0 if there is none."""
        same = self._by_name.get((key, name), ())
        wider = [rule for kind, pattern, rule in self._patterns if kind == key and _covers(pattern, name)]
        fitting = (rule for rule in (*same, *wider) if _are_agents_in(agents, rule.agents))
        return next((self._numbers[id(rule)] for rule in fitting), 0)


def _covers(pattern: str, name: str) -> bool:
    # a `*` of the name is a character like others here: only another `*` fits it
    return find_wildcard_text_or_none(pattern, name) is not None


def _are_agents_in(agents: tuple[str, ...] | None, others: tuple[str, ...] | None) -> bool:
    return others is None or (agents is not None and set(agents) <= set(others))


def _find_grant_problems(rules: HookRules, find_actions: "FindActions") -> "Iterator[Found]":
    """Find grants that do not exist, and actions that they do not have: each call is denied."""
    for index, rule in enumerate(rules.rules):
        if not rule.grant:
            continue
        with suppress(GrantError):
            actions = find_actions(rule.grant)
            if actions is None:
                message = f"there is no grant `{rule.grant}`, so each call is denied"
                yield (
                    "hooks-grant",
                    message,
                    f"make it with `cortex-policy new {rule.grant}`, or correct the id",
                    ("rule", index, "grant"),
                )
            elif "{" not in rule.action and rule.action not in actions:
                message = f"grant `{rule.grant}` does not have the action `{rule.action}`, so each call is denied"
                yield (
                    "hooks-action",
                    message,
                    format_guess_hint(find_closest_word(rule.action, actions)),
                    ("rule", index, "action"),
                )
