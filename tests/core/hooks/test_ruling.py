"""The rules of hooks.toml turn a call into checks of grants, or deny it."""

from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.hooks.hook_rules import HookRules
from cortex_policy.core.hooks.payload import ToolCall
from cortex_policy.core.hooks.ruling import GrantCheck
from tests.support.hook_calls import PAYLOADS, bash, call, one_rule, read, rules, ruling

PATCH = "*** Begin Patch\n*** Add File: a\n+x\n*** Update File: b\n*** Move to: c\n*** End Patch"


def only_check(asked: ToolCall, given: HookRules | None = None) -> GrantCheck:
    """Return the only check."""
    answer = ruling(asked, given)
    assert answer.denial == ""
    (one,) = answer.checks
    return one


def denial(asked: ToolCall, given: HookRules | None = None) -> str:
    """Return why a call is denied."""
    answer = ruling(asked, given)
    assert answer.denial
    assert not answer.checks
    assert len(answer.denial.encode()) <= 2000
    return answer.denial


def passes(asked: ToolCall, given: HookRules) -> bool:
    """Whether a call needs no grant."""
    answer = ruling(asked, given)
    return not answer.denial and not answer.checks


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_each_recorded_payload_fits_a_rule(path: Path) -> None:
    """One check, which takes the hit."""
    one = only_check(read(path.read_bytes(), "auto"))
    tool = path.stem.split("-")[1]
    grants = {"shell": "shell", "subagent": "shell", "codemode": "shell" if "shell" in path.stem else "fs.write"}
    others = {"mcp": "mini", "read": "fs.read", "view": "fs.read", "view_image": "fs.read"}
    assert one.grant == (grants | others).get(tool, "fs.write")
    assert one.consumes


def test_the_first_rule_that_fits_decides() -> None:
    """Those behind it are not asked."""
    given = rules(
        'format = 1\n[[rule]]\ntools = ["W*"]\ngrant = "a"\naction = "x"\n[[rule]]\ntools = ["Write"]\ndecide = "deny"'
    )
    assert only_check(call("Write"), given).grant == "a"
    assert only_check(call("Write"), given).rule == 1


def test_a_tool_that_no_rule_names_is_denied_unless_it_passes() -> None:
    """As `unmapped` says; names are exact, with their case."""
    rule = 'tools = ["Write"]\ndecide = "pass"'
    for tool in ("write", "Writes", "Writ", " Write"):
        assert f"no rule of the hooks allows `{tool}`" in denial(call(tool), one_rule(rule))
        assert passes(call(tool), one_rule(rule, "pass"))
    assert passes(call("Write"), one_rule(rule))


def test_a_denial_of_an_unknown_tool_names_those_that_have_rules() -> None:
    """Of the same agent, and of the same kind; none that a rule denies."""
    given = rules(
        'format = 1\n[[rule]]\ntools = ["Write", "Ed*"]\nmcp = ["a/*"]\ndecide = "pass"\n[[rule]]\ntools = ["bash"]\nagents = ["copilot"]'
        '\ndecide = "pass"\n[[rule]]\ntools = ["Web"]\ndecide = "deny"'
    )
    assert "allows `x`; there are rules for `Write`, `Ed*`. Change the call" in denial(call("x"), given)
    assert "there are rules for `Write`, `Ed*`, `bash`." in denial(call("x", agent="copilot"), given)
    assert "there are rules for `a/*`." in denial(call("x", mcp=(("b", "c"),)), given)
    assert "allows `x`. Do not" in denial(call("x"), rules("format = 1"))


def test_a_rule_may_pass_or_deny_without_a_grant() -> None:
    """The reason names the rule."""
    assert passes(call("TodoWrite"), one_rule('tools = ["TodoWrite"]\ndecide = "pass"'))
    assert "rule 1 of the hooks denies `Web`" in denial(
        call("Web"), one_rule('tools = ["Web"]\ndecide = "deny"', "pass")
    )


