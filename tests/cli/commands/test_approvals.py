"""Whole command lines: a call that waits for a human, the human's answer, and what becomes of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import PROGRAM
from tests.support.command import result_of as run
from tests.support.doors import BOTH_DOORS, FAST, TYPER, Door
from tests.support.terminal import Terminal

CALL = ("check", "records", "read", "--path", "docs/x")


@pytest.fixture(autouse=True)
def asking(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a human for each call of a grant."""
    grant = {"tool": "records", "actions": ["read"], "rate": {"perMinute": 3}, "dataClass": "sensitive"}
    (root / ".cortex/policy/tools/records.json").write_text(json.dumps(grant))
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")


def started(*words: str) -> "subprocess.Popen[str]":
    """Start a process that goes on."""
    return subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def listed() -> list[dict[str, Any]]:
    """Return what `approvals` lists."""
    found: list[dict[str, Any]] = json.loads(run("approvals", "--json").stdout)["requests"]
    return found


def waiting() -> str:
    """Return the id of the one request that waits, once there is one."""
    for _ in range(200):
        ids = [one["id"] for one in listed() if one["status"] == "waiting"]
        if ids:
            return str(ids[-1])
        time.sleep(0.05)
    raise AssertionError


@BOTH_DOORS
def test_a_denial_names_the_request_and_the_command_that_approves_it(door: Door) -> None:
    """Typed as it stands, the call is allowed, once, by either door."""
    done = door.result_of(*CALL)
    assert (done.returncode, done.stdout) == (13, "")
    line, hint = done.stderr.splitlines()
    (request_id,) = re.findall("`([0-9a-f]{8})`", line)
    assert line == f"records read: approval required: request `{request_id}` waits for a human"
    assert hint == f"hint: an operator approves it with `cortex-policy approve {request_id}`; `--wait` waits for that"
    refused = run("approve", request_id)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "  path       docs/x -> " in refused.stderr
    assert refused.stderr.endswith("this needs confirmation, and there is no terminal to ask on\nhint: add `--yes`\n")
    done = run("approve", request_id, "--yes")
    assert (done.returncode, done.stdout) == (0, f"approved {request_id}: records read\n")
    assert run("approve", request_id, "--yes").stdout == f"nothing to do: approved {request_id}: records read\n"
    assert [one.result_of(*CALL).returncode for one in (door, FAST, TYPER)] == [0, 13, 13]
    assert run("approve", request_id, "--yes").returncode == 3


@BOTH_DOORS
def test_json_tells_of_the_approval(door: Door) -> None:
    """A member of its own, null where no human is asked; only waiting for budget makes a no one to be retried."""
    told = json.loads(door.result_of(*CALL, "--json").stdout)
    request_id = told["approval"]["id"]
    assert (told["reason"], told["retryable"], told["obligations"]) == ("approval_required", False, ["human_approval"])
    assert told["approval"]["status"] == "waiting"
    assert 200 < told["approval"]["expires_in_seconds"] <= 300
    assert json.loads(run("deny", request_id, "--json").stdout)["request"]["status"] == "denied"
    denied = door.result_of(*CALL)
    assert denied.returncode == 13
    assert f"request `{request_id}` was denied by a human\nhint: a human can be asked again in " in denied.stderr
    told = json.loads(door.result_of(*CALL, "--json", "--peek").stdout)
    assert told["approval"]["status"] == "denied"
    assert json.loads(door.result_of("check", "git", "tree", "--json").stdout)["approval"] is None
    other = json.loads(door.result_of("check", "records", "read", "--json").stdout)["approval"]["id"]
    run("approve", other, "--yes")
    told = json.loads(door.result_of("check", "records", "read", "--json").stdout)
    assert (told["decision"], told["approval"]) == (True, {"id": other, "status": "used", "expires_in_seconds": 0.0})


@BOTH_DOORS
def test_a_check_that_waits_says_at_once_what_approves_it(door: Door) -> None:
    """One line on standard error, before the answer; none with `-q` or `--json`."""
    waiter = subprocess.Popen([*door.argv, *CALL, "--wait", "50"], stderr=subprocess.PIPE, text=True)
    assert waiter.stderr is not None
    line = waiter.stderr.readline()
    request_id = waiting()
    assert line == f"request {request_id} waits for a human: cortex-policy approve {request_id}\n"
    assert run("deny", request_id, "--reason", "not during\x1b[31m the freeze").returncode == 0
    _, rest = waiter.communicate(timeout=40)
    assert f"request `{request_id}` was denied by a human: not during\\x1b[31m the freeze\n" in rest
    assert json.loads(run("approvals", request_id, "--json").stdout)["reason"] == "not during\x1b[31m the freeze"
    for option in ("-q", "--json"):
        assert door.result_of(*CALL, "--arg", f"n={option}", option, "--wait", "0.2").stderr == ""


