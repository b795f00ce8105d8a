"""docs/uninstall.md names every place in which the program leaves files."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.checkout import page
from tests.support.command import run_command as run

PAGE = page("uninstall")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be somebody who has used nothing of this yet, in a repository; only rate state is elsewhere."""
    home, project = tmp_path / "home", tmp_path / "home" / "project"
    project.mkdir(parents=True)
    home.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.chdir(project)
    subprocess.run(["git", "init", "-q", "."], check=True)
    return home


def files_of(home: Path) -> set[str]:
    """Return the files in the home, without what git itself keeps."""
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and ".git/" not in str(path)}


def test_remaining_files_are_where_the_page_says(home: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the commands that leave most; the page's commands say where the rest is."""
    monkeypatch.delenv("CORTEX_POLICY_STATE_DIR")
    run("init", "--pre-commit", "--git")
    run("config", "set", "state_dir", str(state))
    run("config", "set", "audit.file", str(home / "audit.jsonl"))
    run("config", "set", "sensitive", "ask", "--project")
    run("stop")
    run("resume")
    run("check", "example", "read", "--path", "docs/x")
    run("hook", "install", "claude", "--yes")
    (block,) = (text for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "config get" in text)
    said = [run(*line.split()[1:]).stdout.strip() for line in block.splitlines()]
    settings = home / ".config/cortex-policy/config.toml"
    assert said == [str(home / "audit.jsonl"), str(state), said[2], str(settings)]
    assert said[2].startswith(said[1])
    run("hook", "uninstall", "claude", "--yes")
    named = ("project/.cortex/policy/", ".config/cortex-policy/", "audit.jsonl", "project/.pre-commit-config.yaml")
    assert [file for file in files_of(home) if not file.startswith(named)] == []
    assert all(name.removeprefix("project/").rstrip("/") in PAGE for name in named if name != "audit.jsonl")


def test_git_forgets_the_merge_driver_by_the_command_of_the_page(home: Path) -> None:
    """In the clone in which it was set."""
    run("init", "--git")
    (command,) = re.findall(r"`(git config [^`]+)`", PAGE)
    subprocess.run(command.split(), check=True)
    assert "cortex" not in (home / "project/.git/config").read_text()