@pytest.mark.parametrize(
    ("pattern", "tool", "part"),
    [
        ("*", "Write", "Write"),
        ("Web*", "WebFetch", "Fetch"),
        ("*_file", "read_file", "read"),
        ("a*c", "abc", "b"),
    ],
)
def test_tool_is_what_the_star_stands_for(pattern: str, tool: str, part: str) -> None:
    """In the action."""
    assert only_check(call(tool), one_rule(f'tools = ["{pattern}"]\ngrant = "g"\naction = "{{tool}}"')).action == part


@pytest.mark.parametrize(
    ("pattern", "tool"),
    [("*", "a/b"), ("a*", "a/b"), ("a*c", "ac/c"), ("aba*aba", "aba"), ("a*b*c", "acb"), ("*a*a*", "xay")],
)
def test_a_star_is_a_run_of_characters_without_a_slash(pattern: str, tool: str) -> None:
    """And nothing is used twice."""
    assert denial(call(tool), one_rule(f'tools = ["{pattern}"]\ndecide = "pass"'))


def test_a_star_that_stands_for_nothing_is_no_action() -> None:
    """A grant would be asked for the empty word."""
    assert denial(call("Web"), one_rule('tools = ["Web*"]\ngrant = "g"\naction = "{tool}"'))


def test_an_input_may_name_the_action() -> None:
    """It must be a text."""
    rule = one_rule('tools = ["git"]\ngrant = "git"\naction = "{input.sub command}"')
    assert only_check(call("git", inputs={"sub command": "log"}), rule).action == "log"
    for inputs in ({}, {"sub command": 1}, {"sub command": ""}, {"sub command": ["log"]}, {"sub command": None}):
        assert "is not a text" in denial(call("git", inputs=inputs), rule)


def test_an_mcp_tool_fits_by_server_and_tool_and_never_a_tools_pattern() -> None:
    """However its agent spells it."""
    given = one_rule('mcp = ["files/*"]\ntools = ["x*"]\ngrant = "g"\naction = "{tool}"')
    assert only_check(call("mcp__files__read", mcp=(("files", "read"),)), given).action == "read"
    assert denial(call("xyz", mcp=(("other", "read"),)), given)
    assert denial(call("mcp__files__read", mcp=(("files", "read"),)), one_rule('tools = ["*"]\ndecide = "pass"'))
    assert denial(call("files/read"), one_rule('mcp = ["files/*"]\ndecide = "pass"'))


def test_a_server_that_the_agent_does_not_name_fits_only_a_star() -> None:
    """Cursor names the tool alone."""
    asked = call("MCP:read", mcp=(("", "read"),))
    assert passes(asked, one_rule('mcp = ["*/read"]\ndecide = "pass"'))
    assert denial(asked, one_rule('mcp = ["files/read"]\ndecide = "pass"'))
    assert denial(asked, one_rule('mcp = ["files/read"]\ndecide = "pass"', "pass"))


def test_a_server_that_the_agent_does_not_name_may_be_any_that_a_rule_denies() -> None:
    """A rule against one server is not passed by because the agent leaves its name out."""
    asked, other = call("MCP:read", mcp=(("", "read"),)), call("MCP:write", mcp=(("", "write"),))
    for server in ("files", "fil*", "*les"):
        deny = f'[[rule]]\nmcp = ["{server}/read"]\ndecide = "deny"\n'
        every = '[[rule]]\nmcp = ["*/*"]\ndecide = "pass"\n'
        assert "the rules for them differ" in denial(asked, rules(f'format = 1\nunmapped = "pass"\n{deny}'))
        assert "`*/read` or `" in denial(asked, rules(f"format = 1\n{deny}{every}"))
        assert passes(other, rules(f"format = 1\n{deny}{every}"))


