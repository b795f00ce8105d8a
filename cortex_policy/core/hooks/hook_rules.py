"""The rules of hooks.toml: which of them a call fits, and which grant and action it asks then (docs/hooks.md)."""

from cortex_policy.core import Value
from cortex_policy.core.decode import has_surrogate
from cortex_policy.core.hooks import DENY, FORMAT, INPUT_ACTION, RULE_KEYS, TEXT_KEYS, TOOL_ACTION, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from cortex_policy.core.hooks.payload import ToolCall

    RuleMatch = tuple[int, str]  # the index of a rule, and what its `{tool}` stands for
    Members = dict[str, Any]


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


def decode_valid_rules_document(document: "Members") -> HookRules:
    """Return the rules of a document without a problem, as `rules_to_document` returns it."""
    rules = tuple(map(_decode_rule, document.get("rule", ())))
    return HookRules(document.get("unmapped", DENY), tuple(document.get("guard", ())), rules)


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


def select_first_fitting_rules(call: "ToolCall", rules: "HookRules") -> "list[RuleMatch]":
    """Return the rules that decide a call: the first that fits, and after one for sub-agents with a grant the next.

    Raises InputError if the name of an MCP tool can be read in several ways that do not fit the same rules: some
    servers take `Read` for `read`, too.
    """
    readings = dict.fromkeys(one for reading in call.mcp for one in _readings_of_any_server(reading, rules))
    first, *others = [list(_fits_of_reading(call, reading, rules)) for reading in readings or (None,)]
    if any(other != first for other in others):
        names = " or ".join(f"`{server or '*'}/{tool}`" for server, tool in list(readings)[:3])
        raise InputError(f"`{call.tool}` is ambiguous: it may be {names}, and the rules for them differ")
    if any(list(_fits_of_reading(call, reading, rules, str.casefold)) != first for reading in readings):
        raise InputError(f"the rules differ for `{call.tool}` in upper and in lower case", is_final=True)
    return first


def _readings_of_any_server(reading: tuple[str, str], rules: "HookRules") -> "Iterator[tuple[str, str]]":
    """Yield a reading; of a server that the agent does not name, also with each that a rule names."""
    yield reading
    server, tool = reading
    if not server:
        for rule in rules.rules:
            yield from ((name.partition("/")[0].replace("*", ""), tool) for name in rule.mcp)


def _fits_of_reading(
    call: "ToolCall", reading: tuple[str, str] | None, rules: "HookRules", fold: "Callable[[str], str]" = str
) -> "Iterator[RuleMatch]":
    for index, rule in enumerate(rules.rules):
        part = _match_rule(call, reading, rule, fold)
        if part is not None:
            yield index, part if rule.action == TOOL_ACTION else ""
            if rule.subagents is None or not rule.grant:
                return


def _match_rule(
    call: "ToolCall", reading: tuple[str, str] | None, rule: "HookRule", fold: "Callable[[str], str]"
) -> str | None:
    """Return what `{tool}` stands for in a rule that a call fits, None if it does not fit."""
    if rule.agents is not None and call.agent not in rule.agents:
        return None
    if rule.subagents is not None and (
        call.subagent not in rule.subagents if rule.subagents else call.subagent is not None
    ):
        return None
    if reading is None:
        parts = (find_wildcard_text_or_none(pattern, call.tool) for pattern in rule.tools)
        return next((part for part in parts if part is not None), None)
    server, tool = reading
    pairs = (pattern.partition("/") for pattern in rule.mcp)
    is_fit = any(
        find_wildcard_text_or_none(left, server) is not None
        and find_wildcard_text_or_none(fold(right), fold(tool)) is not None
        for left, _, right in pairs
    )
    return tool if is_fit else None


def find_wildcard_text_or_none(pattern: str, name: str) -> str | None:
    """Return what the one `*` of a pattern stands for, '' if it has none or more; None if the name does not match.

    A `*` is any run of characters but `/`.
    """
    patterns, names = pattern.split("/"), name.split("/")
    if len(patterns) != len(names) or not all(map(_is_wildcard_match, patterns, names)):
        return None
    if pattern.count("*") != 1:
        return ""
    before, _, after = pattern.partition("*")
    return name[len(before) : len(name) - len(after)]


def _is_wildcard_match(pattern: str, name: str) -> bool:
    if "*" not in pattern:
        return pattern == name
    first, *inner, last = pattern.split("*")
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in inner:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def find_action_of_rule(rule: "HookRule", part: str, inputs: "dict[str, object]") -> str:
    """Return the action that a rule asks its grant; raise InputError if an input that names it is not a text."""
    if rule.action == TOOL_ACTION:
        action: object = part
    elif rule.action.startswith(INPUT_ACTION):
        action = inputs.get(rule.action[len(INPUT_ACTION) : -1])
    else:
        return rule.action
    if not isinstance(action, str) or not action or has_surrogate(action):
        raise InputError(f"the action of this call, {rule.action}, is not a text")
    return action
