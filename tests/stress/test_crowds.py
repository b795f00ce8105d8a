"""Many at once: exactly the limit."""

import os
import threading
from pathlib import Path

import pytest
from evidence import Event, violations
from processes import ended, start
from run import stress

from cortex_policy.state import ledger_ring as rings
from cortex_policy.state import mapped_file
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.memory_budgets import MemoryBudgets
from cortex_policy.state.settings import find_state_directory

ROOT = (1, 2)
# a fork in the middle of threads is what some of these are about; Python 3.12 and later warn of it
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def admitted(work: list[object], report: Path) -> int:
    """Run writers as processes and add up what they admitted."""
    pids = []
    for index, way in enumerate(work):
        file = report / str(index)
        pids.append(start(lambda way=way, file=file: file.write_text(str(way()))))  # type: ignore[operator]
    assert [ended(pid) for pid in pids] == [0] * len(pids)
    return sum(int((report / str(index)).read_text()) for index in range(len(work)))


@pytest.mark.forks
@pytest.mark.parametrize("cost", [1, 7])
def test_eight_writers_by_both_ways_admit_exactly_the_limit(tmp_path: Path, cost: int) -> None:
    """On one key, with whole costs."""

    def shots() -> int:
        return sum(Ledger(ROOT, find_state_directory()).take("t", "a", 210, cost).consumed for _ in range(300))

    def hits() -> int:
        service = FileBudgets(ROOT)
        return sum(cost for _ in range(300) if service.hit("t", "a", 210, cost))

    assert admitted([shots, hits] * 4, tmp_path) == 210
    assert Ledger(ROOT, find_state_directory()).peek("t", "a", 210).used == 210


@pytest.mark.forks
def test_eight_writers_on_many_keys_admit_exactly_the_limits(tmp_path: Path) -> None:
    """Whoever comes first makes the file."""

    def hits() -> int:
        service = FileBudgets(ROOT)
        return sum(service.hit(f"t{index % 40}", "a", 10) for index in range(1200))

    assert admitted([hits] * 8, tmp_path) == 400


def test_two_threads_of_one_process_admit_exactly_the_limit() -> None:
    """Each has its own lock, though they share the process."""
    service, taken = FileBudgets(ROOT), []

    def work() -> None:
        taken.append(sum(service.hit("t", "a", 500) for _ in range(2000)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(taken) == 500


@pytest.mark.parametrize("limit", [1, 16, 1000])
def test_eight_threads_in_memory_admit_exactly_the_limit(limit: int) -> None:
    """By hit, by take and with costs, on keys that are new and on one that is not."""
    budgets, taken = MemoryBudgets(), [0] * 8

    def work(mine: int) -> None:
        for turn in range(1500):
            for tool in ("t", f"t{turn % 7}"):
                taken[mine] += budgets.hit(tool, "a", limit)
                taken[mine] += budgets.take(tool, "b", limit, min(limit, 3)).consumed

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    by_threes = limit // min(limit, 3) * min(limit, 3)
    assert sum(taken) == 8 * (limit + by_threes)


def test_a_fork_in_the_middle_of_hits_admits_exactly_the_limit(tmp_path: Path) -> None:
    """Parent and child go on with the files that were mapped, while another thread is in the middle of its hits."""
    service, stop = FileBudgets(ROOT), threading.Event()
    taken = [0, 0]

    def beside() -> None:
        while not stop.is_set():
            taken[0] += service.hit("t", "a", 4000)

    def child() -> int:
        return sum(service.hit("t", "a", 4000) for _ in range(200))

    thread = threading.Thread(target=beside)
    thread.start()
    for turn in range(8):
        place = tmp_path / str(turn)
        place.mkdir()
        taken[1] += admitted([child, child], place)
    stop.set()
    thread.join(30)
    taken[1] += sum(service.hit("t", "a", 4000) for _ in range(4100))
    assert sum(taken) == 4000


def test_the_checker_of_evidence_sees_one_too_many() -> None:
    """In a window that spans two bursts, with a limit of one's own, and not where a drop was or nobody can know."""
    second = 1_000_000_000

    def hits(*at: float, limit: int = 2, group: int = 0) -> list[Event]:
        return [Event(group, 0, int(when * second), int(when * second) + 1000, 1, limit) for when in at]

    assert violations(hits(0, 59, 60.1, 119.5)) == []
    assert violations(hits(0, 1, 59)) != []
    assert violations(hits(0, 59, 60.1, 118)) != []
    assert violations(hits(0, 1, limit=30) + hits(2, limit=2)) != []
    assert violations([*hits(0, 1, 59), Event(0, 0, 5 * second, 6 * second, 0, 0)]) == []
    assert violations([*hits(0, 1), Event(0, 0, 2 * second, 70 * second, 1, 2)]) == []


@pytest.mark.parametrize(
    ("speed", "seconds"), [(100, 2), *(pytest.param(speed, 6, marks=pytest.mark.storm) for speed in (1, 100))]
)
def test_a_short_stress_admits_nothing_over_the_limit(
    capfd: pytest.CaptureFixture[str], speed: int, seconds: int
) -> None:
    """The run that is made by hand for ten minutes, for seconds; once with windows that are short too."""
    environment, clocks = (
        dict(os.environ),
        (rings.read_ticks_since_boot, mapped_file.read_ticks_since_boot, mapped_file.clock_gettime_ns),
    )
    try:
        numbers, wrong = stress(seconds, seed=3, speed=speed, kills=4)
    finally:
        rings.read_ticks_since_boot, mapped_file.read_ticks_since_boot, mapped_file.clock_gettime_ns = clocks
        os.environ.clear()
        os.environ.update(environment)
    assert wrong == []
    assert numbers["kill -9"] > 3
    assert numbers["admitted"] > 100
    assert "Traceback" not in capfd.readouterr().err
