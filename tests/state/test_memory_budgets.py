"""Budgets inside one process: exact from any number of threads, as large as their busiest minute, freed when idle."""

import sys
from pathlib import Path
from threading import Barrier, Thread

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import StateError, UsageError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.state import memory_budgets
from cortex_policy.state.ledger_ring import TICK_BITS, WINDOW_TICKS
from cortex_policy.state.memory_budgets import MemoryBudgets


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stop the time; its one element is the tick."""
    ticks = [50_000_000]
    monkeypatch.setattr(memory_budgets, "clock_gettime_ns", lambda _: ticks[0] << TICK_BITS)
    return ticks


def test_eight_threads_admit_exactly_the_limit() -> None:
    """On one key and on many, however often they are switched."""
    budgets, admitted, start = MemoryBudgets(), [], Barrier(8)

    def work() -> None:
        start.wait()
        admitted.extend(turn % 3 for turn in range(600) if budgets.hit("t", str(turn % 3), 100))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert [admitted.count(key) for key in range(3)] == [100] * 3


def test_a_budget_is_named_by_the_text_of_tool_and_action() -> None:
    """As in files: two pairs that read the same when they are joined share one."""
    budgets = MemoryBudgets()
    assert budgets.hit("a:b", "c", 2)
    assert budgets.take("a", "b:c", 2).consumed == 1
    assert not budgets.hit("a:b", "c", 2)
    assert budgets.peek("a", "b:c", 2).used == 2


def test_a_ring_is_as_long_as_its_busiest_minute(clock: list[int]) -> None:
    """A limit of a million costs nothing until it is used, and is freed when idle."""
    budgets = MemoryBudgets()
    assert budgets.hit("t", "a", 1_000_000)
    assert len(budgets._rings["t:a"].ticks) < 100  # noqa: SLF001 - what it holds is the point
    assert budgets.take("t", "a", 1_000_000, 5000).consumed == 5000
    assert budgets.peek("t", "a", 1_000_000).used == 5001
    clock[0] += WINDOW_TICKS
    assert budgets.hit("t", "b", 1)
    assert list(budgets._rings) == ["t:b"]  # noqa: SLF001


def test_a_swept_key_starts_empty_for_a_thread_that_still_has_its_ring(clock: list[int]) -> None:
    """A hit that found its ring before the sweep does not count in it afterwards."""
    budgets = MemoryBudgets()
    budgets.hit("t", "a", 1)
    ring = budgets._rings["t:a"]  # noqa: SLF001 - as a thread does that was stopped in a hit
    clock[0] += WINDOW_TICKS
    budgets.hit("t", "b", 1)

    class Stale(dict[tuple[str, str], object]):
        """What a thread sees that looked before the sweep."""

        looks = 0

        def get(self, key: tuple[str, str], default: object = None) -> object:
            self.looks += 1
            return ring if self.looks == 1 else super().get(key, default)

    budgets._rings = Stale(budgets._rings)  # type: ignore[assignment] # noqa: SLF001
    assert [budgets.hit("t", "a", 1) for _ in range(2)] == [True, False]


def test_a_hit_leaves_after_exactly_a_window(clock: list[int]) -> None:
    """Not a tick earlier, and not a tick later, on the short way too."""
    budgets = MemoryBudgets()
    budgets.hit("t", "b", 1)
    clock[0] += 10
    assert budgets.hit("t", "a", 1)
    clock[0] += WINDOW_TICKS - 1
    assert not budgets.hit("t", "a", 1)
    clock[0] += 1
    assert budgets.hit("t", "a", 1)


@pytest.mark.parametrize("cost", [0, -1])
def test_a_cost_below_one_is_refused(cost: int) -> None:
    """By every question."""
    budgets = MemoryBudgets()
    for ask in (budgets.hit, budgets.take, budgets.peek):
        with pytest.raises(UsageError):
            ask("t", "a", 30, cost)


def test_a_cost_above_the_limit_never_fits() -> None:
    """Nor does a limit below one admit anything."""
    budgets = MemoryBudgets()
    assert not budgets.hit("t", "a", 30, 31)
    assert not budgets.hit("t", "a", 0)
    assert budgets.take("t", "a", 30, 31).retry_after_seconds is None
    budgets.hit("t", "a", 1)
    assert not budgets.hit("t", "a", 0)


def test_a_cost_that_would_take_all_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller names the cost; what was counted before still counts."""
    budgets = MemoryBudgets()
    with pytest.raises(StateError, match="16,777,216"):
        budgets.take("t", "a", 1 << 40, 1 << 39)
    monkeypatch.setattr(memory_budgets, "MAX_HITS", 64)
    assert sum(budgets.hit("t", "a", 1 << 40) for _ in range(64)) == 64
    with pytest.raises(StateError):
        budgets.hit("t", "a", 1 << 40)
    assert budgets.peek("t", "a", 65).remaining == 1


@pytest.mark.usefixtures("root")
def test_a_grant_is_enforced_without_a_file(state: Path) -> None:
    """The same rules and the same sentence, and the state directory stays empty."""
    grant, budgets = load_grant("git"), MemoryBudgets()
    for _ in range(30):
        enforce(grant, "tree", {"path": "docs/x"}, budgets=budgets)
    with pytest.raises(AccessDenied, match="rate limit exceeded: 30 of 30 used"):
        enforce(grant, "tree", {"path": "docs/x"}, budgets=budgets)
    assert list(state.iterdir()) == []
