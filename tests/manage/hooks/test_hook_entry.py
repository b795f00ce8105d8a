"""The command that an agent runs for its hook."""

import shlex

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.hook_entry import (
    make_hook_command_words,
    make_hook_entry_for_target,
    make_hook_tag_for_target,
    to_shell_command,
)
from cortex_policy.manage.hooks.own_hook_handlers import parse_own_hook_handler_or_none
from cortex_policy.manage.hooks.targets import MANAGED, PROJECT, USER, HookTarget


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("root", ["/srv/repo", "/srv/a b", "/srv/it's", "/srv/é;&|<>()*?~#!"])
def test_a_shell_reads_the_words_as_they_are(agent: str, root: str) -> None:
    """Whatever the path of the root is."""
    target = HookTarget(agent, USER, "/settings.json")
    words = make_hook_command_words(target, root)
    assert shlex.split(to_shell_command(words)) == list(words)
    line = parse_own_hook_handler_or_none(make_hook_entry_for_target(target, root).handler)
    assert line is not None
    assert (line.agent, line.root, line.tag) == (agent, root, make_hook_tag_for_target(target))


@pytest.mark.parametrize("root", ["/srv/$HOME", "/srv/`id`", "/srv/a\\b", "/srv/a\nb", "/srv/\x1b"])
def test_a_path_that_a_shell_or_an_agent_may_change_is_refused(root: str) -> None:
    """Gemini replaces variables in its settings, and fish a backslash in quotes."""
    with pytest.raises(NotDoneError, match="characters that a shell may expand"):
        make_hook_command_words(HookTarget("cursor", USER, "/settings.json"), root)


def test_managed_settings_name_no_home() -> None:
    """They are for all users, and each has its own from the system."""
    words = make_hook_command_words(HookTarget("codex", MANAGED, "/etc/codex/requirements.toml"), "/r")
    assert not [word for word in words if word.startswith("HOME=")]
    assert words[:2] == ("/usr/bin/env", "-i")


def test_only_the_root_of_a_project_is_a_variable() -> None:
    """Set by the agent, and out of reach of the model."""
    line = to_shell_command(make_hook_command_words(HookTarget("claude", PROJECT, "/r/.claude/settings.json"), "/r"))
    assert line.count("$") == 1
    assert ' --root "$CLAUDE_PROJECT_DIR" ' in line


@pytest.mark.parametrize("agent", ["claude", "cursor"])
def test_where_the_agent_fails_closed_the_line_is_one_simple_command(agent: str) -> None:
    """Cursor gives the payload to the last command only; and it runs the lines of Claude's settings without arguments."""
    handler = make_hook_entry_for_target(HookTarget(agent, USER, "/settings.json"), "/r").handler
    assert "args" not in handler
    assert not set(";&|<>()\n") & set(str(handler["command"]))


def test_the_same_file_has_the_same_tag_and_another_file_another() -> None:
    """A second install changes nothing."""
    first, second = (HookTarget("claude", USER, file) for file in ("/a/settings.json", "/b/settings.json"))
    assert make_hook_tag_for_target(first) == make_hook_tag_for_target(first)
    assert make_hook_tag_for_target(first) != make_hook_tag_for_target(second)
    assert set(make_hook_tag_for_target(first)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
