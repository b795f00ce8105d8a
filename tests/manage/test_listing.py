"""A list shows every grant, whatever state it is in."""

import json
import re
import sys
from pathlib import Path

import pexpect

from cortex_policy.manage.listing import read_all_grant_rows
from cortex_policy.state import Root
from tests.support.command import result_of as run
from tests.support.command import run_command


def test_a_broken_grant_is_a_row_and_never_the_end_of_the_list(root: Path) -> None:
    """Invalid, writable by others, a link, and a sound one: four rows."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools / "broken.json").write_text("{")
    (tools / "model-gateway.json").chmod(0o646)
    (tools / "link.json").symlink_to("git.json")
    (tools / "not a grant.json").write_text("{}")
    listed = {row.id: row for row in read_all_grant_rows(Root(str(root), trusts_owner=True))}
    assert {name: row.state for name, row in listed.items()} == {
        "broken": "invalid", "git": "unstamped", "link": "unsafe", "model-gateway": "unsafe",
    }  # fmt: skip
    assert listed["link"].grant is None
    shown = listed["model-gateway"].grant
    assert shown is not None
    assert shown.actions == ("chat",)
    assert "chmod go-w" in listed["model-gateway"].hint


def test_a_missing_directory_is_an_empty_list(tmp_path: Path) -> None:
    """A root may be new."""
    assert read_all_grant_rows(Root(str(tmp_path), trusts_owner=True)) == ()


def test_a_pipe_gets_plain_lines_and_json_one_line(root: Path) -> None:
    """Nothing that a terminal would act on reaches it."""
    hostile = {"tool": "a\x1b[31m\u202e", "actions": [], "rate": {"perMinute": 1}}
    (root / ".cortex" / "policy" / "tools" / "hostile.json").write_text(json.dumps(hostile))
    plain = run("list")
    assert plain.returncode == 0
    assert (
        "git\tgit-map\ttree, snippet, search\tapps/cortex-os, packages, docs\t30/min\tinternal\tunstamped"
        in plain.stdout
    )
    assert "\x1b" not in plain.stdout
    assert "\u202e" not in plain.stdout
    listed = json.loads(run("list", "--json").stdout)
    assert [grant["id"] for grant in listed["grants"]] == ["git", "hostile", "model-gateway"]


def test_a_table_cuts_nothing_off(root: Path) -> None:
    """Thirty grants with long names at 80 columns: every id is whole."""
    tools = root / ".cortex" / "policy" / "tools"
    names = [f"a-long-grant-name-{number}" for number in range(30)]
    for name in names:
        (tools / f"{name}.json").write_text((tools / "git.json").read_text())
    program = [sys.executable, "-m", "cortex_policy", "list"]
    table = pexpect.run(" ".join(program), encoding="utf-8", dimensions=(24, 80), timeout=20)
    assert [name for name in names if not re.search(rf"\b{name}\b", table)] == []
    assert "\u2026" not in table


def test_a_broken_stamp_and_an_empty_root_are_reported(root: Path) -> None:
    """Beside the list, where a program does not read them."""
    (root / ".cortex" / "policy" / "stamp.json").write_text("{")
    broken = run_command("list")
    assert "stamp: " in broken.stderr
    assert "cortex-policy stamp write" in broken.stderr
    for file in (root / ".cortex" / "policy" / "tools").iterdir():
        file.unlink()
    empty = run_command("list")
    assert (empty.stdout, "there are no grants in" in empty.stderr) == ("", True)
    budgets = run_command("rate", "show")
    assert "there are no grants in" in budgets.stderr
    assert run_command("rate", "show", "--json").stderr == ""
