"""What a guarded name links to is closed to tools as well, by whatever name it is called."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortex_policy import hook_decision
from cortex_policy.hook_decision import decide_denial_text
from tests.support.hooks import Scene, make_scene, payload

Decide = Callable[..., str]


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root whose rules let every call pass."""
    made = make_scene(root, tmp_path)
    made.rules.write_text('format = 1\nunmapped = "pass"\n')
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a home with a directory of dotfiles."""
    home = tmp_path / "homes" / "u"
    (home / "dotfiles" / "codex" / "skills").mkdir(parents=True)
    monkeypatch.setattr(hook_decision, "find_home_directory_or_empty", lambda: str(home))
    return home


@pytest.fixture
def decide(scene: Scene) -> Decide:
    """Return what decides the write of a file."""

    def decide(path: object, tool: str = "Write", cwd: Path = scene.root) -> str:
        more: Any = {"tool_name": tool, "tool_input": {"file_path": str(path)}}
        return decide_denial_text(
            json.dumps(payload("claude", cwd=str(cwd)) | more).encode(), "claude", str(scene.root), "t", lambda _: None
        )

    return decide


def test_files_that_no_guarded_name_leads_to_are_allowed(home: Path, decide: Decide) -> None:
    """Else the tests below would prove nothing."""
    assert decide(home / "dotfiles" / "claude.json") == ""
    assert decide("docs/x") == ""


def test_a_settings_file_that_is_a_link_is_closed_where_it_lies(home: Path, decide: Decide) -> None:
    """People keep theirs in a repository of dotfiles."""
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").symlink_to(home / "dotfiles" / "claude.json")
    assert "settings.json" in decide(home / "dotfiles" / "claude.json")
    (home / "dotfiles" / "claude.json").write_text("{}")
    assert decide(home / "dotfiles" / "x" / ".." / "claude.json")
    assert decide(home / "dotfiles" / "claude.json", "Read") == ""
    assert decide(home / "dotfiles" / "other.json") == ""


def test_a_directory_that_is_a_link_is_closed_but_what_is_free_in_it(home: Path, decide: Decide) -> None:
    """As by its own name."""
    (home / ".codex").symlink_to("dotfiles/codex")
    assert decide(home / "dotfiles" / "codex" / "config.toml")
    assert decide(home / "dotfiles" / "codex")
    assert decide(home / "dotfiles" / "codex" / "skills" / "x.md") == ""
    assert decide(home / ".codex" / "skills" / "x.md") == ""
    assert decide(home / "dotfiles" / "codex2" / "config.toml") == ""


def test_a_link_below_the_root_or_the_working_directory_counts(home: Path, scene: Scene, decide: Decide) -> None:
    """An agent reads the settings of the directory that it works in."""
    assert home.exists()
    (scene.root / ".mcp.json").symlink_to("servers.json")
    assert decide("servers.json")
    other = scene.root / "docs"
    (other / ".gemini").symlink_to(scene.root / "docs" / "gemini")
    assert decide("gemini/settings.json", cwd=other)


def test_a_link_in_the_list_of_guarded_files_counts(home: Path, scene: Scene, decide: Decide) -> None:
    """By both names."""
    (home / "real").mkdir()
    (home / "named").symlink_to("real")
    scene.rules.write_text(f'format = 1\nunmapped = "pass"\nguard = ["{home}/named/settings"]\n')
    (home / "real" / "settings").write_text("")
    assert decide(home / "real" / "settings")
    assert decide(home / "named" / "settings")
    assert decide(home / "real" / "x") == ""


def test_a_link_of_the_tool_to_a_guarded_file_is_followed(home: Path, scene: Scene, decide: Decide) -> None:
    """The other way round."""
    (home / ".claude").mkdir()
    (scene.root / "docs" / "innocent").symlink_to(home / ".claude")
    assert decide("docs/innocent/settings.json")
    assert decide("docs/innocent/plans/x") == ""


def test_no_name_is_looked_for_in_a_directory_that_does_not_exist(
    home: Path, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook looks for these names at each call, and most homes have few of the directories."""
    looked: list[str] = []
    lexists = os.path.lexists

    def look(path: str) -> bool:
        looked.append(path)
        return lexists(path)

    monkeypatch.setattr(os.path, "lexists", look)
    (home / ".claude").mkdir()
    assert not decide(home / "notes")
    names = {path.removeprefix(f"{home}/") for path in looked if path.startswith(f"{home}/")}
    assert {".claude/settings.json", ".claude/settings.local.json", ".cursor", ".github", ".vscode"} <= names
    assert not {name for name in names if name.startswith((".cursor/", ".github/", ".vscode/"))}
