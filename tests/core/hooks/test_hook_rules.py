"""hooks.toml is decoded strictly: whatever is not what it should be denies every call."""

import tomllib
from typing import Any

import pytest

from cortex_policy.core.hooks.hook_rules import HookRule, HookRules, decode_valid_rules_document, rules_to_document
from cortex_policy.core.hooks.hooks_toml_problems import (
    HookRulesError,
    check_and_decode_rules_document,
    find_rules_document_problems,
)
from tests.support.hook_calls import RULES

RULE = {"tools": ["Write"], "grant": "fs.write", "action": "write"}


def document(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a decoded hooks.toml."""
    return {"format": 1, "rule": list(rules)} | members


def problem(given: object) -> tuple[tuple[str | int, ...], str]:
    """Return the keys and the message of the only problem."""
    (one,) = find_rules_document_problems(given)
    with pytest.raises(HookRulesError):
        check_and_decode_rules_document(given)
    return one.keys, one.message


def test_every_key_is_decoded() -> None:
    """As docs/hooks.md lists them."""
    decoded = check_and_decode_rules_document(
        document(
            {
                "tools": ["Write", "Web*"], "mcp": ["files/*"], "agents": ["claude"], "subagents": ["reviewer"],
                "grant": "fs.write", "action": "write", "within": "root", "paths": ["target", "edits[].target?"],
                "ignore": ["content"], "globs": ["pattern"], "patch": ["command"], "no_path": True,
            },
            unmapped="pass", guard=["/a"],
        )
    )  # fmt: skip
    rule = HookRule(
        ("Write", "Web*"), ("files/*",), ("claude",), ("reviewer",), "fs.write", "write", within_root=True,
        paths=("target", "edits[].target?"), globs=("pattern",), patch=("command",), ignore=("content",), no_path=True,
    )  # fmt: skip
    assert decoded == HookRules("pass", ("/a",), (rule,))


def test_missing_rules_deny() -> None:
    """No rule, no guarded files, and a call that no rule fits is denied."""
    assert check_and_decode_rules_document({"format": 1}) == HookRules("deny", (), ())
    assert check_and_decode_rules_document(document(RULE)).rules[0] == HookRule(
        ("Write",), grant="fs.write", action="write"
    )


def test_an_empty_list_of_sub_agents_differs_from_a_missing_one() -> None:
    """`[]` is the main agent alone."""
    empty, absent = check_and_decode_rules_document(document(RULE | {"subagents": []}, RULE)).rules
    assert empty.subagents == ()
    assert absent.subagents is None


def test_rules_come_back_from_their_document() -> None:
    """The copy that a hook reads says what the file says."""
    for text in (RULES, "format = 1", 'format = 1\nunmapped = "pass"'):
        decoded = check_and_decode_rules_document(tomllib.loads(text))
        assert (
            check_and_decode_rules_document(rules_to_document(decoded))
            == decode_valid_rules_document(rules_to_document(decoded))
            == decoded
        )
    decoded = check_and_decode_rules_document(
        document({"tools": ["a"], "decide": "deny", "subagents": []}, RULE | {"no_path": True})
    )
    assert (
        check_and_decode_rules_document(rules_to_document(decoded))
        == decode_valid_rules_document(rules_to_document(decoded))
        == decoded
    )


@pytest.mark.parametrize(
    ("given", "keys", "message"),
    [
        ([], (), "hooks.toml must be a table"),
        ({}, (), "`format` must be 1"),
        ({"format": 2}, ("format",), "`format` must be 1"),
        ({"format": True}, ("format",), "`format` must be 1"),
        ({"format": 1.0}, ("format",), "`format` must be 1"),
        (document(unmaped="deny"), ("unmaped",), "unknown key `unmaped`"),
        (document(unmapped="allow"), ("unmapped",), '`unmapped` must be "pass" or "deny"'),
        (document(guard="/a"), ("guard",), "`guard` must be an array of strings"),
        (document(guard=["a"]), ("guard", 0), "`a` in `guard` is not an absolute path"),
        (document(guard=["/home/*/.ssh"]), ("guard", 0), "`/home/*/.ssh` in `guard` is a pattern, and guards nothing"),
        (document(guard=[1]), ("guard", 0), "`guard` must be an array of strings that are not empty"),
        ({"format": 1, "rule": {}}, ("rule",), "`rule` must be tables"),
        ({"format": 1, "rule": [1]}, ("rule",), "`rule` must be tables"),
    ],
)
def test_a_problem_of_the_file_is_named(given: object, keys: tuple[str | int, ...], message: str) -> None:
    """By the keys that lead to it."""
    assert problem(given) == (keys, message)


@pytest.mark.parametrize(
    ("members", "keys", "message"),
    [
        ({"tool": ["Write"]}, ("tool",), "unknown key `tool`"),
        ({"tools": None}, (), "the rule names no tool, so it matches no call"),
        ({"tools": []}, (), "the rule names no tool, so it matches no call"),
        ({"tools": "Write"}, ("tools",), "`tools` must be an array of strings"),
        ({"tools": ["Write", ""]}, ("tools", 1), "`tools` must be an array of strings that are not empty"),
        ({"tools": ["Write", "mcp__github__*"]}, ("tools", 1), "`mcp__github__*` in `tools` matches no tool of any agent"),
        ({"tools": ["MCP:read"]}, ("tools", 0), "`MCP:read` in `tools` matches no tool of any agent"),
        ({"tools": ["Write|Edit"]}, ("tools", 0), "`Write|Edit` in `tools` matches no tool of any agent"),
        ({"tools": ["Bash(git *)"]}, ("tools", 0), "`Bash(git *)` in `tools` matches no tool of any agent"),
        ({"mcp": ["files"]}, ("mcp", 0), "`files` in `mcp` is not of the form SERVER/TOOL"),
        ({"mcp": ["a/b/c"]}, ("mcp", 0), "`a/b/c` in `mcp` is not of the form SERVER/TOOL"),
        ({"mcp": ["/b"]}, ("mcp", 0), "`/b` in `mcp` is not of the form SERVER/TOOL"),
        ({"mcp": ["a/"]}, ("mcp", 0), "`a/` in `mcp` is not of the form SERVER/TOOL"),
        ({"agents": []}, ("agents",), "`agents` is empty, so the rule matches no call"),
        ({"agents": ["clade"]}, ("agents", 0), "unknown agent `clade`"),
        ({"subagents": "x"}, ("subagents",), "`subagents` must be an array of strings"),
        ({"grant": None, "action": None}, (), "the rule has neither a grant nor `decide`"),
        ({"grant": "../x"}, ("grant",), "`../x` is not the id of a grant"),
        ({"grant": 1}, ("grant",), "`1` is not the id of a grant"),
        ({"grant": "hooks.toml"}, ("grant",), "`hooks.toml` is not the id of a grant"),
        ({"action": None}, ("grant",), "a grant needs an action"),
        ({"action": ""}, ("action",), "`action` must be a string that is not empty"),
        ({"action": ["a"]}, ("action",), "`action` must be a string that is not empty"),
        ({"action": "{tool}"}, ("action",), "`{tool}` is replaced by what `*` matches, so each name in `tools` needs one `*`"),
        ({"action": "{tool}", "tools": ["a*b*"]}, ("action",), "`{tool}` is replaced by what `*` matches, so each name in `tools` needs one `*`"),
        ({"action": "{tools}"}, ("action",), "`{tools}` is not an action"),
        ({"action": "x-{tool}"}, ("action",), "`x-{tool}` is not an action"),
        ({"action": "{input.}"}, ("action",), "`{input.}` is not an action"),
        ({"action": "{input.a}{input.b}"}, ("action",), "`{input.a}{input.b}` is not an action"),
        ({"action": "{input.mode}", "ignore": ["mode"]}, ("action",), "the input `mode` is in `ignore`, so it cannot be the action"),
        ({"decide": "deny"}, ("grant",), "`grant` has no effect, because the rule has `decide`"),
        ({"decide": "allow", "grant": None, "action": None}, ("decide",), '`decide` must be "pass" or "deny"'),
        ({"decide": "pass", "grant": None}, ("action",), "`action` has no effect, because the rule has `decide`"),
        ({"decide": "pass", "grant": None, "action": None, "within": "root"}, ("within",), "`within` has no effect, because the rule has `decide`"),
        ({"decide": "pass", "grant": None, "action": None, "no_path": True}, ("no_path",), "`no_path` has no effect, because the rule has `decide`"),
        ({"decide": "pass", "grant": None, "action": None, "subagents": ["x"]}, ("decide",), 'a rule with `subagents` cannot have `decide = "pass"`'),
        ({"within": "home"}, ("within",), '`within` must be "root"'),
        ({"within": True}, ("within",), '`within` must be "root"'),
        ({"no_path": 1}, ("no_path",), "`no_path` must be true or false"),
        ({"paths": ["a..b"]}, ("paths", 0), "`a..b` in `paths` does not name an input"),
        ({"paths": ["a[0]"]}, ("paths", 0), "`a[0]` in `paths` does not name an input"),
        ({"globs": ["?"]}, ("globs", 0), "`?` in `globs` does not name an input"),
        ({"patch": ["[]"]}, ("patch", 0), "`[]` in `patch` does not name an input"),
        ({"paths": [".".join("a" * 65)]}, ("paths", 0), f"`{'.'.join('a' * 65)}` in `paths` does not name an input"),
        ({"ignore": ["file_path"]}, ("ignore", 0), "`file_path` cannot be ignored: its name says that it is a path"),
        ({"ignore": ["logFile"]}, ("ignore", 0), "`logFile` cannot be ignored: its name says that it is a path"),
        ({"ignore": ["target"], "paths": ["edits[].target?"]}, ("ignore", 0), "`target` is in `ignore`, but another key of the rule uses it"),
    ],
)  # fmt: skip
def test_a_problem_of_a_rule_is_named(members: dict[str, Any], keys: tuple[str | int, ...], message: str) -> None:
    """By its number, and the keys that lead to it."""
    rule = {key: value for key, value in (RULE | members).items() if value is not None}
    assert problem(document(RULE, rule)) == (("rule", 1, *keys), message)


def test_the_error_names_the_rule_by_its_number() -> None:
    """It counts from 1, as people do."""
    with pytest.raises(HookRulesError, match="rule 2: unknown key `x`"):
        check_and_decode_rules_document(document(RULE, RULE | {"x": 1}))


def test_every_problem_is_reported() -> None:
    """Not only the first."""
    bad = {"tols": ["Write"], "grant": "fs.write", "action": 1, "no_path": 2}
    assert len(find_rules_document_problems(document(bad, bad, unmapped=3))) == 9


def test_a_mistyped_word_gets_the_one_that_was_meant() -> None:
    """Keys, agents and choices."""
    hints = [
        one.hint
        for one in find_rules_document_problems(document(RULE | {"ignor": [], "agents": ["codx"]}, unmapped="denny"))
    ]
    assert hints == ["did you mean `deny`?", "did you mean `ignore`?", "did you mean `codex`?"]