def test_a_terminal_counts_down_and_is_left_clean() -> None:
    """The line of the countdown is gone when the answer comes."""
    terminal = Terminal(*CALL, "--wait", "50")
    terminal.expect("waits for a human")
    terminal.expect("waiting for a human, 4")
    request_id = waiting()
    assert run("approve", request_id, "--yes").returncode == 0
    code, screen = terminal.end()
    assert code == 0
    assert screen.split("\r")[-2].endswith(f"a human approved it (request `{request_id}`)")


def test_a_call_that_waits_for_budget_counts_down_on_a_terminal_alone(root: Path) -> None:
    """A pipe gets the denial and nothing else."""
    (root / ".cortex/policy/tools/once.json").write_text('{"tool":"once","actions":["run"],"rate":{"perMinute":1}}')
    assert run("check", "once", "run").returncode == 0
    done = run("check", "once", "run", "--wait", "0.2")
    assert (done.returncode, done.stderr.count("\n")) == (14, 2)
    terminal = Terminal("check", "once", "run", "--wait", "1.5")
    terminal.expect("waiting for budget: a call fits in ")
    assert terminal.end()[0] == 14


def test_an_approved_call_that_waits_for_budget_asks_no_human_again(root: Path) -> None:
    """The request that it names is approved already."""
    file = root / ".cortex/policy/tools/records.json"
    file.write_text(file.read_text().replace('"perMinute": 3', '"perMinute": 1'))
    for words in (CALL, (*CALL[:3], "--path", "docs/y")):
        run(*words)
        assert run("approve", waiting(), "--yes").returncode == 0
        done = run(*words, "--wait", "0.2")
    assert (done.returncode, done.stderr.count("\n")) == (14, 2)
    assert "waits for a human" not in done.stderr


def test_an_approval_that_is_closed_is_refused_before_anybody_is_asked() -> None:
    """A human is not shown a call that can no longer be answered."""
    run(*CALL)
    request_id = waiting()
    assert run("deny", request_id).returncode == 0
    done = run("approve", request_id)
    assert (done.returncode, done.stdout) == (3, "")
    assert "was denied: the caller can ask again later" in done.stderr
    assert "arguments" not in done.stderr


def test_only_the_calls_of_this_root_are_listed_unless_all_are_asked_for(root: Path, tmp_path: Path) -> None:
    """With all, each has its root; outside of any root a note says so."""
    other = tmp_path / "other"
    shutil.copytree(root / ".cortex", other / ".cortex")
    (tmp_path / "nowhere").mkdir()
    run(*CALL[:3])
    run(*CALL[:3], "--root", str(other))
    assert [one["root"] for one in listed()] == [str(root)]
    every = json.loads(run("approvals", "--all", "--json").stdout)["requests"]
    assert sorted(one["root"] for one in every) == sorted([str(root), str(other)])
    assert str(other) in run("approvals", "--all").stdout
    outside = run("approvals", cwd=tmp_path / "nowhere")
    assert len(outside.stdout.splitlines()) == 2
    assert outside.stderr == "note: there is no policy root here; these are the calls of all roots\n"


@BOTH_DOORS
@pytest.mark.parametrize(("answer", "code"), [(("approve", "--yes"), 0), (("deny",), 13)], ids=["yes", "no"])
def test_a_check_that_waits_ends_with_the_answer(door: Door, answer: tuple[str, ...], code: int) -> None:
    """Long before its time is over, and no lock is held meanwhile."""
    waiter = subprocess.Popen([*door.argv, *CALL, "--wait", "50"], stderr=subprocess.PIPE, text=True)
    request_id = waiting()
    assert run(*CALL).returncode == 13
    assert run(answer[0], request_id, *answer[1:]).returncode == 0
    _, said = waiter.communicate(timeout=40)
    assert (waiter.returncode, "was denied by a human" in said) == (code, code == 13)


def test_a_wait_for_an_approval_that_never_comes_ends_with_a_denial() -> None:
    """The answer is the denial."""
    done = run(*CALL, "--wait", "0.3")
    assert (done.returncode, "waits for a human" in done.stderr) == (13, True)


def test_every_rule_is_decided_again_while_a_check_waits(root: Path) -> None:
    """A grant that no longer has the action denies, whatever was approved."""
    waiter = started(*CALL, "--wait", "50")
    request_id = waiting()
    grant = root / ".cortex/policy/tools/records.json"
    grant.write_text(grant.read_text().replace('"read"', '"write"'))
    _, said = waiter.communicate(timeout=40)
    assert (waiter.returncode, "action not allowed" in said) == (10, True)
    assert run("approve", request_id, "--yes").returncode == 0
    assert run(*CALL).returncode == 10


def test_the_order_of_rules_stays() -> None:
    """What another rule denies first is put to nobody."""
    assert run("check", "records", "push").returncode == 10
    assert run(*CALL[:3], "--path", ".cortex/policy").returncode == 12
    assert listed() == []


