"""`init`: what it makes, and what it says next."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import run_command as run


def test_the_next_command_that_init_prints_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the directory itself, or anywhere with its name."""
    for name, words in (("here", ()), ("a b", ("--root", str(tmp_path / "a b")))):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name if not words else tmp_path)
        said = run("init", *words).stdout.splitlines()
        for line in [line for line in said if line.startswith("  cortex-policy ")]:
            command = line.removeprefix("  cortex-policy ") + (" --allow-widening" if " new " in line else "")
            subprocess.run(["bash", "-c", f'"$0" -m cortex_policy {command}', sys.executable], check=True)
        made_files = {path.name for path in (tmp_path / name).rglob("*.json") if path.parent.name != "history"}
        assert made_files == {"example.json", "git.json", "grant.schema.json", "stamp.json"}
        assert run("init", *words).stdout == f"nothing to do: `{tmp_path / name}` is a root already\n"
    made = json.loads(run("init", "--root", str(tmp_path / "here"), "--json").stdout)
    assert made == {"changed": False, "root": str(tmp_path / "here"), "made": [], "hooks": None, "git": None}