def test_readings_that_fit_different_rules_deny() -> None:
    """And those of which only some fit."""
    asked = call("mcp__a__b__c", mcp=(("a", "b__c"), ("a__b", "c")))
    both = 'format = 1\n[[rule]]\nmcp = ["a/*"]\ndecide = "pass"\n[[rule]]\nmcp = ["a__b/*"]\ndecide = "pass"'
    assert "`a/b__c` or `a__b/c`" in denial(asked, rules(both))
    assert denial(asked, one_rule('mcp = ["a/*"]\ndecide = "pass"', "pass"))
    assert passes(asked, one_rule('mcp = ["a*/*"]\ndecide = "pass"'))
    assert passes(asked, one_rule('mcp = ["x/*"]\ndecide = "deny"', "pass"))
    assert denial(asked, one_rule('mcp = ["a*/*"]\ngrant = "g"\naction = "{tool}"'))
    assert only_check(asked, one_rule('mcp = ["a*/*"]\ngrant = "g"\naction = "x"')).action == "x"


def test_a_rule_may_be_for_some_agents() -> None:
    """By what the payload is."""
    given = one_rule('tools = ["Write"]\nagents = ["codex"]\ndecide = "pass"')
    assert passes(call("Write", agent="codex"), given)
    assert denial(call("Write", agent="claude"), given)


SUBAGENTS = """
format = 1
unmapped = "{}"
[[rule]]
tools = ["Bash"]
subagents = ["reviewer"]
grant = "review"
action = "run"
[[rule]]
tools = ["Bash"]
subagents = []
grant = "main"
action = "run"
[[rule]]
tools = ["Bash"]
subagents = ["blocked"]
decide = "deny"
"""
AFTER = '[[rule]]\ntools = ["Bash"]\ngrant = "shell"\naction = "run"'


def asked_grants(subagent: str | None, text: str) -> list[tuple[str, bool]]:
    """Return the grants that are asked, and whether they take the hit."""
    return [(one.grant, one.consumes) for one in ruling(bash("ls", subagent=subagent), rules(text)).checks]


def test_behind_a_rule_for_sub_agents_the_next_one_must_allow_too() -> None:
    """It is asked without a hit."""
    text = SUBAGENTS.format("deny") + AFTER
    assert asked_grants("reviewer", text) == [("review", True), ("shell", False)]
    assert asked_grants(None, text) == [("main", True), ("shell", False)]
    assert asked_grants("other", text) == asked_grants("", text) == [("shell", True)]
    assert "rule 3" in denial(bash("ls", subagent="blocked"), rules(text))


def test_two_rules_for_the_same_sub_agents_are_both_asked() -> None:
    """And the one behind them."""
    twice = SUBAGENTS.format("deny") + SUBAGENTS.partition("[[rule]]")[1] + SUBAGENTS.partition("[[rule]]")[2] + AFTER
    assert [grant for grant, _ in asked_grants("reviewer", twice)] == ["review", "review", "shell"]


def test_a_rule_for_sub_agents_alone_allows_nothing() -> None:
    """What comes next must fit, or pass."""
    assert denial(bash("ls", subagent="reviewer"), rules(SUBAGENTS.format("deny")))
    assert asked_grants("reviewer", SUBAGENTS.format("pass")) == [("review", True)]
    passing = SUBAGENTS.format("deny") + '[[rule]]\ntools = ["*"]\ndecide = "pass"'
    assert asked_grants("reviewer", passing) == [("review", True)]
    denying = SUBAGENTS.format("pass") + '[[rule]]\ntools = ["*"]\ndecide = "deny"'
    assert "rule 4" in denial(bash("ls", subagent="reviewer"), rules(denying))


def test_ignored_members_are_removed_at_any_depth() -> None:
    """By its exact name; everything else is one."""
    given = one_rule('tools = ["Edit"]\ngrant = "g"\naction = "a"\nignore = ["old", "new"]')
    inputs = {"old": "x", "edits": [{"old": "y", "keep": 1}, [{"new": {"deep": 1}}]], "New": 2, "o": {"new": 1}}
    assert only_check(call("Edit", inputs=inputs), given).args == {"edits": [{"keep": 1}, [{}]], "New": 2, "o": {}}
    assert inputs["old"] == "x"


