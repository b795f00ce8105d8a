"""The first rules fit the tools of the agents that they are for, and say what to do with each."""

import json
from itertools import combinations
from pathlib import Path

import pytest

from cortex_policy.core.decode import decode_grant
from cortex_policy.core.hooks.agent_tool_names import HARMLESS, OTHER, PATCH, READ, SEARCH, SHELL, TOOLS, WRITE
from cortex_policy.core.hooks.hook_rules import HookRule
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.hooks.payload import AGENTS, ToolCall, read_tool_call
from cortex_policy.core.hooks.ruling import apply_rules
from cortex_policy.manage.hooks import first_rules

PAYLOADS = sorted(Path(__file__).parents[2].joinpath("documents", "payloads").glob("*.json"))
GRANTS = {
    READ: first_rules.READ_GRANT, SEARCH: first_rules.READ_GRANT, WRITE: first_rules.WRITE_GRANT,
    PATCH: first_rules.WRITE_GRANT, SHELL: first_rules.SHELL_GRANT,
}  # fmt: skip


def rules_for(*agents: str) -> tuple[HookRule, ...]:
    """Return the first rules for some agents."""
    return decode_hooks_toml(first_rules.make_first_rules_text(agents).encode()).rules


def fitting(tool: str, agent: str, rules: tuple[HookRule, ...]) -> list[HookRule]:
    """Return the rules that name a tool of an agent."""
    return [rule for rule in rules if tool in rule.tools and agent in (rule.agents or AGENTS)]


@pytest.mark.parametrize("file", PAYLOADS, ids=lambda file: file.stem)
def test_each_recorded_payload_is_allowed_if_its_grant_allows_it(file: Path) -> None:
    """By the rules for its agent, and by those for all."""
    agent = file.stem.partition("-")[0]
    call = read_tool_call(json.loads(file.read_bytes()), agent)
    for agents in ((agent,), AGENTS):
        rules = decode_hooks_toml(first_rules.make_first_rules_text(agents).encode())
        ruling = apply_rules(call, rules, "/home/x")
        assert ruling.denial == ""
        assert [check.consumes for check in ruling.checks] == [True]


def test_the_recorded_payloads_exist() -> None:
    """All that were recorded."""
    assert len(PAYLOADS) >= 37


@pytest.mark.parametrize("agent", AGENTS)
def test_each_tool_is_named_once_by_what_it_does(agent: str) -> None:
    """In one rule of its agent; those of which nothing is known, and those that others start, in none."""
    for rules in (rules_for(agent), rules_for(*AGENTS)):
        for kind, tools in TOOLS[agent].items():
            for tool in tools:
                found = fitting(tool, agent, rules)
                if kind == OTHER or tool in first_rules.UNSEEN_COMMANDS:
                    continue
                assert len(found) == 1, tool
                assert (found[0].grant or found[0].decide) == GRANTS.get(kind, "pass"), tool


@pytest.mark.parametrize("agent", AGENTS)
def test_unnamed_tools_are_explained_in_a_comment(agent: str) -> None:
    """So that an operator need not look for the names."""
    text = first_rules.make_first_rules_text((agent,))
    comment = text[text.index("# No rule names") :].split()
    named = [tool for rule in rules_for(agent) for tool in rule.tools]
    for kind, tools in TOOLS[agent].items():
        assert kind in (READ, SEARCH, WRITE, PATCH, SHELL, HARMLESS, OTHER)
        for tool in tools:
            assert (tool in named) != (tool in comment), tool


@pytest.mark.parametrize("count", range(1, len(AGENTS) + 1))
def test_the_rules_of_any_agents_are_valid_and_short_lines(count: int) -> None:
    """And deny what they do not name."""
    for agents in combinations(AGENTS, count):
        text = first_rules.make_first_rules_text(agents)
        rules = decode_hooks_toml(text.encode())
        assert rules.unmapped == "deny"
        assert all(len(line) <= 120 for line in text.splitlines())
        assert {rule.grant for rule in rules.rules} <= {*first_rules.make_first_grant_texts(()), ""}


def test_the_grants_are_valid_and_a_server_may_do_nothing_at_first() -> None:
    """Writing is below the scopes."""
    grants = {
        name: decode_grant(text.encode(), name) for name, text in first_rules.make_first_grant_texts(("docs",)).items()
    }
    assert grants["mcp"].actions == ()
    assert grants["fs.write"].fs_scope == ("docs",)


def test_the_tool_of_a_server_is_the_action() -> None:
    """However the agent spells it."""
    rules = decode_hooks_toml(first_rules.make_first_rules_text(("claude",)).encode())
    call = ToolCall("claude", "s", "c", "mcp__files__move", (("files", "move"),), {"path": "a"}, "/repo", None, "")
    (check,) = apply_rules(call, rules, "/home/x").checks
    assert (check.grant, check.action, check.within_root) == ("mcp", "move", True)


@pytest.mark.parametrize(
    ("tool", "inputs", "paths"),
    [
        ("Glob", {"pattern": "/etc/*.conf"}, {"/etc", "/repo"}),
        ("Grep", {"pattern": "/etc/passwd", "glob": "src/*.py"}, {"src", "/repo"}),
        ("Grep", {"pattern": "x", "path": "docs"}, {"docs"}),
        ("read_many_files", {"include": ["/etc/*", "docs/**"]}, {"/etc", "docs", "/repo"}),
    ],
)
def test_a_search_is_checked_by_its_directory(tool: str, inputs: dict[str, object], paths: set[str]) -> None:
    """The text that it looks for is no path."""
    rules = decode_hooks_toml(first_rules.make_first_rules_text(AGENTS).encode())
    (check,) = apply_rules(ToolCall("claude", "s", "c", tool, (), inputs, "/repo", None, ""), rules, "/h").checks
    assert {path.rstrip("/") for _, path in check.path_values} == paths
