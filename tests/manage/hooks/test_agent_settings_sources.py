"""The files in which an agent looks for hooks."""

from pathlib import Path

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.hooks.agent_settings_sources import list_settings_files_by_level
from cortex_policy.manage.hooks.targets import PROJECT, USER

FILES = {
    "claude": [
        "h/.claude/settings.json",
        "h/.claude/settings.local.json",
        "r/.claude/settings.json",
        "r/.claude/settings.local.json",
    ],
    "codex": ["h/.codex/hooks.json", "h/.codex/config.toml", "r/.codex/hooks.json", "r/.codex/config.toml"],
    "gemini": ["h/.gemini/settings.json", "r/.gemini/settings.json"],
    "cursor": ["h/.cursor/hooks.json", "r/.cursor/hooks.json", "h/.claude/settings.json", "r/.claude/settings.json"],
    "copilot": [
        "h/.copilot/hooks/x.json",
        "h/.copilot/settings.json",
        "r/.github/hooks/x.json",
        "r/.claude/settings.json",
    ],
    "vscode": [
        "h/.copilot/hooks/x.json",
        "h/.claude/settings.json",
        "r/.github/hooks/x.json",
        "r/.claude/settings.json",
    ],
}


@pytest.mark.parametrize("agent", AGENTS)
def test_each_agent_reads_its_files_and_some_of_others(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the user and of the project; names with brackets are names."""
    base = tmp_path / "[a]*"
    monkeypatch.setenv("HOME", str(base / "h"))
    for names in FILES.values():
        for name in names:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).touch()
    found = [
        (level, file)
        for level, file in list_settings_files_by_level(agent, str(base / "r"), {})
        if file.startswith(str(base))
    ]
    levels = {"h": USER, "r": PROJECT}
    assert set(found) >= {(levels[name[0]], str(base / name)) for name in FILES[agent]}
    assert len(found) == len({file for _, file in found})


def test_without_a_root_there_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the working directory has."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [level for level, _ in list_settings_files_by_level("claude", "", {}) if level == PROJECT] == []
