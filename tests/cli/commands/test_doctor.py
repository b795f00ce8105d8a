"""`doctor` as a command: for people and for programs, with and without a root."""

import json
from pathlib import Path

import pytest

from tests.support.command import run_command
from tests.support.terminal import Terminal


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try no shell with the start-up files of the machine that runs the tests."""
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("root")
def test_each_check_is_a_line_and_the_last_line_counts_them() -> None:
    """Only a problem exits with 1."""
    *lines, last = run_command("doctor").stdout.splitlines()
    checks = [line for line in lines if not line.startswith(" ")]
    assert {line.split()[0] for line in checks} <= {"ok", "warning"}
    assert last.startswith(f"{len(checks)} checks: ")
    run_command("stop", "--reason", "the token leaked")
    stopped = run_command("doctor", code=1).stdout
    assert "problem  stop               stopped by " in stopped
    assert "\n         fix: cortex-policy resume\n" in stopped


@pytest.mark.usefixtures("root")
def test_programs_get_members() -> None:
    """All are always there."""
    shown = json.loads(run_command("doctor", "--json").stdout)
    assert (shown["root"], shown["status"] in ("ok", "warning")) == (str(Path.cwd()), True)
    assert all(list(one) == ["id", "status", "message", "command", "tried"] for one in shown["checks"])
    assert {"lock", "clock", "program", "completions", "man", "editor", "hooks"} <= {
        one["id"] for one in shown["checks"]
    }


def test_without_a_root_the_machine_is_checked(tmp_path: Path) -> None:
    """A root that is named must be there."""
    shown = json.loads(run_command("doctor", "--json", cwd=tmp_path).stdout)
    assert shown["root"] is None
    assert shown["checks"][0]["command"] == "cortex-policy init"
    run_command("doctor", "--root", "/nonexist", code=25)


@pytest.mark.usefixtures("root")
def test_a_message_folds_on_a_narrow_terminal_and_a_command_does_not() -> None:
    """Between words, below its own beginning."""
    run_command("stop")
    said = Terminal("doctor", columns=60).end()[1]
    assert "\r\n                            write what leads to the grants\r\n" in said
    assert "\r\n         fix: cortex-policy resume\r\n" in said
    narrow = Terminal("doctor", columns=40).end()[1]
    assert "\r\n         only the owner and root can\r\n         write what leads to the grants\r\n" in narrow


@pytest.mark.usefixtures("root")
def test_colours_are_for_a_terminal() -> None:
    """A pipe gets none."""
    assert "\x1b[32mok" in Terminal("doctor").end()[1]
    assert "\x1b" not in run_command("doctor").stdout
