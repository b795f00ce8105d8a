"""`hook doctor`: what it prints, and its exit code."""

import json
import os
from pathlib import Path

import pytest

from tests.support.agent_settings import install_hook, settings_of
from tests.support.command import run_command

pytestmark = pytest.mark.usefixtures("agents_home")


def test_without_a_hook_it_fails() -> None:
    """Nothing stands in front of any agent."""
    done = run_command("hook", "doctor", code=1)
    assert "no agent has a hook" in done.stdout


def test_an_agent_without_a_hook_is_a_problem() -> None:
    """The command that installs it is named."""
    done = run_command("hook", "doctor", "codex", code=1)
    assert (
        "problem  installed          Codex has no hook\n         fix: cortex-policy hook install codex\n" in done.stdout
    )


def test_a_hole_is_printed_and_fails(root: Path) -> None:
    """As a line of text, and as JSON."""
    install_hook("cursor")
    text = settings_of("cursor").read_text()
    settings_of("cursor").write_text(
        text.replace('"timeout": 20', '"timeout": 1').replace('"failClosed": true', '"failClosed": false')
    )
    hole = "Cursor would run the call: the hook does not end in time"
    done = run_command("hook", "doctor", "cursor", code=1)
    assert f"cursor, user, `{settings_of('cursor')}`:\n" in done.stdout
    assert f"problem  hanging program    {hole}" in done.stdout
    members = json.loads(run_command("hook", "doctor", "cursor", "--json", code=1).stdout)
    assert (members["status"], members["root"]) == ("problem", str(root))
    settings, line = members["hooks"]
    assert (settings["level"], line["level"], line["file"]) == (None, "user", str(settings_of("cursor")))
    assert any(hole in check["message"] for check in line["checks"])


def test_the_root_is_found_from_below(root: Path) -> None:
    """So that the settings of the project are looked at."""
    (root / "docs" / ".gemini").mkdir()
    os.chdir(root / "docs")
    members = json.loads(run_command("hook", "doctor", "gemini", "--json", code=1).stdout)
    assert members["root"] == str(root)
