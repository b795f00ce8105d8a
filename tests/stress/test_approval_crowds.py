"""Crowds at one approval: exactly one yes, through any number of processes, and through death at any instant."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import DeathByDeath, ended, start

from cortex_policy.core.access_denied import ApprovalRequired
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.manage.approvals import approve_or_deny_request, list_waiting_and_answered_requests

pytestmark = pytest.mark.forks
CALLERS = 8
YES, NO = 0, 14


@pytest.fixture
def docket(root: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ask a human for each call of a grant whose rate is in nobody's way."""
    grant = {"tool": "records", "actions": ["read"], "rate": {"perMinute": 1_000_000}, "dataClass": "sensitive"}
    (root / ".cortex/policy/tools/records.json").write_text(json.dumps(grant))
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    return state / "approvals.jsonl"


def call(**args: object) -> bool:
    """Ask for a call, and say whether it was allowed."""
    try:
        return bool(enforce(load_grant("records"), "read", args))
    except ApprovalRequired:
        return False


def ask(**args: object) -> str:
    """Ask for a call that nobody has approved; return the id of the request."""
    with pytest.raises(ApprovalRequired) as caught:
        enforce(load_grant("records"), "read", args)
    assert caught.value.request_id is not None
    return caught.value.request_id


def approve(**args: object) -> str:
    """Ask for a call and approve it."""
    request_id = ask(**args)
    approve_or_deny_request(request_id, approved=True)
    return request_id


def status(request_id: str) -> str:
    """Return how a request stands; `gone` where nobody knows it any more."""
    return next((plea.status for plea in list_waiting_and_answered_requests() if plea.id == request_id), "gone")


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.storm)])
@pytest.mark.usefixtures("docket")
def test_of_eight_callers_exactly_one_uses_an_approval_in_each_round(rounds: int) -> None:
    """They start together, from different processes; who comes too late asks anew, all for the one same request."""
    for _ in range(rounds):
        request_id = approve(n=1)
        gate, opened = os.pipe()
        callers = [start(lambda gate=gate: os.read(gate, 1) and call(n=1)) for _ in range(CALLERS)]
        os.write(opened, b"x" * CALLERS)
        os.close(gate)
        os.close(opened)
        codes = [ended(caller) for caller in callers]
        assert sorted(codes) == [YES] + [NO] * (CALLERS - 1)
        assert status(request_id) == "used"
        assert [plea.status for plea in list_waiting_and_answered_requests()].count("waiting") == 1


@pytest.mark.usefixtures("docket")
def test_each_of_eight_approvals_is_used_by_one_caller() -> None:
    """Different calls do not take each other's."""
    for n in range(CALLERS):
        approve(n=n)
    callers = [start(lambda n=n: call(n=n)) for n in (*range(CALLERS), *range(CALLERS))]  # type: ignore[misc]
    assert sorted(ended(caller) for caller in callers) == [YES] * CALLERS + [NO] * CALLERS


@pytest.mark.usefixtures("docket")
def test_a_kill_at_any_system_call_approves_no_second_call() -> None:
    """Each step one caller dies one system call later; then another one asks, and a third."""
    deaths, seen, death = 0, set[bool](), DeathByDeath(lambda: call(n=1))
    approve(n=1)
    while death.die():
        first, second = call(n=1), call(n=1)
        assert not second
        seen.add(first)
        deaths += 1
        approve(n=1)
    assert deaths > 20
    assert seen == {True, False}  # before it is used, and after
    assert [call(n=1), call(n=1)] == [False, False]


@pytest.mark.usefixtures("docket")
def test_a_kill_while_asking_or_answering_leaves_a_readable_file() -> None:
    """Half a line takes no other with it, and half an answer is none."""
    n = 0
    asking = DeathByDeath(lambda: call(n=n))
    while asking.die():
        assert status(ask(n=n)) == "waiting"
        approve_or_deny_request(ask(n=n), approved=False)
        n += 1
    request_id = ask(n="ruled")
    ruling = DeathByDeath(lambda: approve_or_deny_request(request_id, approved=True).is_changed is not None)
    while ruling.die():
        before = status(request_id)
        assert call(n="ruled") == (before == "approved")
        if before == "approved":
            assert not call(n="ruled")
            request_id = ask(n="ruled")
    assert call(n="ruled")
    assert not call(n="ruled")


@pytest.mark.storm
@pytest.mark.usefixtures("docket")
def test_a_storm_of_kills_approves_no_second_call(tmp_path: Path) -> None:
    """Four callers loop, and note each yes before they go on; they are killed at random, and others take their place."""
    notes, chosen = tmp_path / "notes", random.Random(7)
    ids: list[str] = []

    def loop() -> object:
        while True:
            try:
                decision = enforce(load_grant("records"), "read", {"n": 1})
            except CortexPolicyError:
                continue
            descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            assert decision.approval is not None
            os.write(descriptor, f"{decision.approval.id}\n".encode())
            os.close(descriptor)

    callers = [start(loop) for _ in range(4)]
    until = time.monotonic() + 8
    while time.monotonic() < until or len(ids) < 20:
        for plea in list_waiting_and_answered_requests():
            if plea.status == "waiting":
                ids.append(plea.id)
                attempt(lambda plea=plea: approve_or_deny_request(plea.id, approved=True))  # type: ignore[misc]
        victim = chosen.randrange(len(callers))
        os.kill(callers[victim], signal.SIGKILL)
        assert ended(callers[victim]) == -signal.SIGKILL
        callers[victim] = start(loop)
        time.sleep(chosen.random() / 50)
    for caller in callers:
        os.kill(caller, signal.SIGKILL)
        ended(caller)
    used = notes.read_text().split()
    assert len(used) == len(set(used)) > 10
    assert set(used) <= set(ids)


def attempt(work: Callable[[], object]) -> None:
    """Do what may come too late."""
    try:
        work()
    except CortexPolicyError:
        return
