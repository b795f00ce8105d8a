"""`new` declares arguments, and shows a grant before it is made."""

import json
from pathlib import Path

from tests.support.command import run_command as run
from tests.support.roots import grant_file

WORDS = ("new", "deploy", "--allow", "run", "--rate", "5", "--scope", "docs", "--arg", "target=string,format=path")


def test_a_dry_run_shows_the_grant_and_makes_none(root: Path) -> None:
    """And needs no consent; in JSON it is a change that was not made."""
    done = run(*WORDS, "--dry-run")
    assert '+    "target": {\n' in done.stdout
    assert "deploy\tgrant\twidened\tnew: deploy may run below docs, 5 a minute" in done.stdout
    shown = json.loads(run(*WORDS, "--dry-run", "--json").stdout)
    assert (shown["changed"], shown["version"], shown["verdict"]) == (False, None, "widened")
    assert not grant_file(root, "deploy").exists()
    assert not (root / ".cortex" / "policy" / "stamp.json").exists()
    assert "`git` exists already" in run("new", "git", *WORDS[2:], "--dry-run", code=3).stderr


def test_a_new_grant_declares_its_arguments(root: Path) -> None:
    """As `set` would."""
    run(*WORDS, "--allow-widening")
    assert json.loads(grant_file(root, "deploy").read_text())["args"] == {
        "target": {"type": "string", "format": "path"}
    }
    run("check", "deploy", "run", "--arg", "target=src/x", code=12)
    assert "did you mean `string`?" in run("new", "x", *WORDS[2:-1], "target=strng", code=2).stderr
