"""`--wait` in real processes: whoever waits gets a slot when one frees, and nobody takes what is not used."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cortex_policy.core.model import Budget
from cortex_policy.state import ledger_ring
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.settings import find_state_directory
from tests.support.processes import wait_until

SECOND = 1_000_000_000 >> ledger_ring.TICK_BITS
WAITERS = 8


@pytest.fixture
def full(root: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Fill a budget of eight with hits that leave their window in a few seconds, one after the other."""
    grant = root / ".cortex" / "policy" / "tools" / "git.json"
    grant.write_text(grant.read_text().replace('"perMinute": 30', f'"perMinute": {WAITERS}'))
    status = root.stat()
    ledger = Ledger((status.st_dev, status.st_ino), find_state_directory())
    now = ledger_ring.read_ticks_since_boot
    with monkeypatch.context() as patch:
        for nth in range(WAITERS):
            patch.setattr(ledger_ring, "read_ticks_since_boot", lambda nth=nth: now() - 57 * SECOND + nth * SECOND // 4)
            assert ledger.take("git-map", "tree", WAITERS).consumed
    return ledger


def waiting(seconds: float) -> "subprocess.Popen[str]":
    """Start a call that waits."""
    return subprocess.Popen(
        [sys.executable, "-m", "cortex_policy", "check", "git", "tree", "--wait", str(seconds)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(waiter: "subprocess.Popen[str]") -> int:
    """Return the exit code of a call that ends by itself."""
    waiter.communicate(timeout=50)
    return waiter.returncode


def left(ledger: Ledger) -> Budget:
    """Return what is left."""
    return ledger.peek("git-map", "tree", WAITERS)


def test_none_of_eight_waiters_starves(full: Ledger) -> None:
    """Eight slots free one by one, and each of eight gets one of them."""
    waiters = [waiting(50) for _ in range(WAITERS)]
    assert [ended(waiter) for waiter in waiters] == [0] * WAITERS
    assert left(full).used == WAITERS


def test_a_waiter_that_is_killed_takes_nothing(full: Ledger) -> None:
    """Three of eight are killed while they wait: five hits are counted."""
    waiters = [waiting(50) for _ in range(WAITERS)]
    time.sleep(1)
    for waiter in waiters[:3]:
        waiter.kill()
    assert [ended(waiter) for waiter in waiters] == [-9] * 3 + [0] * 5
    wait_until(lambda: left(full).used == 5, "the last of the old hits leaves no window of five")


def test_a_wait_that_is_too_short_says_how_long_it_would_take(full: Ledger) -> None:
    """Nothing is consumed, and the answer is the denial."""
    waiter = waiting(0.2)
    _, said = waiter.communicate(timeout=50)
    assert waiter.returncode == 14
    assert "a call fits in" in said
    assert left(full).used == WAITERS


def test_every_rule_is_decided_again_after_a_sleep(root: Path, full: Ledger) -> None:
    """An action that is revoked meanwhile is denied, whatever frees."""
    waiter = waiting(50)
    time.sleep(1)
    grant = root / ".cortex" / "policy" / "tools" / "git.json"
    new = grant.with_name("new")
    new.write_text(grant.read_text().replace('"tree"', '"trees"'))
    os.rename(new, grant)
    assert ended(waiter) == 10
    assert left(full).used <= WAITERS
