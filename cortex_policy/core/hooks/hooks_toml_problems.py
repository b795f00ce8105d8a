"""What is wrong with a hooks.toml (docs/hooks.md): each problem at the keys that lead to it.

One module of more than 250 lines, as each module costs a hook time.
"""

from cortex_policy.core import Value
from cortex_policy.core.decode import is_grant_id
from cortex_policy.core.hooks import (
    DENY,
    FORMAT,
    INPUT_ACTION,
    LABEL_KEYS,
    PASS,
    RULE_KEYS,
    TEXT_KEYS,
    TOOL_ACTION,
)
from cortex_policy.core.hooks.hook_rules import HookRules, decode_valid_rules_document
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.hooks.tool_inputs import label_leads_through_member, parse_input_label_or_none
from cortex_policy.core.path_arguments import NEVER, find_path_condition_of_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Members = dict[str, Any]
    Keys = tuple[str | int, ...]
    Texts = dict[str, list[tuple[int, str]]]

_FILE_KEYS = ("format", "unmapped", "guard", "rule")
_WILD = frozenset("*?")  # a file can have such a name, but whoever writes one here means others
_MCP_STARTS = ("mcp__", "MCP:", "mcp_")  # of the name of an MCP tool, which `tools` never fits
_NOT_IN_TOOLS = frozenset(" \t|(),")  # as in `Write|Edit` and `Bash(git *)`, which agents have elsewhere
_OF_GRANTS = ("action", "within", "no_path")  # keys that only a rule with a grant may have
UNKNOWN_KEY, WRONG_VALUE, WRONG_RULE, IGNORED_PATH = "hooks-key", "hooks-value", "hooks-rule", "hooks-ignore"


class HookRulesError(ValueError):
    """A hooks.toml that is not what it should be: each call of a tool is denied."""


class HooksTomlProblem(Value):
    """A problem of a hooks.toml, at the keys and indexes that lead to it: `("rule", 2, "tools", 0)`.

    With `at_key` it is the key that is wrong, not its value.
    """

    keys: "Keys"
    code: str
    message: str
    hint: str = ""
    at_key: bool = False


def check_and_decode_rules_document(document: object) -> HookRules:
    """Return the rules of a decoded hooks.toml; raise HookRulesError with its first problem."""
    problems = find_rules_document_problems(document)
    if problems or not isinstance(document, dict):
        raise HookRulesError(_format_hooks_toml_problem(problems[0]))
    return decode_valid_rules_document(document)


def _format_hooks_toml_problem(problem: HooksTomlProblem) -> str:
    """Return the message of a problem, behind `rule N:` if it is in a rule; the first rule is 1."""
    in_rule = problem.keys[:1] == ("rule",) and len(problem.keys) > 1
    return f"rule {int(problem.keys[1]) + 1}: {problem.message}" if in_rule else problem.message


def find_rules_document_problems(document: object) -> list[HooksTomlProblem]:
    """Return every problem of a decoded hooks.toml, none if it is right."""
    if not isinstance(document, dict):
        return [HooksTomlProblem((), WRONG_VALUE, "hooks.toml must be a table")]
    problems = _unknown_keys((), document, _FILE_KEYS)
    number = document.get("format")
    if type(number) is not int or number != FORMAT:
        keys: Keys = ("format",) if "format" in document else ()
        problems.append(HooksTomlProblem(keys, WRONG_VALUE, f"`format` must be {FORMAT}", f"write `format = {FORMAT}`"))
    problems += _choice_problems((), document, "unmapped", (PASS, DENY))
    for index, path in _check_texts((), document, "guard", problems):
        if not path.startswith("/") or "\0" in path:
            problems.append(
                HooksTomlProblem(("guard", index), WRONG_VALUE, f"`{path}` in `guard` is not an absolute path")
            )
        elif not _WILD.isdisjoint(path):
            message = f"`{path}` in `guard` is a pattern, and guards nothing"
            problems.append(
                HooksTomlProblem(("guard", index), WRONG_VALUE, message, "name a file, or a directory for all in it")
            )
    rules = document.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        return [
            *problems,
            HooksTomlProblem(("rule",), WRONG_VALUE, "`rule` must be tables", "write `[[rule]]` above each rule"),
        ]
    for index, rule in enumerate(rules):
        problems += _problems_of_rule(("rule", index), rule)
    return problems


