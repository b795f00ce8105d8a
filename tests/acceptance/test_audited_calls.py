"""Whole command lines with an audit log: every answer is written, by every door, and none is given that could not be."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import result_of
from tests.support.doors import BOTH_DOORS, FAST, TYPER, Door, code_of_enforce
from tests.support.logs import events


@pytest.fixture(autouse=True)
def log(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an audit log, and add a grant with a single call."""
    once = '{"tool": "once", "actions": ["a"], "rate": {"perMinute": 1}, "args": {"n": {"type": "string"}}}'
    (root / ".cortex/policy/tools/once.json").write_text(once)
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def timeless(event: dict[str, Any]) -> dict[str, Any]:
    """Return what two events of the same call share."""
    assert re.fullmatch("[0-9a-f]{32}", event["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["time"])
    data = {name: value for name, value in event["data"].items() if name not in ("chain", "follows")}
    return {name: value for name, value in event.items() if name not in ("id", "time")} | {"data": data}


ANSWERED = [
    (("git", "tree", "--path", "docs/x"), "allowed"),
    (("git", "tree", "--path", "docs/x", "-q"), "allowed"),
    (("git", "tree", "--json", "--explain"), "allowed"),
    (("git", "tree", "--peek"), "allowed"),
    (("git", "push", "--path", "docs/x"), "action_not_allowed"),
    (("git", "push", "-q"), "action_not_allowed"),
    (("git", "tree", "--args", "-"), "argument_not_allowed"),
    (("git", "tree", "--path", "etc/\x1b[31m\n\u202e"), "path_outside_scope"),
    (("git", "tree", "--path", "\udcff"), "path_outside_scope"),
    (("git", "tree", "--require-path"), "path_outside_scope"),
    (("git", "tree", "--cost", "31"), "rate_limited"),
    (("git", "tr\nee\u2028"), "action_not_allowed"),
    (("nosuch", "tree", "--arg", "n=1"), "grant_not_found"),
    (("../git", "tree"), "grant_not_found"),
    (("", ""), "grant_not_found"),
    (("git", "tree", "--root", "/nowhere"), "root_not_found"),
]


@pytest.mark.parametrize("level", ["names", "fingerprints", "full"])
@pytest.mark.parametrize(("words", "reason"), ANSWERED, ids=repr)
def test_both_doors_write_the_same_event(
    log: Path, state: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str, level: str
) -> None:
    """One for each answer, whatever is printed; what it is about stands in it."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", level)
    codes = []
    for door in (FAST, TYPER):
        shutil.rmtree(state)
        state.mkdir(mode=0o700)
        codes.append(door.result_of("check", *words, given='{"repo": 3}').returncode)
    fast, slow = map(timeless, events(log))
    assert fast == slow
    assert codes[0] == codes[1] != 70
    assert (fast["data"]["reason"], fast["data"]["decision"]) == (reason, codes[0] == 0)
    assert (fast["data"]["grant"], fast["data"]["action"]) == words[:2]
    assert ("peek" in fast["data"]) == ("--peek" in words)


@pytest.mark.parametrize("level", ["names", "fingerprints", "full"])
@pytest.mark.parametrize(
    ("action", "args"), [("tree", {"path": "docs/x"}), ("push", {}), ("tree", {"path": "/etc", "n": [1, {"a": None}]})]
)
def test_enforce_writes_what_check_writes(
    log: Path, monkeypatch: pytest.MonkeyPatch, action: str, args: dict[str, object], level: str
) -> None:
    """Member by member."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", level)
    codes = {
        result_of("check", "git", action, "--args", json.dumps(args)).returncode,
        code_of_enforce("git", action, args),
    }
    first, second = map(timeless, events(log))
    assert first == second
    assert len(codes) == 1


def stop(root: Path) -> None:
    """Stop every call."""
    (root / ".cortex/policy/stop").touch()


def demand_a_stamp(root: Path) -> None:
    """Require what is not there."""
    (root / ".cortex/policy/config.toml").write_text('stamp = "require"\n')


def break_grant(root: Path) -> None:
    """Leave half of a grant."""
    (root / ".cortex/policy/tools/git.json").write_text("{")


def open_grant(root: Path) -> None:
    """Let everyone write a grant."""
    (root / ".cortex/policy/tools/git.json").chmod(0o666)


def nest(root: Path) -> None:
    """Make a root in the root, and stand in it."""
    (root / "docs/.cortex/policy/tools").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "reason", "code"),
    [
        (stop, "stopped", 15), (demand_a_stamp, "stamp_mismatch", 23), (break_grant, "grant_invalid", 21),
        (open_grant, "grant_unsafe", 22), (nest, "root_ambiguous", 26),
    ],
)  # fmt: skip
@BOTH_DOORS
def test_calls_that_could_not_be_decided_are_written_too(
    root: Path, log: Path, door: Door, spoil: Any, reason: str, code: int
) -> None:  # fmt: skip
    """The settings that name the log are no root's."""
    spoil(root)
    os.chdir(root / "docs")
    assert door.result_of("check", "git", "tree", "--path", "docs/x").returncode == code
    (event,) = events(log)
    assert event["data"]["reason"] == reason
    is_known = reason != "root_ambiguous"
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    assert event["data"]["root"] == (f"sha256:{digest}" if is_known else None)


def test_a_stop_denies_enforce_and_is_written(root: Path, log: Path) -> None:
    """And so is a ledger that cannot be used."""
    stop(root)
    assert code_of_enforce("git", "tree") == 15
    (root / ".cortex/policy/stop").unlink()
    (log.parent / "state").chmod(0o777)
    assert code_of_enforce("git", "tree") == 24
    assert [one["data"]["reason"] for one in events(log)] == ["stopped", "state_unavailable"]


