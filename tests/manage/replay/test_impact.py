"""An edit says what it would have meant for the last calls, and never fails for want of a log."""

import json
import os
from pathlib import Path

import pytest

from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.replay.impact import MAX_LINES, estimate_impact_as_text, estimate_impact_from_log_lines
from cortex_policy.state import Root
from tests.support.logs import event, on_path

GRANT = {"tool": "git", "actions": ["tree"], "rate": {"perMinute": 3}, "fsScope": ["docs"], "args": {"n": {}}}
NAMES = ["n", "path"]
BURST = [on_path(n, "tree", "docs/x", "allowed" if n < 3 else "rate_limited") for n in range(5)]
PUSHES = [on_path(n, "push", "docs/x", "action_not_allowed") for n in range(2)]
HIDDEN = [event(n, "tree", "allowed" if n < 3 else "rate_limited", args=NAMES, full=False) for n in range(5)]
CASES = [
    ("a rate raised", BURST, {"rate": {"perMinute": 4}}, "of the last 5 calls: 1 no -> yes, 0 yes -> no"),
    ("a rate lowered", BURST, {"rate": {"perMinute": 1}}, "of the last 5 calls: 0 no -> yes, 2 yes -> no"),
    ("an action", PUSHES, {"actions": ["tree", "push"]}, "of the last 2 calls: 2 no -> yes, 0 yes -> no"),
    ("a scope", BURST[:1], {"fsScope": ["src"]}, "of the last call: 0 no -> yes, 1 yes -> no"),
    ("a tool", BURST, {"tool": "g"}, "of the last 5 calls: 0 no -> yes, 0 yes -> no"),
    ("rules that it leaves alone", HIDDEN, {"rate": {"perMinute": 9}}, "of the last 5 calls: 2 no -> yes, 0 yes -> no"),
    ("a rule it touches", HIDDEN, {"fsScope": ["src"]}, "of the last 5 calls: 0 no -> yes, 0 yes -> no, 5 undecided"),
    ("no call of it", [event(0, "tree", grant="other")], {"rate": {"perMinute": 9}}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "change", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_impact_compares_both_texts(lines: list[str], change: dict[str, object], sentence: str) -> None:
    """What earlier edits changed is none of this one's doing."""
    new = compare_grant_bytes("git", json.dumps(GRANT).encode(), json.dumps({**GRANT, **change}).encode())
    found = estimate_impact_from_log_lines(Root("/r", trusts_owner=True), new, [line.encode() for line in lines])
    assert (found.sentence if found.call_count else "") == sentence


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configure a log that is not there yet."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "audit.jsonl"))
    return tmp_path / "audit.jsonl"


def said(root: Path) -> str:
    """Say what to allow `push` would have meant."""
    wider = json.dumps({**GRANT, "actions": ["tree", "push"]}).encode()
    return estimate_impact_as_text(
        Root(str(root), trusts_owner=True), compare_grant_bytes("git", json.dumps(GRANT).encode(), wider)
    )


def test_an_edit_works_without_a_log(root: Path, log: Path) -> None:
    """One that is absent, empty, no text or no file says nothing, or why."""
    assert said(root) == ""
    log.write_bytes(b"")
    assert said(root) == ""
    log.write_bytes(b"\xff\0 nonsense\n" * 9)
    assert said(root) == ""
    log.unlink()
    log.mkdir()
    assert said(root).startswith("note: the audit log says nothing of this change: is a directory")
    log.rmdir()
    os.mkfifo(log)
    assert "seek" in said(root)  # a pipe is not waited for


def test_only_the_end_of_a_long_log_is_read(root: Path, log: Path) -> None:
    """So many lines, and so many bytes."""
    log.write_text("".join(f"{event(n, 'push', 'action_not_allowed')}\n" for n in range(MAX_LINES + 10)))
    assert said(root) == f"of the last {MAX_LINES} calls: 501 no -> yes, 0 yes -> no"


def test_wrong_settings_do_not_stop_an_edit(root: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is left out, and says why."""
    log.write_text(event(0, "push", "action_not_allowed"))
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "perhaps")
    assert "settings invalid" in said(root)
