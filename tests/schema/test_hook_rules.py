"""What is wrong with a hooks.toml is reported where it is, with what was meant."""

import pytest

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.hooks.agent_tool_names import TOOLS, list_tools_of_agents
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.model import GRANT_UNSAFE, GrantError
from cortex_policy.schema.hook_rules import decode_and_lint_hook_rules
from cortex_policy.schema.problems import UnlocatedProblem
from tests.support.hook_calls import PAYLOADS, RULES, read

GRANT = 'grant = "g"\naction = "a"\n'


def lint(text: str) -> tuple[UnlocatedProblem, ...]:
    """Return the problems of rules, in a root that has one grant."""

    def find_actions(grant_id: str) -> tuple[str, ...] | None:
        if grant_id == "unreadable":
            raise GrantError(GRANT_UNSAFE)
        return ("a", "write") if grant_id == "g" else None

    return decode_and_lint_hook_rules(f"format = 1\n{text}".encode(), find_actions)[1]


def only(text: str) -> tuple[str, str, str, str]:
    """Return the code, the place in the text, the message and the hint of the only problem."""
    (one,) = lint(text)
    assert one.span is not None
    return one.code, f"format = 1\n{text}"[slice(*one.span)], one.message, one.hint


def test_valid_rules_have_no_problem() -> None:
    """Those of the page."""
    rules, problems = decode_and_lint_hook_rules(RULES.encode())
    assert rules is not None
    assert not problems


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "hint"),
    [
        ('unmaped = "deny"', "hooks-key", "unmaped", "unknown key `unmaped`", "did you mean `unmapped`?"),
        ('[[rule]]\ntools = ["x"]\n  ignor = []\n' + GRANT, "hooks-key", "ignor", "unknown key `ignor`", "did you mean `ignore`?"),
        ('[[rule]]\nmcp = ["a/b",\n "x"]\n' + GRANT, "hooks-value", '"x"', "`x` in `mcp` is not of the form SERVER/TOOL", "write `x/*`"),
        ('[[rule]]\ntools = ["x"]\ngrant = "g"', "hooks-rule", '"g"', "a grant needs an action", 'add `action = "..."`'),
        ('[[rule]]\ntools = ["x"]\n' + GRANT + '[[rule]]\ndecide = "deny"', "hooks-rule", "[[rule]]", "the rule names no tool, so it matches no call", "add `tools = [...]` or `mcp = [...]`"),
        ('[[rule]]\ntools = ["x"]\nignore = ["logFile"]\n' + GRANT, "hooks-ignore", '"logFile"', "`logFile` cannot be ignored: its name says that it is a path", "remove the name from `ignore`: a path is always judged"),
        ("x = ", "hooks-syntax", "", "it is not TOML: invalid value", ""),
        ("a = 1\na = 2", "hooks-syntax", "", "it is not TOML: cannot overwrite a value", ""),
    ],
)  # fmt: skip
def test_a_problem_is_at_its_line(text: str, code: str, place: str, message: str, hint: str) -> None:
    """At the key, or at the value."""
    assert only(text) == (code, place, message, hint)


@pytest.mark.parametrize(
    ("rule", "name", "message", "hint"),
    [
        ('tools = ["Wirte"]', '"Wirte"', "`Wirte` is not a built-in tool of an agent", "did you mean `Write`?"),
        ('tools = ["Bash", "runshell_command"]', '"runshell_command"', "`runshell_command` is not a built-in tool of an agent", "did you mean `run_shell_command`?"),
        ('tools = ["bash"]\nagents = ["claude"]', '"bash"', "`bash` is not a built-in tool of claude", "did you mean `Bash`?"),
        ('tools = ["write_file"]\nagents = ["gemini", "cursor"]\n', "", "", ""),
        ('tools = ["Read", "Writ*", "zzzzz"]', "", "", ""),
    ],
)  # fmt: skip
def test_a_tool_with_a_typo_gets_the_one_that_was_meant(rule: str, name: str, message: str, hint: str) -> None:
    """Of the tools of those agents that the rule is for; a name like none of them is somebody's own."""
    text = f'[[rule]]\n{rule}\ndecide = "deny"\n'
    if not message:
        assert not lint(text)
    else:
        assert only(text) == ("hooks-tool", name, message, hint)