def test_waiting_requests_are_listed_and_shown_in_full(root: Path) -> None:
    """What a terminal would act on is escaped, and nothing is left out."""
    hostile = "\x1b[31m\u202e\n" + "x" * 3000
    run("check", "records", "read", "--path", "docs/x", "--arg", f"text={hostile}", "--cost", "2")
    (one,) = listed()
    assert (one["grant"], one["action"], one["cwd"], one["root"], one["cost"]) == (
        "records", "read", str(root), str(root), 2,
    )  # fmt: skip
    assert one["args"] == {"path": "docs/x", "text": hostile}
    assert one["paths"] == [{"argument": "path", "given": "docs/x", "resolved": f"{root}/docs/x"}]
    assert one["uid"] == os.geteuid()
    for words in (("approvals",), ("approvals", one["id"])):
        shown = run(*words).stdout
        assert "x" * 3000 in shown
        assert all(line.isprintable() for line in shown.replace("\t", "").splitlines())
    assert run("approvals", "--root", "/").stdout == ""
    assert run("approvals", "--root", ".").stdout.startswith(one["id"])
    assert run("approve", one["id"], "--yes", "--root", "/").returncode == 3
    assert run("approvals", "nosuch").returncode == 3


def test_a_human_at_a_terminal_sees_the_call_and_is_asked() -> None:
    """Anything but a yes is a no."""
    run(*CALL)
    request_id = waiting()
    for word, code in (("n", 3), ("", 3), ("y", 0)):
        terminal = Terminal("approve", request_id, rows=40)
        terminal.expect("arguments")
        terminal.answer(f"approve {request_id}? [y/N]: ", word)
        assert terminal.end()[0] == code
    assert run(*CALL).returncode == 0


def test_a_watch_tells_each_change_until_ctrl_c() -> None:
    """A line for what is new, and one for each answer; 130 at the end."""
    watcher = started("approvals", "--watch", "--json")
    assert watcher.stdout is not None
    run(*CALL)
    told = json.loads(watcher.stdout.readline())
    assert told["status"] == "waiting"
    run("approve", told["id"], "--yes")
    assert json.loads(watcher.stdout.readline())["status"] == "approved"
    run(*CALL)
    assert json.loads(watcher.stdout.readline())["status"] == "used"
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=30)
    assert watcher.returncode == 130


def test_a_watch_is_drawn_on_a_terminal_until_q() -> None:
    """The newest stay in sight."""
    run(*CALL)
    terminal = Terminal("approvals", "--watch", rows=12, columns=150)
    terminal.expect("records read")
    terminal.expect("q ends")
    terminal.press("q")
    assert terminal.end()[0] == 0


def test_explain_says_who_can_approve_and_asks_nobody() -> None:
    """The command, once there is a request."""
    told = run("explain", *CALL[1:]).stdout
    assert "`check` asks a human for the approval" in told
    assert listed() == []
    run(*CALL)
    request_id = waiting()
    told = run("explain", *CALL[1:]).stdout
    assert f"           cortex-policy approve {request_id}\n" in told or f"cortex-policy approve {request_id}\n" in told
    explained = json.loads(run("explain", *CALL[1:], "--json").stdout)
    assert explained["explanation"]["remedy"] == f"cortex-policy approve {request_id}"
    assert explained["approval"]["id"] == request_id


def test_the_audit_log_names_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the denial and of the call that was allowed for it; a wait is one answer."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    waiter = started(*CALL, "--wait", "50")
    request_id = waiting()
    run("approve", request_id, "--yes")
    waiter.communicate(timeout=40)
    run(*CALL)
    run("check", "git", "tree")
    said = [json.loads(line)["data"] for line in (tmp_path / "log").read_text().splitlines()]
    assert [(one["reason"], one.get("approval")) for one in said] == [
        ("allowed", request_id), ("approval_required", waiting()), ("allowed", None),
    ]  # fmt: skip


@pytest.mark.parametrize("words", [("approve", "x", "--yes"), ("deny", "x"), ("approvals",), ("approvals", "--watch")])
def test_an_unsafe_approvals_file_is_reported_with_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """24, with what to do."""
    (tmp_path / "hitl").write_text("")
    (tmp_path / "hitl").chmod(0o666)
    monkeypatch.setenv("CORTEX_HITL_STORE", str(tmp_path / "hitl"))
    done = run(*words)
    assert done.returncode == 24
    assert "it is writable by everyone\nhint: remove it with `rm " in done.stderr
    assert run(*CALL).returncode == 24


@pytest.mark.parametrize("words", [(), ("--all",), ("--output", "table"), ("--all", "--output", "tsv")], ids=" ".join)
def test_that_no_call_waits_is_said(root: Path, words: tuple[str, ...]) -> None:
    """Beside the table, for people; JSON says it by an empty list."""
    done = run("approvals", *words)
    where = "" if "--all" in words else f"of {root} "
    assert (done.returncode, done.stderr) == (0, f"no call {where}waits for a human\n")
    told = run("approvals", "--json")
    assert (json.loads(told.stdout), told.stderr) == ({"requests": []}, "")
    run(*CALL)
    assert run("approvals", *words).stderr == ""


def test_a_screen_without_calls_says_so(root: Path) -> None:
    """Before `q`, where it would else show a head alone."""
    terminal = Terminal("approvals", "--watch")
    terminal.expect(f"no call of {root} waits for a human; q ends")
    terminal.press("q")
    assert terminal.end()[0] == 0
