"""`hook status`."""

import json
from pathlib import Path

import pytest

from tests.support.command import run_command


@pytest.mark.usefixtures("root")
def test_hook_status_lists_the_settings_files_of_each_agent(tmp_path: Path) -> None:
    """Also those that do not exist."""
    settings = tmp_path / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text("{}")
    found = json.loads(run_command("hook", "status", "--json", HOME=str(tmp_path)).stdout)["files"]
    assert {"agent": "claude", "level": "user", "file": str(settings), "exists": True} in found
