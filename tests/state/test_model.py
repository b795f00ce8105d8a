"""Every way to a budget agrees with a list of times, whatever happens between the hits."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cortex_policy.state import ledger, ledger_maintenance, ledger_ring, mapped_file, memory_budgets, read_boot_id
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.ledger_ring import TICK_BITS, WINDOW_TICKS
from cortex_policy.state.memory_budgets import MemoryBudgets
from cortex_policy.state.settings import find_state_directory
from tests.support.chance import inputs

LIMITS = st.sampled_from([1, 2, 2, 3, 3, 10, 17, 30, 33, 62, 63, 64, 500])
COSTS = st.sampled_from([1, 1, 1, 2, 7, 30, 40])
PAUSES = st.one_of(
    st.integers(0, 5), st.sampled_from([WINDOW_TICKS // 3, WINDOW_TICKS - 1, WINDOW_TICKS, 3 * WINDOW_TICKS])
)
KEYS = st.sampled_from(["tree", "search"])
TOOL = "git-map"  # two grants may share it: then only their limits differ


class Log:
    """The model: the times of all hits."""

    def __init__(self) -> None:
        self.times: list[int] = []

    def inside(self, now: int) -> int:
        return sum(at > now - WINDOW_TICKS for at in self.times)

    def admits(self, now: int, limit: int, cost: int) -> bool:
        fits = self.inside(now) + cost <= limit
        self.times += [now] * (cost if fits else 0)
        return fits


def admitted(asker: "Ledger | MemoryBudgets", action: str, limit: int, cost: int = 1) -> bool:
    """Ask for hits in the shortest way that this asker has."""
    if isinstance(asker, FileBudgets | MemoryBudgets):
        return asker.hit(TOOL, action, limit, cost)
    return asker.take(TOOL, action, limit, cost).consumed == cost


class Budgets(RuleBasedStateMachine):
    """Hits, costs, edited limits and pauses, answered by several askers in turn."""

    def __init__(self) -> None:
        """Stop the time, and begin with nothing used."""
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.now = 50_000_000
        for module in (rings.time, mapped_file, memory_budgets):
            self.patches.setattr(module, "clock_gettime_ns", lambda _: self.now << TICK_BITS)
        self.logs = {"tree": Log(), "search": Log()}
        self.askers: list[Ledger | MemoryBudgets] = []

    def teardown(self) -> None:
        """Give the time back."""
        self.patches.undo()

    def drawn(self, data: st.DataObject) -> "Ledger | MemoryBudgets":
        """Choose an asker by its number: a strategy that is made of askers would keep their files open."""
        return self.askers[data.draw(st.integers(0, len(self.askers) - 1))]

    @rule(pause=PAUSES)
    def pause(self, pause: int) -> None:
        """Let time pass."""
        self.now += pause

    @rule(data=st.data(), key=KEYS, limit=LIMITS, cost=COSTS, say=st.booleans())
    def ask(self, data: st.DataObject, key: str, limit: int, cost: int, *, say: bool) -> None:
        """Any asker admits what the list admits, by `hit` or by `take`."""
        asker = self.drawn(data)
        expected = self.logs[key].admits(self.now, limit, cost)
        if say:
            got = asker.take(TOOL, key, limit, cost)
            assert (got.consumed == cost) == expected
            assert cost > limit or got.used == self.logs[key].inside(self.now)
        else:
            assert admitted(asker, key, limit, cost) == expected

    @rule(data=st.data(), key=KEYS, limit=LIMITS, calls=st.sampled_from([2, 3, 4, 70]))
    def burst(self, data: st.DataObject, key: str, limit: int, calls: int) -> None:
        """Let two askers hit in turn, the second as soon as the first."""
        pair = self.drawn(data), self.drawn(data)
        for call in range(calls):
            asker = pair[call % 2]
            assert admitted(asker, key, limit) == self.logs[key].admits(self.now, limit, 1)

    @rule(data=st.data(), key=KEYS, limit=LIMITS, cost=COSTS)
    def look(self, data: st.DataObject, key: str, limit: int, cost: int) -> None:
        """Say what is used and how long to wait, and take nothing."""
        got = self.drawn(data).peek(TOOL, key, limit, cost)
        log = self.logs[key]
        if cost > limit:
            assert got.retry_after_seconds is None
        else:
            assert (got.used, got.consumed) == (log.inside(self.now), 0)
            assert (got.retry_after_seconds == 0) == (log.inside(self.now) + cost <= limit)


class Files(Budgets):
    """Two mapped askers and a one-shot one share the files; files are swept, dropped and reopened."""

    @initialize()
    def start(self) -> None:
        """Begin in an empty state directory."""
        self.directory = tempfile.TemporaryDirectory()
        self.patches.setenv("CORTEX_POLICY_STATE_DIR", self.directory.name)
        self.askers = [FileBudgets((1, 2)), FileBudgets((1, 2)), Ledger((1, 2), find_state_directory())]

    def teardown(self) -> None:
        """Remove the files."""
        super().teardown()
        if self.askers:
            self.askers.clear()
            self.directory.cleanup()

    def in_state(self, work: Callable[[int], object]) -> None:
        """Do something in the directory of the files."""
        directory = ledger.open_or_make_budget_directory((1, 2), read_boot_id(), find_state_directory())
        try:
            work(directory)
        finally:
            os.close(directory)

    @rule()
    def sweep(self) -> None:
        """Remove what is idle, while others have it mapped."""
        self.in_state(lambda directory: ledger_maintenance.remove_idle_budgets(directory, self.now))

    @rule(key=KEYS)
    def drop(self, key: str) -> None:
        """Give a budget back, while others have it mapped."""
        self.in_state(
            lambda directory: ledger_maintenance.remove_budget(
                directory, rings.BudgetFileKey(read_boot_id(), TOOL, key).name
            )
        )
        self.logs[key] = Log()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        """Let a process end and another take its place."""
        self.askers[which] = FileBudgets((1, 2))

    @invariant()
    def no_more_files_than_keys(self) -> None:
        """Nothing is left behind beside the files of the keys and the note of the last sweep."""
        if self.askers:
            names = [path.name for path in Path(self.directory.name).rglob("*") if not path.is_dir()]
            assert len([name for name in names if name != ledger_ring.SWEEP_MARKER]) <= len(self.logs)


class Memory(Budgets):
    """The budgets of one process."""

    @initialize()
    def start(self) -> None:
        """Begin with nothing used."""
        self.askers = [MemoryBudgets()]


# a fifth of these without a storm: all of them take a minute
TestFiles = pytest.mark.chance(Files.TestCase)
TestFiles.settings = inputs(500, stateful_step_count=50)
TestMemory = pytest.mark.chance(Memory.TestCase)
TestMemory.settings = inputs(300, stateful_step_count=50)
