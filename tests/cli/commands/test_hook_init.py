"""`hook init` and `hook edit` without a terminal."""

import json
from pathlib import Path

import pytest

from tests.support.command import run_command
from tests.support.roots import grant_file

NAMES = ["fs.read", "fs.write", "shell", "mcp", "hooks.toml"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home directory without agents, and no programs."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(home / "bin"))
    for variable in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "COPILOT_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return home


def test_a_dry_run_shows_every_file_and_writes_none(root: Path) -> None:
    """With what each means."""
    done = run_command("hook", "init", "--agent", "claude", "--agent", "gemini", "--dry-run")
    assert done.stdout.startswith("rules for claude, gemini:\n")
    for file in ("tools/fs.read.json", "tools/fs.write.json", "tools/shell.json", "tools/mcp.json", "hooks.toml"):
        assert f"+++ b/.cortex/policy/{file}\n" in done.stdout
    assert '+tools = ["Bash", "PowerShell", "Monitor", "run_shell_command"]\n' in done.stdout
    assert "hooks.toml\trules\twidened\t" in done.stdout
    assert not (root / ".cortex" / "policy" / "hooks.toml").exists()
    assert not grant_file(root, "fs.read").exists()


def test_hook_init_asks_before_it_writes(root: Path) -> None:
    """A script says `--yes`; then it tells how to go back, and what is next."""
    assert "add `--yes`" in run_command("hook", "init", "--agent", "claude", code=3).stderr
    assert not grant_file(root, "fs.read").exists()
    done = run_command("hook", "init", "--agent", "claude", "--yes")
    assert [line for line in done.stdout.splitlines() if line.startswith("made")] == [
        f"made `{name}`, version {number}" for number, name in enumerate(NAMES, 1)
    ]
    assert done.stdout.splitlines()[-3:] == [
        "undo all of it with `cortex-policy undo --to 0`",
        "next, install the hook:",
        "  cortex-policy hook install claude",
    ]
    assert run_command("stamp", "verify").returncode == 0
    assert "hook edit" in run_command("hook", "init", "--agent", "claude", "--yes", code=3).stderr
    run_command("undo", "--to", "0")
    assert not grant_file(root, "fs.read").exists()


def test_agents_are_found(home: Path, root: Path) -> None:
    """Without one it says how to name one."""
    assert "--agent" in run_command("hook", "init", "--yes", code=3).stderr
    (home / ".codex").mkdir()
    found = json.loads(run_command("hook", "init", "--yes", "--json").stdout)
    assert (found["agents"], found["changed"], found["version"], found["verdict"]) == (["codex"], True, 5, "widened")
    assert [(one["id"], one["version"]) for one in found["writes"]] == [
        (name, number) for number, name in enumerate(NAMES, 1)
    ]
    assert (root / ".cortex" / "policy" / "hooks.toml").read_text().count("[[rule]]") == 6


@pytest.mark.usefixtures("root")
def test_rules_are_edited_on_a_terminal_only() -> None:
    """And only if there are any."""
    assert "hook init" in run_command("hook", "edit", code=20).stderr
    run_command("hook", "init", "--agent", "claude", "--yes")
    assert "stamp write" in run_command("hook", "edit", code=3).stderr
