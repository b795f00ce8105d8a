"""Answers to requests: the same, member by member, as those of `check --json`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.batch.answerer import Answerer
from cortex_policy.check import Call
from tests.support.answers import answer
from tests.support.roots import GIT

ALLOWED = {"grant": "git", "action": "tree", "args": {"path": "docs/x"}}


def ask(answerer: Answerer, **request: Any) -> dict[str, Any]:
    """Return the answer to a request; its code must be the one in it."""
    text, code = answerer.answer_line(json.dumps(request).encode())
    members: dict[str, Any] = json.loads(text)
    assert text.endswith("}\n")
    assert code == members["exit_code"]
    assert members["decision"] is (code == 0)
    return members


def by_check(grant: str, action: str, args: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the answer of `check --json` to a call."""
    call = Call(grant, action, args_json=json.dumps(args), json=True, **fields)
    members: dict[str, Any] = json.loads(answer(call).out)
    return members


def without_time(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what no two answers share."""
    rate = {**members["rate"], "retry_after_seconds": members["rate"]["retry_after_seconds"] is not None}
    return {name: part for name, part in members.items() if name not in ("duration_us", "id")} | {"rate": rate}


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize(
    ("grant", "action", "args"),
    [
        ("git", "tree", {"path": "docs/x"}),
        ("git", "tree", {"path": "docs/../docs/x"}),
        ("git", "tree", {"paths": ["docs/x", "packages/a"]}),
        ("git", "tree", {"path": "docs/link/passwd"}),
        ("git", "tree", {"path": "/etc"}),
        ("git", "tree", {"path": 7}),
        ("git", "tree", {"path": "docs/x", "other": {"a": [1, 2.5, None]}}),
        ("git", "push", {"path": "docs/x"}),
        ("git", "tree", {}),
        ("model-gateway", "chat", {"prompt": "##[group] x\x1b\x7f"}),
        ("gti", "tree", {}),
        ("../git", "tree", {}),
        ("", "", {}),
    ],
)
def test_an_answer_equals_that_of_check(grant: str, action: str, args: dict[str, Any], is_kept: bool) -> None:
    """From the disk, and from what is kept in memory."""
    answerer = Answerer()
    for _ in range(2 if is_kept else 0):
        ask(answerer, **ALLOWED)
        ask(answerer, grant=grant, action=action, args=args)
    there = ask(answerer, grant=grant, action=action, args=args, peek=True)
    assert without_time(there) == without_time(by_check(grant, action, args, peek=True))
    counted = without_time(ask(answerer, grant=grant, action=action, args=args))
    checked = without_time(by_check(grant, action, args))
    if counted["decision"]:
        assert counted["rate"]["consumed"] == 1
        counted["rate"]["used"] += 1
        counted["rate"]["remaining"] -= 1
    assert counted == checked


@pytest.mark.usefixtures("root")
def test_every_call_is_counted_and_the_last_one_that_fits_is_the_last() -> None:
    """With what is used and left in each answer."""
    answerer = Answerer()
    limit = GIT["rate"]["perMinute"]
    answers = [ask(answerer, **ALLOWED, id=number) for number in range(limit + 2)]
    assert [one["id"] for one in answers] == list(range(limit + 2))
    assert [one["rate"]["used"] for one in answers] == [*range(1, limit + 1), limit, limit]
    assert [one["rate"]["remaining"] for one in answers] == [*range(limit - 1, -1, -1), 0, 0]
    assert [one["reason"] for one in answers] == ["allowed"] * limit + ["rate_limited"] * 2
    assert by_check("git", "tree", ALLOWED["args"])["exit_code"] == 14
    assert 0 < answers[limit - 1]["rate"]["retry_after_seconds"] <= 60
    assert answers[-1]["retryable"]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("is_counted_before", [False, True])
def test_a_question_that_is_answered_from_memory_equals_one_of_check(is_counted_before: bool) -> None:
    """Before the first hit, between hits of others, and when nothing is left."""
    answerer = Answerer()
    for _ in range(int(is_counted_before)):
        ask(answerer, **ALLOWED)
    for _ in range(GIT["rate"]["perMinute"] + 1):
        there = ask(answerer, **ALLOWED, peek=True)
        assert without_time(there) == without_time(by_check(**ALLOWED, peek=True))
        assert there["rate"]["consumed"] == 0
        by_check(**ALLOWED)
    assert there["reason"] == "rate_limited"


@pytest.mark.usefixtures("root")
def test_a_cost_is_taken_whole_or_not_at_all() -> None:
    """As with `--cost`."""
    answerer, limit = Answerer(), GIT["rate"]["perMinute"]
    assert ask(answerer, **ALLOWED, cost=limit - 1)["rate"]["consumed"] == limit - 1
    assert ask(answerer, **ALLOWED, cost=2)["reason"] == "rate_limited"
    assert ask(answerer, **ALLOWED, cost=1)["decision"]
    assert not ask(answerer, **ALLOWED, cost=limit + 1)["retryable"]


def test_an_edit_counts_from_the_next_request_on(root: Path) -> None:
    """No answer is from a grant that was replaced."""
    answerer, file = Answerer(), root / ".cortex/policy/tools/git.json"
    for actions, expected in (("push", 0), ("other", 10), ("push", 0)):
        file.write_text(json.dumps({**GIT, "actions": [actions]}))
        assert ask(answerer, grant="git", action="push", args={"path": "docs/x"})["exit_code"] == expected
    file.unlink()
    assert ask(answerer, grant="git", action="push", args={"path": "docs/x"})["exit_code"] == 20


def test_a_stop_and_invalid_settings_count_from_the_next_request_on(root: Path) -> None:
    """And end with them."""
    answerer, policy = Answerer(), root / ".cortex/policy"
    for file, text, code in (("stop", "{}", 15), ("config.toml", "x = 1", 27)):
        assert ask(answerer, **ALLOWED)["decision"]
        (policy / file).write_text(text)
        assert ask(answerer, **ALLOWED)["exit_code"] == code
        (policy / file).unlink()
    assert ask(answerer, **ALLOWED)["decision"]


def test_a_root_that_comes_later_is_found(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then each request is told that there is none."""
    monkeypatch.chdir(tmp_path)
    answerer = Answerer(str(tmp_path / "later"))
    assert ask(answerer, **ALLOWED)["exit_code"] == 25
    root.rename(tmp_path / "later")
    assert ask(answerer, grant="model-gateway", action="chat")["decision"]


@pytest.mark.usefixtures("root")
def test_a_path_can_be_required() -> None:
    """As with `--require-path`."""
    answerer = Answerer(require_path=True)
    assert ask(answerer, **ALLOWED)["decision"]
    assert ask(answerer, grant="git", action="tree")["exit_code"] == 12
    assert ask(answerer, **ALLOWED)["decision"]


@pytest.mark.usefixtures("root")
def test_each_answer_is_in_the_audit_log(log: Path) -> None:
    """Allowed, denied, or without a decision; a question alone is marked as one."""
    answerer = Answerer()
    for request in (ALLOWED, ALLOWED, {**ALLOWED, "action": "push"}, {**ALLOWED, "grant": "gti"}):
        ask(answerer, **request)
    reasons = [json.loads(line)["data"]["reason"] for line in log.read_text().splitlines()]
    assert reasons == ["allowed", "allowed", "action_not_allowed", "grant_not_found"]


@pytest.mark.usefixtures("root")
def test_a_log_that_cannot_be_written_denies(log: Path) -> None:
    """Before anything is counted."""
    answerer = Answerer()
    ask(answerer, **ALLOWED)
    log.unlink()
    log.mkdir()
    answers = [ask(answerer, **ALLOWED) for _ in range(2)]
    assert [one["exit_code"] for one in answers] == [24, 24]
    log.rmdir()
    assert ask(answerer, **ALLOWED)["rate"]["used"] == 2


@pytest.mark.usefixtures("root")
def test_a_relative_path_follows_the_working_directory() -> None:
    """It starts where the process is at each request."""
    answerer = Answerer()
    assert ask(answerer, **ALLOWED)["decision"]
    os.mkdir("other")
    os.chdir("other")
    assert ask(answerer, **ALLOWED)["exit_code"] == 12
    os.chdir("..")
    assert ask(answerer, **ALLOWED)["decision"]