def test_only_ignored_text_may_hold_half_of_a_character() -> None:
    """A judged name or value may not."""
    given = one_rule('tools = ["Edit"]\ngrant = "g"\naction = "a"\nignore = ["old"]', "pass")
    assert only_check(call("Edit", inputs={"old": "\ud800", "x": {"old": {"\udfff": 1}}}), given).args == {"x": {}}
    judged: list[dict[str, Any]] = [
        {"x": "\ud800"}, {"\ud800": 1}, {"x": [{"y": "\ud800"}]}, {"x": {"\ud800": 1}}, {"file_path": "\ud800"},
    ]  # fmt: skip
    for inputs in judged:
        assert "incomplete character" in denial(call("Edit", inputs=inputs), given)
        assert "incomplete character" in denial(call("unmapped", inputs=inputs), given)
    assert denial(bash("\ud800"), one_rule('tools = ["Bash"]\ndecide = "pass"\nignore = ["command"]'))


def paths(asked: ToolCall, rule: str) -> tuple[tuple[str, str], ...]:
    """Return the paths that a rule names in a call."""
    return only_check(asked, one_rule(f'tools = ["t"]\ngrant = "g"\naction = "a"\n{rule}')).path_values


def test_paths_names_inputs_that_are_paths() -> None:
    """In objects and arrays."""
    inputs = {
        "target": "a",
        "edits": [{"target": "b"}, {"target": "c"}],
        "many": ["d", "e"],
        "o": {"p": "f"},
        "rows": [["g"]],
    }
    found = paths(call("t", inputs=inputs), 'paths = ["target", "edits[].target", "many", "o.p", "rows[][]"]')
    assert found == (
        ("target", "a"), ("edits[0].target", "b"), ("edits[1].target", "c"), ("many", "d"), ("many", "e"), ("o.p", "f"),
        ("rows[0][0]", "g"),
    )  # fmt: skip
    assert paths(call("t", inputs={"many": ["d", "e"]}), 'paths = ["many[]"]') == (("many[0]", "d"), ("many[1]", "e"))


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"target": None},
        {"Target": "a"},
        {"target": 1},
        {"target": {"a": "b"}},
        {"target": [1]},
        {"target": ["a", None]},
    ],
)
def test_a_path_that_a_rule_names_must_be_there(inputs: dict[str, Any]) -> None:
    """And be a text, or an array of texts."""
    rule = 'tools = ["t"]\npaths = ["target"]\n'
    assert "`target`" in denial(call("t", inputs=inputs), one_rule(rule + 'grant = "g"\naction = "a"'))
    assert "`target`" in denial(call("t", inputs=inputs), one_rule(rule + 'decide = "pass"'))


def test_members_of_an_absent_or_empty_array_need_not_be_there() -> None:
    """Of one that is there, each must be."""
    rule = 'paths = ["edits[].target"]'
    for inputs in ({}, {"edits": None}, {"edits": []}):
        assert paths(call("t", inputs=inputs), rule) == ()
    given = one_rule(f'tools = ["t"]\ngrant = "g"\naction = "a"\n{rule}')
    bad: list[dict[str, Any]] = [
        {"edits": [{}]}, {"edits": [None]}, {"edits": "x"}, {"edits": {"target": "x"}}, {"edits": ["x"]}, {"edits": [{"target": 1}]},
    ]  # fmt: skip
    for inputs in bad:
        assert denial(call("t", inputs=inputs), given)


def test_an_optional_path_that_is_absent_is_the_directory_of_the_payload() -> None:
    """A search without a path looks there."""
    assert paths(call("t", cwd="/repo/a"), 'paths = ["path?"]') == (("path", "/repo/a"),)
    assert paths(call("t", inputs={"path": "x"}), 'paths = ["path?"]') == (("path", "x"),)
    assert denial(
        call("t", inputs={"path": 1}), one_rule('tools = ["t"]\npaths = ["path?"]\ngrant = "g"\naction = "a"')
    )


