"""`status` on one screen, as JSON, and live."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, result_of, run_command
from tests.support.terminal import Terminal

SENSITIVE = {"tool": "records", "actions": ["read"], "rate": {"perMinute": 5}, "dataClass": "sensitive"}


@pytest.fixture
def busy(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a root with an audit log and a call that waits."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    (root / ".cortex/policy/tools/records.json").write_text(json.dumps(SENSITIVE))
    run_command("check", "git", "tree", "--path", "docs/x")
    run_command("check", "records", "read", "--arg", "note=" + "x" * 200, code=13)
    return root


def test_status_shows_everything_on_one_screen(busy: Path, state: Path, tmp_path: Path) -> None:
    """In a pipe a line for each, with the label in front."""
    request = json.loads(run_command("approvals", "--json").stdout)["requests"][0]["id"]
    lines = run_command("status").stdout.splitlines()
    if os.geteuid() == 0:  # others see nobody's state but their own
        assert lines.pop(8).strip().startswith("not looked at: ")
    assert [line[:11].strip() for line in lines] == [
        "root", "checks", "stop", "grants", "settings", "", "", "budgets", "audit log", "stamp", "approvals", "",
    ]  # fmt: skip
    texts = [line[11:] for line in lines]
    assert texts[:4] == [str(busy), "can be allowed", "none", "3 unstamped"]
    assert "sensitive = ask (environment: CORTEX_POLICY_SENSITIVE)" in texts
    assert texts[7].endswith(f", in {state}")
    assert texts[8:11] == [f"{tmp_path / 'log'}, writable", "none", "1 call waiting"]
    assert texts[11].startswith(f"{request} records read, ")


@pytest.mark.parametrize(
    ("variables", "said", "hint"),
    [
        ({"CORTEX_POLICY_FOO": "1"}, "CORTEX_POLICY_FOO`: unknown setting; every check answers 27", "unset the variable"),
        ({"CORTEX_AUDIT_LOG": "/nonexist/log"}, "its directory does not exist; every check answers 24", " /nonexist`"),
        ({"CORTEX_POLICY_STATE_DIR": "/nonexist/x"}, "no such file or directory; every check answers 24", "name a local directory"),
        ({"CORTEX_POLICY_STAMP": "require"}, "requires one; every check answers 23", "`cortex-policy stamp write`"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_status_starts_with_what_denies_every_check_and_exits_with_1(
    variables: dict[str, str], said: str, hint: str
) -> None:
    """With what helps; programs find it in `denied`."""
    _, denied, help_line, *_ = run_command("status", code=1, **variables).stdout.splitlines()
    assert denied.startswith("denied     ")
    assert said in denied
    assert help_line.startswith("hint       ")
    assert hint in help_line
    shown = json.loads(run_command("status", "--json", code=1, **variables).stdout)
    assert (shown["status"], len(shown["denied"])) == ("denied", 1)


def test_a_stop_and_an_unsafe_root_exit_with_1(root: Path) -> None:
    """And all else is shown as well as it can be."""
    run_command("stop", "--reason", "the token leaked")
    assert "the token leaked" in run_command("status", code=1).stdout
    assert json.loads(run_command("status", "--json", code=1).stdout)["stopped"]["reason"] == "the token leaked"
    run_command("resume")
    policy = root / ".cortex/policy"
    policy.rename(root / "real")
    policy.symlink_to(root / "real")
    assert "is a link, or not a directory; every check answers 22" in run_command("status", code=1).stdout


def test_status_outside_of_a_root_is_an_error(tmp_path: Path) -> None:
    """As for every command."""
    assert result_of("status", cwd=tmp_path).returncode == 25


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_gets_columns_that_fold(busy: Path, columns: int) -> None:
    """No line is longer than the terminal is wide."""
    code, said = Terminal("status", columns=columns).end()
    assert code == 0
    assert str(busy) in said.replace("\r\n", "").replace(" ", "")
    assert "can be allowed" in said


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.usefixtures("busy")
def test_a_watch_shows_budgets_calls_and_what_waits_on_one_screen(columns: int) -> None:
    """No id, action or reason is cut; a key ends it."""
    request = json.loads(run_command("approvals", "--json").stdout)["requests"][0]["id"]
    terminal = Terminal("status", "--watch", columns=columns)
    for text in (
        "checks can be allowed",
        "model-gateway",
        "1/30",
        "approval_required",
        "waiting for a human",
        request,
        "q ends",
    ):
        terminal.expect(text)
    terminal.press("q")
    assert terminal.end()[0] == 0


@pytest.mark.usefixtures("busy")
def test_a_watch_in_a_pipe_prints_each_change(root: Path) -> None:
    """Of the state, budgets, calls and approvals; it ends with its reader."""
    with subprocess.Popen([*PROGRAM, "status", "--watch"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        first = [watch.stdout.readline().split("\t") for _ in range(9)]
        assert [line[0] for line in first] == ["checks", *["budget"] * 5, "approval", "call", "call"]
        assert first[0][1] == "can be allowed\n"
        run_command("check", "git", "push", code=10)
        line = watch.stdout.readline().split("\t")
        assert line[:1] + line[2:6] == ["call", "no", "git", "push", "action_not_allowed"]
        (root / ".cortex/policy/stop").touch()
        assert watch.stdout.readline().startswith("checks\tstopped by ")
        watch.stdout.close()
        assert watch.wait(timeout=60) == 0


@pytest.mark.usefixtures("busy")
def test_a_watch_for_programs_prints_an_object_for_each_change() -> None:
    """Each says of what kind it is."""
    with subprocess.Popen([*PROGRAM, "status", "--watch", "--json"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        found = [json.loads(watch.stdout.readline()) for _ in range(9)]
        watch.stdout.close()
    assert [one["kind"] for one in found] == ["checks", *["budget"] * 5, "approval", "call", "call"]
    assert (found[0]["status"], found[1]["limit"], found[6]["status"], found[8]["reason"]) == (
        "ok",
        30,
        "waiting",
        "approval_required",
    )
