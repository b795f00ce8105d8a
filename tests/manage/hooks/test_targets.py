"""Where the settings file of an agent is."""

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.targets import AGENT_FILES, LEVELS, MANAGED, PROJECT, USER, find_hook_target


@pytest.mark.parametrize(
    ("agent", "variable", "file"),
    [
        ("claude", "CLAUDE_CONFIG_DIR", "settings.json"),
        ("codex", "CODEX_HOME", "hooks.json"),
        ("copilot", "COPILOT_HOME", "hooks/cortex-policy.json"),
    ],
)
def test_a_variable_of_the_agent_moves_the_file_of_the_user(agent: str, variable: str, file: str) -> None:
    """As the agent itself reads it; a relative one would depend on the directory in which the agent starts."""
    assert find_hook_target(agent, USER, "/r", {variable: "/elsewhere/"}).file == f"/elsewhere/{file}"
    with pytest.raises(NotDoneError, match=f"`{variable}` is not absolute"):
        find_hook_target(agent, USER, "/r", {variable: "elsewhere"})


@pytest.mark.parametrize("agent", AGENT_FILES)
def test_no_variable_moves_the_file_of_the_project(agent: str) -> None:
    """It is below the root."""
    variables = dict.fromkeys(("CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME"), "/elsewhere")
    assert find_hook_target(agent, PROJECT, "/r", variables).file.startswith("/r/.")


def test_vs_code_has_no_managed_settings() -> None:
    """All others have."""
    with pytest.raises(NotDoneError, match="VS Code has no managed settings"):
        find_hook_target("vscode", MANAGED, "/r", {})


def test_no_two_agents_share_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed for one can be removed without the other."""
    monkeypatch.setenv("HOME", "/home/u")
    pairs = [(agent, level) for agent in AGENT_FILES for level in LEVELS if (agent, level) != ("vscode", MANAGED)]
    files = [find_hook_target(*pair, "/r", {}).file for pair in pairs]
    assert len(set(files)) == len(files) == 17
