"""The window is 60 seconds to the tick, and a file is of one boot, one clock and one key."""

from collections.abc import Callable

import pytest

from cortex_policy.state import ledger_ring, mapped_file, memory_budgets
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.ledger_ring import TICK_BITS, BudgetFileKey
from cortex_policy.state.memory_budgets import MemoryBudgets
from cortex_policy.state.settings import find_state_directory

TICK_NS, MINUTE_NS = 1 << TICK_BITS, 60_000_000_000
Budgets = Ledger | MemoryBudgets
MAKERS: dict[str, Callable[[], Budgets]] = {
    "ledger": lambda: Ledger((1, 2), find_state_directory()),
    "files": lambda: FileBudgets((1, 2)),
    "memory": MemoryBudgets,
}


def hit(budgets: Budgets) -> bool:
    """Ask for the only hit of a minute, in the shortest way that there is."""
    if isinstance(budgets, FileBudgets | MemoryBudgets):
        return budgets.hit("t", "a", 1)
    return budgets.take("t", "a", 1).consumed == 1


@pytest.mark.parametrize("phase", [0, 1, TICK_NS // 2, TICK_NS - 1])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_hit_counts_for_60_seconds_wherever_in_its_tick_it_was_taken(
    make: Callable[[], Budgets], phase: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a nanosecond less, and at most two ticks more."""
    start = (50_000_000 << TICK_BITS) + phase
    now = [start]
    for module in (ledger_ring.time, mapped_file, memory_budgets):
        monkeypatch.setattr(module, "clock_gettime_ns", lambda _: now[0])
    budgets = make()
    assert hit(budgets)
    for age, is_free in ((0, False), (MINUTE_NS // 2, False), (MINUTE_NS - 1, False), (MINUTE_NS + 2 * TICK_NS, True)):
        now[0] = start + age
        assert hit(budgets) == is_free, age


def test_each_boot_has_other_files_with_another_seal() -> None:
    """What an earlier boot left counts nothing, even if its directory is found again."""
    one, other = BudgetFileKey(b"one boot", "t", "a"), BudgetFileKey(b"another boot", "t", "a")
    assert one.name != other.name
    assert one.identity != other.identity


def test_each_time_namespace_has_another_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock since boot is another: a container's hits are no hits of its host, and the file is found damaged."""
    one = BudgetFileKey(b"boot", "t", "a")
    monkeypatch.setattr(ledger_ring, "read_time_namespace_id", lambda: 1)
    other = BudgetFileKey(b"boot", "t", "a")
    assert one.name == other.name
    assert one.identity != other.identity