def test_a_pattern_is_a_path_up_to_its_first_wildcard() -> None:
    """From the payload's directory, and from where the search starts."""
    rule = 'globs = ["pattern"]'
    assert paths(call("t", inputs={"pattern": "docs/*.md"}), rule) == (("pattern", "docs/"),)
    assert paths(call("t", inputs={"pattern": "**"}), rule) == paths(call("t"), rule) == ()
    found = paths(call("t", inputs={"pattern": "../x/*", "path": "sub"}), rule)
    assert found == (("pattern", "../x/"), ("pattern", "sub/../x/"))
    assert paths(call("t", inputs={"pattern": "a\\/\\b\\*"}), rule) == (("pattern", "a/"),)
    given = one_rule(f'tools = ["t"]\ngrant = "g"\naction = "a"\n{rule}')
    for pattern in ("*/../x", "*/\\.\\./x", 1, ["a", 1], {"a": "b"}, "**/.env", "*/.codex/x", "a\0"):
        assert denial(call("t", inputs={"pattern": pattern}), given)


def test_each_file_of_a_patch_is_a_path() -> None:
    """And what does not parse is denied."""
    asked = call("apply_patch", inputs={"command": PATCH})
    assert [path for _, path in only_check(asked).path_values] == ["a", "b", "c"]
    assert only_check(asked).args == {"command": PATCH}
    for inputs in ({}, {"command": "x"}, {"command": 1}, {"command": [PATCH]}, {"command": None}):
        assert denial(call("apply_patch", inputs=inputs))
    assert denial(call("apply_patch", inputs={"command": PATCH.replace(": b", ": .codex/config.toml")}))


def test_a_patch_may_be_optional() -> None:
    """Then the rest of the call is asked."""
    given = one_rule('tools = ["t"]\ngrant = "g"\naction = "a"\npatch = ["input?"]')
    assert only_check(call("t"), given).path_values == ()


def test_a_patch_in_a_shell_command_must_be_allowed_as_one_without_a_hit() -> None:
    """By the rule that fits `apply_patch`."""
    shell, patch = ruling(bash(f"apply_patch <<'EOF'\n{PATCH}\nEOF")).checks
    assert (shell.grant, shell.consumes, shell.path_values) == ("shell", True, ())
    assert (patch.grant, patch.action, patch.rule, patch.consumes) == ("fs.write", "write", 4, False)
    assert [path for _, path in patch.path_values] == ["a", "b", "c"]
    assert patch.args == {"command": PATCH}


def test_a_patch_in_any_command_of_any_tool_counts() -> None:
    """Denied if no rule fits `apply_patch`, if that denies, or if anything precedes it."""
    only_shell = one_rule('tools = ["Bash"]\ndecide = "pass"')
    assert "`apply_patch`" in denial(bash(f"apply_patch '{PATCH}'"), only_shell)
    assert passes(bash(f"apply_patch '{PATCH}'"), one_rule('tools = ["Bash"]\ndecide = "pass"', "pass"))
    assert denial(bash(f"cd x && apply_patch '{PATCH}'"), one_rule('tools = ["Bash"]\ndecide = "pass"', "pass"))
    assert denial(bash(f"apply_patch '{PATCH}'"), one_rule('tools = ["apply_patch"]\ndecide = "deny"', "pass"))
    assert denial(
        bash("apply_patch <<'E'\n" + PATCH.replace(": a", ": .env") + "\nE"),
        one_rule('tools = ["Bash"]\ndecide = "pass"', "pass"),
    )
    unnamed = one_rule('tools = ["apply_patch"]\ngrant = "g"\naction = "a"')
    asked = ruling(call("apply_patch", inputs={"command": PATCH}), unnamed).checks
    assert [(one.consumes, len(one.path_values)) for one in asked] == [(True, 0), (False, 3)]