def _problems_of_rule(above: "Keys", rule: "Members") -> list[HooksTomlProblem]:
    problems = _unknown_keys(above, rule, RULE_KEYS)
    texts = {key: _check_texts(above, rule, key, problems) for key in TEXT_KEYS if key in rule}
    problems += _choice_problems(above, rule, "decide", (PASS, DENY))
    problems += _choice_problems(above, rule, "within", ("root",))
    if not isinstance(rule.get("no_path", False), bool):
        problems.append(HooksTomlProblem((*above, "no_path"), WRONG_VALUE, "`no_path` must be true or false"))
    problems += _name_problems(above, rule, texts)
    problems += filter(None, (_tool_problem(above, index, name) for index, name in texts.get("tools", ())))
    problems += _decision_problems(above, rule)
    problems += _label_problems(above, texts)
    problems += _ignore_problems(above, texts)
    return problems


def _unknown_keys(above: "Keys", members: "Members", known: "Sequence[str]") -> list[HooksTomlProblem]:
    return [
        HooksTomlProblem(
            (*above, key), UNKNOWN_KEY, f"unknown key `{key}`", _nearest_word_hint(key, known), at_key=True
        )
        for key in members
        if key not in known
    ]


def _nearest_word_hint(word: str, words: "Sequence[str]") -> str:
    from cortex_policy.core.closest_match import find_closest_word  # noqa: PLC0415 - only for a problem
    from cortex_policy.core.text import format_guess_hint  # noqa: PLC0415 - as above

    return format_guess_hint(find_closest_word(word, words)) or f"one of {', '.join(words)}"


def _choice_problems(above: "Keys", members: "Members", key: str, words: "Sequence[str]") -> list[HooksTomlProblem]:
    value = members.get(key, words[0])
    if isinstance(value, str) and value in words:
        return []
    hint = _nearest_word_hint(value, words) if isinstance(value, str) else ""
    expected = " or ".join(f'"{word}"' for word in words)
    return [HooksTomlProblem((*above, key), WRONG_VALUE, f"`{key}` must be {expected}", hint)]


def _check_texts(
    above: "Keys", members: "Members", key: str, problems: list[HooksTomlProblem]
) -> "list[tuple[int, str]]":
    """Return the texts of an array with their indexes, and add a problem for each other value."""
    value = members.get(key, [])
    if not isinstance(value, list):
        problems.append(HooksTomlProblem((*above, key), WRONG_VALUE, f"`{key}` must be an array of strings"))
        return []
    for index, part in enumerate(value):
        if not isinstance(part, str) or not part:
            message = f"`{key}` must be an array of strings that are not empty"
            problems.append(HooksTomlProblem((*above, key, index), WRONG_VALUE, message))
    return [(index, part) for index, part in enumerate(value) if isinstance(part, str) and part]


def _name_problems(above: "Keys", rule: "Members", texts: "Texts") -> list[HooksTomlProblem]:
    problems = []
    if not rule.get("tools") and not rule.get("mcp"):
        message = "the rule names no tool, so it matches no call"
        problems.append(HooksTomlProblem(above, WRONG_RULE, message, "add `tools = [...]` or `mcp = [...]`"))
    for index, name in texts.get("mcp", ()):
        server, slash, tool = name.partition("/")
        if not server or not slash or not tool or "/" in tool:
            message = f"`{name}` in `mcp` is not of the form SERVER/TOOL"
            problems.append(
                HooksTomlProblem((*above, "mcp", index), WRONG_VALUE, message, f"write `{server or '*'}/*`")
            )
    if rule.get("agents") == []:
        problems.append(
            HooksTomlProblem((*above, "agents"), WRONG_RULE, "`agents` is empty, so the rule matches no call")
        )
    for index, agent in texts.get("agents", ()):
        if agent not in AGENTS:
            message = f"unknown agent `{agent}`"
            problems.append(
                HooksTomlProblem((*above, "agents", index), WRONG_VALUE, message, _nearest_word_hint(agent, AGENTS))
            )
    return problems