@BOTH_DOORS
def test_usage_errors_and_wrong_settings_are_not_written(
    root: Path, log: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody decided, and nobody knows the log."""
    for words in (("git",), ("git", "tree", "--args", "{"), ("git", "tree", "--arg", 'x={"a": 1, "a": 2}')):
        assert door.result_of("check", *words).returncode == 2
    assert door.result_of("check", "--help").returncode == 0
    (root / ".cortex/policy/config.toml").write_text("sensitive = 1\n")
    assert door.result_of("check", "git", "tree").returncode == 27
    (root / ".cortex/policy/config.toml").unlink()
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "x")
    assert door.result_of("check", "git", "tree").returncode == 27
    stop(root)
    assert door.result_of("check", "git", "tree").returncode == 15
    assert not log.exists()


@BOTH_DOORS
def test_a_call_that_waits_writes_its_last_answer_alone(root: Path, log: Path, door: Door) -> None:
    """However often it asked; what is edited meanwhile counts, and is written."""
    assert door.result_of("check", "once", "a").returncode == 0
    assert door.result_of("check", "once", "a", "--wait", "2.5").returncode == 14
    waiting = subprocess.Popen([*door.argv, "check", "once", "a", "--wait", "30"], stderr=subprocess.PIPE)
    time.sleep(1)
    file = root / ".cortex/policy/tools/once.json"
    file.write_text(file.read_text().replace('"a"', '"b"', 1))
    waiting.communicate(timeout=60)
    assert waiting.returncode == 10
    assert [one["data"]["reason"] for one in events(log)] == ["allowed", "rate_limited", "action_not_allowed"]


@BOTH_DOORS
def test_full_says_where_the_call_came_from_and_what_it_meant(
    root: Path, log: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words take the type that the grant declares; run and trace are passed on."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    monkeypatch.setenv("CORTEX_RUN_ID", "nightly-7")
    monkeypatch.setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    (root / ".cortex/policy/stamp.json").write_text('{"version": 9}')
    words = ("once", "a", "--arg", "n=3", "--arg", "m=3", "--path", "docs/link-to-etc", "--peek")
    assert door.result_of("check", *words).returncode == 0
    (event,) = events(log)
    assert event["subject"] == "nightly-7"
    assert timeless(event)["data"] == {
        "decision": True, "reason": "allowed", "grant": "once", "action": "a", "version": 9,
        "args": {"path": "docs/link-to-etc", "n": "3", "m": 3}, "traceId": "0af7651916cd43dd8448eb211c80319c",
        "brand": "brAInwav", "component": "policy", "root": str(root), "peek": True, "cwd": str(root), "cost": 1,
        "paths": [{"argument": "path", "given": "docs/link-to-etc", "collapsed": "docs/link-to-etc", "resolved": "/etc"}],
    }  # fmt: skip


@BOTH_DOORS
def test_a_fifo_blocks_nobody_and_a_link_leads_nowhere(log: Path, door: Door) -> None:
    """Neither is a log: an allow and a denial alike become 24, and are counted as nothing."""
    os.mkfifo(log)
    for words in (("once", "a"), ("once", "b"), ("nosuch", "a"), ("once", "a", "-q")):
        done = door.result_of("check", *words)
        assert (done.returncode, done.stdout) == (24, "")
        assert done.stderr == ("" if "-q" in words else (
            f"{' '.join(words)}: audit log `{log}`: it is a FIFO\n"
            "hint: name a regular file, and pass on its lines with `cortex-policy audit tail --number 0 --follow --json`\n"
        ))  # fmt: skip
    log.unlink()
    log.symlink_to("elsewhere")
    told = json.loads(door.result_of("check", "once", "a", "--json").stdout)
    assert (told["exit_code"], told["reason"], told["retryable"]) == (24, "state_unavailable", False)
    assert told["message"] == f"audit log `{log}`: it is a link"
    assert not (log.parent / "elsewhere").exists()
    log.unlink()
    assert door.result_of("check", "once", "a").returncode == 0


@BOTH_DOORS
def test_a_log_that_cannot_be_written_is_ignored_where_that_is_set(
    log: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer is what it was."""
    log.mkdir()
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    for words, code in ((("once", "a"), 0), (("once", "b"), 10), (("once", "a"), 14), (("nosuch", "a"), 20)):
        assert door.result_of("check", *words).returncode == code


@BOTH_DOORS
def test_a_call_is_logged_even_if_its_outputs_are_closed(log: Path, door: Door) -> None:
    """With all three closed, no answer and no hit lands in the log."""
    command = " ".join([f"'{word}'" for word in [*door.argv, "check", "git", "push"]])
    done = subprocess.run(["sh", "-c", f"{command} <&- >&- 2>&-"], check=False, timeout=60)
    assert done.returncode == 10
    (event,) = events(log)
    assert event["data"]["reason"] == "action_not_allowed"


@BOTH_DOORS
def test_no_call_may_write_to_its_own_log(root: Path, log: Path, door: Door) -> None:
    """By its name, through a link, and before it is there."""
    (root / "alias").symlink_to(log)
    for path in (str(log), "../log", "alias"):
        done = door.result_of("check", "model-gateway", "chat", "--path", path)
        assert done.returncode == 12
        assert "no grant may allow access to files that govern grants" in done.stderr
    assert len(events(log)) == 3


def test_a_fingerprint_is_the_digest_that_a_shell_computes(log: Path) -> None:
    """As docs/audit.md says."""
    assert result_of("check", "git", "tree", "--path", "docs/x").returncode == 0
    shell = "printf '\"docs/x\"' | sha256sum | cut -c1-16"
    made = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout.strip()
    assert events(log)[0]["data"]["args"] == {"path": f"sha256:{made}"}