@pytest.mark.parametrize(
    "inputs",
    [
        {"command": "bash"}, {"cmd": "bash"}, {"script": "bash"}, {"commands": ["ls", "bash"]}, {"Command": "bash"},
        {"deep": [{"cmd": "bash"}]}, {"command": ["bash", "-i"]}, {"command": {"line": "bash"}}, {"COMMANDS": [{"x": ["bash"]}]},
        {"command": "cat .env"}, {"command": ["cat", ".env"]}, {"script": "cortex-policy set x"}, {"command": "ls\0"},
    ],
)  # fmt: skip
def test_every_command_in_the_inputs_is_checked(inputs: dict[str, Any]) -> None:
    """Of any tool, also one that passes, or that no rule names, and also where it is ignored."""
    ignoring = one_rule('tools = ["t"]\ndecide = "pass"\nignore = ["command", "cmd", "commands", "script"]')
    assert denial(call("t", inputs=inputs), ignoring)
    assert denial(call("t", inputs=inputs), one_rule('tools = ["x"]\ndecide = "pass"', "pass"))
    assert denial(
        call("mcp__a__t", mcp=(("a", "t"),), inputs=inputs), one_rule('tools = ["x"]\ndecide = "pass"', "pass")
    )


def test_the_words_of_a_command_are_checked_together() -> None:
    """As its program gets them."""
    assert only_check(bash(["bash", "-lc", "ls"])).args == {"command": ["bash", "-lc", "ls"]}
    assert denial(call("Bash", inputs={"commands": ["bash", "-lc", "ls"]}))
    assert denial(bash(["bash", "-lc", "exec bash"]))
    assert denial(bash(["sh", "-c", "cat | sh"]))
    assert only_check(bash(["git", "commit", "-m", "it's"]))


def test_a_pattern_is_judged_from_each_directory_in_which_a_search_may_start() -> None:
    """Whatever its input is called."""
    given = one_rule('tools = ["Glob"]\ngrant = "fs.read"\naction = "read"\nglobs = ["glob_pattern"]')
    inputs = {"target_directory": "/repo", "glob_pattern": "../x*"}
    paths = [path for _, path in only_check(call("Glob", cwd="/repo/a/b", inputs=inputs), given).path_values]
    assert paths == ["../", "/repo/../"]


def test_relative_paths_start_in_each_directory_that_the_call_names() -> None:
    """All of them must allow."""
    inputs = {
        "path": "x", "dir_path": "a", "workdir": "/b", "options": {"Working-Directory": "c"}, "dir": "", "directory": ["d", "a"],
        "cwd": None,
    }  # fmt: skip
    one = only_check(call("Write", inputs=inputs))
    assert one.directories == ("/repo", "/repo/a", "/b", "/repo/c", "/repo/d")
    assert "too many" in denial(call("Write", inputs={"directory": [str(one) for one in range(99)]}))


def test_the_question_carries_what_its_rule_says() -> None:
    """For who asks the grant."""
    one = only_check(call("Write", inputs={"file_path": "a", "content": "x"}))
    assert (one.rule, one.grant, one.action, one.within_root, one.no_path) == (1, "fs.write", "write", True, False)
    assert one.args == {"file_path": "a"}
    assert only_check(bash("ls")).no_path


@pytest.mark.parametrize(
    "asked",
    [
        call("cortex_policy_canary"),
        call("x", mcp=(("s", "cortex_policy_canary"),)),
        call("x", mcp=(("a", "b"), ("s", "cortex_policy_canary"))),
    ],
)
def test_the_reserved_tool_is_always_denied(asked: ToolCall) -> None:
    """It shows that the hook works."""
    assert "is not a tool" in denial(asked, one_rule('tools = ["*"]\nmcp = ["*/*"]\ndecide = "pass"', "pass"))


def test_a_denial_says_whether_to_try_again() -> None:
    """Another call may be allowed, or only a human can help."""
    assert "only a human" in denial(call("Write", inputs={"path": ".env"}))
    assert "Change the call" in denial(call("unknown"))
    assert "Change the call" in denial(bash("python"))