def _tool_problem(above: "Keys", index: int, name: str) -> HooksTomlProblem | None:
    """Return the problem of a name that no tool has, so that a rule would be without effect in silence."""
    if name.startswith(_MCP_STARTS):
        hint = 'name it by its server: `mcp = ["SERVER/TOOL"]`'
    elif not _NOT_IN_TOOLS.isdisjoint(name):
        hint = 'write each tool by its name alone: `tools = ["Write", "Edit"]`'
    else:
        return None
    return HooksTomlProblem(
        (*above, "tools", index), WRONG_VALUE, f"`{name}` in `tools` matches no tool of any agent", hint
    )


def _decision_problems(above: "Keys", rule: "Members") -> list[HooksTomlProblem]:
    if "decide" in rule:
        for key in ("grant", *_OF_GRANTS):
            if key in rule:
                message = f"`{key}` has no effect, because the rule has `decide`"
                yield_hint = "remove one of the two"
                return [HooksTomlProblem((*above, key), WRONG_RULE, message, yield_hint, at_key=True)]
        if "subagents" in rule and rule["decide"] == PASS:
            message = 'a rule with `subagents` cannot have `decide = "pass"`'
            return [HooksTomlProblem((*above, "decide"), WRONG_RULE, message, 'write `decide = "deny"`, or a grant')]
        return []
    grant = rule.get("grant")
    if grant is None:
        message = "the rule has neither a grant nor `decide`"
        return [
            HooksTomlProblem(
                above, WRONG_RULE, message, 'add `grant = "ID"` and `action = "..."`, or `decide = "deny"`'
            )
        ]
    if not isinstance(grant, str) or not is_grant_id(grant):
        return [HooksTomlProblem((*above, "grant"), WRONG_VALUE, f"`{grant}` is not the id of a grant")]
    return _action_problems(above, rule)


def _action_problems(above: "Keys", rule: "Members") -> list[HooksTomlProblem]:
    action, keys = rule.get("action"), (*above, "action")
    if action is None:
        return [HooksTomlProblem((*above, "grant"), WRONG_RULE, "a grant needs an action", 'add `action = "..."`')]
    if not isinstance(action, str) or not action:
        return [HooksTomlProblem(keys, WRONG_VALUE, "`action` must be a string that is not empty")]
    if action == TOOL_ACTION:
        names = rule.get("tools") or []
        if isinstance(names, list) and all(isinstance(name, str) and name.count("*") == 1 for name in names):
            return []
        message = "`{tool}` is replaced by what `*` matches, so each name in `tools` needs one `*`"
        return [HooksTomlProblem(keys, WRONG_RULE, message, "name the action, or split the rule")]
    name = action.removeprefix(INPUT_ACTION).removesuffix("}")
    is_input = action.startswith(INPUT_ACTION) and action.endswith("}") and bool(name)
    if is_input and name in (rule.get("ignore") or ()):
        return [HooksTomlProblem(keys, WRONG_RULE, f"the input `{name}` is in `ignore`, so it cannot be the action")]
    if ("{" in action or "}" in action) and (not is_input or "{" in name or "}" in name):
        hint = "an action is a word, `{tool}` or `{input.NAME}`"
        return [HooksTomlProblem(keys, WRONG_VALUE, f"`{action}` is not an action", hint)]
    return []


def _label_problems(above: "Keys", texts: "Texts") -> list[HooksTomlProblem]:
    hint = "write it as `path`, `path?`, `paths[]` or `edits[].target`"
    return [
        HooksTomlProblem((*above, key, index), WRONG_VALUE, f"`{label}` in `{key}` does not name an input", hint)
        for key in LABEL_KEYS
        for index, label in texts.get(key, ())
        if parse_input_label_or_none(label) is None
    ]


def _ignore_problems(above: "Keys", texts: "Texts") -> list[HooksTomlProblem]:
    problems = []
    labels = [label for key in LABEL_KEYS for _, label in texts.get(key, ())]
    for index, name in texts.get("ignore", ()):
        keys = (*above, "ignore", index)
        if find_path_condition_of_name(name) != NEVER:
            message = f"`{name}` cannot be ignored: its name says that it is a path"
            problems.append(
                HooksTomlProblem(keys, IGNORED_PATH, message, "remove the name from `ignore`: a path is always judged")
            )
        elif any(label_leads_through_member(label, name) for label in labels):
            message = f"`{name}` is in `ignore`, but another key of the rule uses it"
            problems.append(HooksTomlProblem(keys, WRONG_RULE, message, "remove it from one of the two"))
    return problems