@pytest.mark.parametrize("agents", ["", 'agents = ["claude", "gemini"]', 'agents = ["copilot"]'])
def test_sub_agents_of_an_agent_that_tells_none_are_reported(agents: str) -> None:
    """Such a rule takes them for the main agent."""
    code, place, message, _ = only(f'[[rule]]\ntools = ["Bash"]\nsubagents = ["x"]\n{agents}\n{GRANT}')
    assert (code, place) == ("hooks-subagents", '["x"]')
    assert "say which sub-agent" in message
    assert not lint(f'[[rule]]\ntools = ["Bash"]\nsubagents = ["x"]\nagents = ["claude", "codex"]\n{GRANT}')


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ('tools = ["Bash"]', 'tools = ["Bash"]', "[[rule]]"),
        ('tools = ["B*"]', 'tools = ["Bash"]', "[[rule]]"),
        ('tools = ["*"]', 'tools = ["Ba*"]', "[[rule]]"),
        ('mcp = ["a/*"]', 'mcp = ["a/b"]', "[[rule]]"),
        ('tools = ["Bash"]', 'tools = ["Read", "Bash"]', '"Bash"'),
        ('tools = ["Bash"]\nagents = ["claude", "codex"]', 'tools = ["Bash"]\nagents = ["codex"]', "[[rule]]"),
    ],
)
def test_an_unreachable_rule_is_reported(first: str, second: str, place: str) -> None:
    """The first rule that fits decides."""
    text = f'[[rule]]\n{first}\ndecide = "deny"\n[[rule]]\n{second}\ndecide = "pass"'
    code, found, message, _ = only(text)
    assert (code, found) == ("hooks-unreachable", place)
    assert "rule 1 comes first" in message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('tools = ["Bash"]\nagents = ["claude"]', 'tools = ["Bash"]'),
        ('tools = ["Bash"]\nagents = ["claude"]', 'tools = ["Bash"]\nagents = ["claude", "codex"]'),
        ('tools = ["Bash"]\nagents = ["claude", "codex"]\nsubagents = ["x"]', 'tools = ["Bash"]'),
        ('tools = ["*"]', 'mcp = ["*/*"]'),
        ('tools = ["B*h"]', 'tools = ["B*"]'),
    ],
)
def test_a_reachable_rule_is_not_reported(first: str, second: str) -> None:
    """Other agents, other sub-agents, other kinds of tools."""
    assert not lint(f'[[rule]]\n{first}\ndecide = "deny"\n[[rule]]\n{second}\ndecide = "pass"')


def test_a_grant_that_does_not_exist_is_an_error() -> None:
    """Each call would be denied."""
    code, place, message, hint = only('[[rule]]\ntools = ["Bash"]\ngrant = "gone"\naction = "a"')
    assert (code, place, message) == ("hooks-grant", '"gone"', "there is no grant `gone`, so each call is denied")
    assert "`cortex-policy new gone`" in hint


def test_an_action_that_the_grant_does_not_have_is_reported() -> None:
    """Unless the call names it, or the grant cannot be read."""
    text = '[[rule]]\ntools = ["B*"]\ngrant = "{}"\naction = "{}"'
    assert only(text.format("g", "wriet"))[:2] == ("hooks-action", '"wriet"')
    assert only(text.format("g", "wriet"))[3] == "did you mean `write`?"
    for grant, action in (("g", "write"), ("g", "{tool}"), ("g", "{input.x}"), ("unreadable", "x")):
        assert not lint(text.format(grant, action))


def test_a_file_that_is_too_large_is_not_read() -> None:
    """As a grant."""
    rules, (one,) = decode_and_lint_hook_rules(b"#" * (MAX_BYTES + 1))
    assert rules is None
    assert (one.code, one.span) == ("hooks-syntax", None)


def test_invalid_utf_8_is_reported() -> None:
    """With the name of the encoding."""
    assert decode_and_lint_hook_rules(b"\xff")[1][0].message == "it is not UTF-8"


def test_the_tools_of_each_agent_are_known() -> None:
    """Those of the recorded payloads among them."""
    assert tuple(TOOLS) == AGENTS
    for path in PAYLOADS:
        one = read(path.read_bytes(), "auto")
        assert one.mcp or one.tool in list_tools_of_agents((one.agent,))
    assert len(set(list_tools_of_agents())) == len(list_tools_of_agents())
