"""Files kept open and mapped: whatever happens to them, no hit is counted where nobody looks."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread
from types import FrameType

import pytest

from cortex_policy.core.model import StateError
from cortex_policy.state import CLOCK, file_budgets, ledger, ledger_maintenance, ledger_ring, mapped_file, read_boot_id
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.ledger_ring import BudgetFileKey
from cortex_policy.state.settings import find_state_directory
from tests.support.damage import flip_byte

ROOT = (1, 2)


@pytest.fixture
def budgets(state: Path) -> FileBudgets:
    """Make the budgets of some root, one file already mapped."""
    assert state.is_dir()
    budgets = FileBudgets(ROOT)
    assert budgets.hit("t", "a", 10)
    return budgets


@pytest.fixture
def directory() -> Iterator[int]:
    """Open the directory of the files."""
    descriptor = ledger.open_or_make_budget_directory(ROOT, read_boot_id(), find_state_directory())
    yield descriptor
    os.close(descriptor)


def name(action: str) -> str:
    """Return the name of a file."""
    return BudgetFileKey(read_boot_id(), "t", action).name


def test_mapped_and_unmapped_hits_are_one_budget(budgets: FileBudgets) -> None:
    """Ten are ten, however they are asked for."""
    others = [Ledger(ROOT, find_state_directory()), FileBudgets(ROOT)]
    assert others[0].take("t", "a", 10, 3).consumed == 3
    assert sum(asker.hit("t", "a", 10) for asker in [budgets, others[1]] * 5) == 6  # type: ignore[attr-defined, union-attr]
    assert budgets.peek("t", "a", 10).remaining == 0


def test_threads_do_not_share_a_lock(budgets: FileBudgets) -> None:
    """Each has descriptors of its own: four threads admit exactly the limit."""
    admitted: list[int] = []

    def work() -> None:
        admitted.append(sum(budgets.hit("t", "b", 500) for _ in range(400)))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 500


def test_a_thread_that_ends_leaves_no_descriptor_open(budgets: FileBudgets) -> None:
    """Its files are closed with it."""
    before = set(os.listdir("/proc/self/fd"))
    thread = Thread(target=lambda: budgets.hit("t", "a", 10))
    thread.start()
    thread.join()
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_fork_does_not_share_a_lock(budgets: FileBudgets) -> None:
    """Parent and child open their own descriptors, and ten are ten."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        admitted = 255
        with suppress(BaseException):
            admitted = sum(budgets.hit("t", "c", 200) for _ in range(150))
        os.write(theirs, bytes([admitted]))
        os._exit(0)
    admitted = sum(budgets.hit("t", "c", 200) for _ in range(150))
    os.waitpid(child, 0)
    assert admitted + os.read(ours, 1)[0] == 200
    os.close(ours)
    os.close(theirs)


def test_a_handle_of_a_dropped_file_opens_the_new_one(budgets: FileBudgets, directory: int) -> None:
    """Neither the dropper nor the one who has it mapped counts in a file that is gone."""
    assert ledger_maintenance.remove_budget(directory, name("a"))
    other = FileBudgets(ROOT)
    assert sum(asker.hit("t", "a", 10) for asker in [other, budgets] * 10) == 10


def test_a_handle_of_a_replaced_file_opens_the_new_one(budgets: FileBudgets) -> None:
    """A higher limit asked by another process makes a longer file; no hit is lost."""
    other = FileBudgets(ROOT)
    assert other.hit("t", "a", 5000)
    assert sum(asker.hit("t", "a", 10) for asker in [budgets, other] * 10) == 8


@pytest.mark.parametrize("used", [1, 10], ids=["room left", "full"])
def test_a_file_that_was_renamed_away_is_noticed_within_a_second(
    budgets: FileBudgets, state: Path, monkeypatch: pytest.MonkeyPatch, used: int
) -> None:
    """Not even a purge by hand leaves two budgets, or an old denial, for longer."""
    while Ledger(ROOT, find_state_directory()).peek("t", "a", 10).used < used:
        assert budgets.hit("t", "a", 10)
    assert budgets.hit("t", "a", 10) == (used < 10)
    (below,) = [path for path in state.iterdir() if path.is_dir()]
    below.rename(state / "away")
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 10, 9).consumed == 9
    now = mapped_file.clock_gettime_ns(mapped_file.CLOCK)
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda _: now + 1_100_000_000)
    assert budgets.hit("t", "a", 10)
    assert not budgets.hit("t", "a", 10)


def test_damage_to_a_mapped_file_is_noticed(budgets: FileBudgets, state: Path) -> None:
    """The call that notices answers 24; later ones are limited, mapped or not."""
    assert budgets.hit("t", "a", 10)
    (file,) = state.rglob(name("a"))
    flip_byte(file, 56)
    with pytest.raises(StateError, match="damaged"):
        budgets.hit("t", "a", 10)
    assert not budgets.hit("t", "a", 10)
    assert FileBudgets(ROOT).peek("t", "a", 10).closed


def test_the_number_of_open_files_is_bounded(budgets: FileBudgets) -> None:
    """Many keys are counted exactly with few descriptors."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        assert all(budgets.hit("t", str(key), 2) for key in range(file_budgets.MAX_OPEN + 20))
    assert not any(budgets.hit("t", str(key), 2) for key in range(file_budgets.MAX_OPEN + 20))
    assert len(os.listdir("/proc/self/fd")) <= before + 2 * file_budgets.MAX_OPEN


def test_a_limit_below_one_admits_nothing(budgets: FileBudgets) -> None:
    """Whatever is mapped."""
    assert not budgets.hit("t", "a", 0)
    assert not budgets.hit("t", "a", -5)
    assert not budgets.hit("t", "a", 10, 11)


# one that falls into `__del__` of a mapped file cannot be raised to anybody
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_signals_that_interrupt_hits_cost_no_exactness(budgets: FileBudgets) -> None:
    """An exception raised at any instant of a hit leaves the handle usable and the count exact."""
    admitted = raised = 0

    def interrupt(_: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_filename.startswith(str(Path(file_budgets.__file__).parent)):
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
    try:
        for _ in range(20_000):
            try:
                admitted += budgets.hit("t", "d", 5000)
            except KeyboardInterrupt:
                raised += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert raised
    assert 5000 - raised <= admitted <= 5000
    assert budgets.peek("t", "d", 5000).used == 5000


def test_a_signal_handler_gets_no_answer_in_the_middle_of_a_hit(
    budgets: FileBudgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handler waits for the lock that the hit holds, gets 24, and the count stays exact."""
    said = list[str]()

    def interrupted(_: int) -> int:
        if not said:
            said.append("")
            with pytest.raises(StateError, match="another process holds it"):
                budgets.hit("t", "a", 10)
        return time.clock_gettime_ns(CLOCK)

    monkeypatch.setattr(mapped_file, "clock_gettime_ns", interrupted)
    assert budgets.hit("t", "a", 10)
    assert said
    assert budgets.peek("t", "a", 10).used == 2


@pytest.mark.parametrize("kind", [KeyError, ValueError, StopIteration])
def test_an_exception_of_a_signal_handler_reaches_the_caller(
    budgets: FileBudgets, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """Whatever it is; it is not taken for a file that must be opened again, and the next hit counts on."""

    def raised(_: int) -> int:
        raise kind

    with monkeypatch.context() as patched:
        patched.setattr(mapped_file, "clock_gettime_ns", raised)
        with pytest.raises(RuntimeError if kind is StopIteration else kind):
            budgets.hit("t", "a", 10)
    assert [budgets.hit("t", "a", 3) for _ in range(3)] == [True, True, False]


def test_a_word_with_all_bits_set_is_not_a_head(budgets: FileBudgets, state: Path) -> None:
    """A file just mapped has no head that such a word could be taken for."""
    assert budgets.hit("t", "a", 10)
    (file,) = state.rglob(name("a"))
    asked = FileBudgets(ROOT)
    assert asked.hit("t", "a", 10)
    with file.open("r+b") as damaged:
        damaged.seek(56)
        damaged.write(b"\xff" * 8)
    with pytest.raises(StateError, match="damaged"):
        asked.hit("t", "a", 10)


def test_a_limit_of_zero_is_checked_before_the_first_hit(budgets: FileBudgets) -> None:
    """A limit is judged before the first hit, too."""
    assert budgets
    for limit in (0, -1, 10**30):
        asked = FileBudgets(ROOT)
        assert asked.hit("t", "a", 10)
        assert asked.hit("t", "a", limit) == (limit > 0)


def test_a_thread_that_asks_in_the_middle_of_a_hit_of_another_has_a_file_of_its_own(
    budgets: FileBudgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the lock as another process would, and closes its file when it ends."""
    entered, admitted = Event(), list[bool]()

    def slow(which: int) -> int:
        if current_thread() is main_thread():
            entered.set()
            time.sleep(0.05)
        return time.clock_gettime_ns(which)

    def work() -> None:
        entered.wait()
        admitted.extend(budgets.hit("t", "a", 3) for _ in range(3))

    before = set(os.listdir("/proc/self/fd"))
    thread = Thread(target=work)
    thread.start()
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", slow)
    admitted.append(budgets.hit("t", "a", 3))
    thread.join()
    assert sum(admitted) == 2
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("limits", [(5,), (5, 3), (3, 5)])
def test_a_denial_from_memory_equals_that_of_any_process(limits: tuple[int, ...]) -> None:
    """Where it can be told from memory alone; used, remaining and the wait are those of the file."""
    budgets, file = FileBudgets(ROOT), Ledger(ROOT, find_state_directory())
    told = 0
    for limit in limits:
        for _ in range(12):
            assert budgets.denial("t", "a", limit) is None or not budgets.hit("t", "a", limit)
            if not budgets.hit("t", "a", limit):
                said = budgets.denial("t", "a", limit)
                if said is not None:
                    told += 1
                    asked = file.peek("t", "a", limit)
                    assert said._fields()[:3] == asked._fields()[:3]
                    assert asked.retry_after_seconds is not None
                    assert said.retry_after_seconds == pytest.approx(asked.retry_after_seconds, abs=5)
    assert told
    assert budgets.denial("t", "other", 1) is None


def test_slots_of_several_hits_answer_as_those_of_one_process_do(
    budgets: FileBudgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the largest exact limit a mapped hit is what `take` would be, whatever the limit becomes: never one more."""
    for module in (ledger_ring, mapped_file):
        monkeypatch.setattr(module, "EXACT_LIMIT", 20)
        monkeypatch.setattr(module, "COARSE_SLOTS", 8)
    now = time.clock_gettime_ns(CLOCK)
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda _: now)
    monkeypatch.setattr(ledger_ring, "read_ticks_since_boot", lambda: now >> ledger_ring.TICK_BITS)
    monkeypatch.setattr(mapped_file, "read_ticks_since_boot", lambda: now >> ledger_ring.TICK_BITS)
    chance, other, admitted = random.Random(3), Ledger((3, 4), find_state_directory()), list[int]()  # noqa: S311
    for number in range(6000):
        now += chance.choice((1_000_000, 50_000_000, 400_000_000))
        limit = (100, 100, 100, 400, 25, 19)[number // 1000]
        said = budgets.hit("t", "coarse", limit)
        assert said == (other.take("t", "coarse", limit).consumed == 1), number
        if said:
            admitted.append(now)
            assert sum(at > now - 60_000_000_000 for at in admitted) <= limit
    assert len(admitted) > 500


def test_hits_of_all_who_ask_are_those_of_an_exact_log(budgets: FileBudgets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looked ahead how many hits fit, and whatever limit each asks."""
    now = time.clock_gettime_ns(CLOCK)
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda _: now)
    for module in (ledger_ring, mapped_file):
        monkeypatch.setattr(module, "read_ticks_since_boot", lambda: now >> ledger_ring.TICK_BITS)
    chance, file, log, admitted = random.Random(14), Ledger(ROOT, find_state_directory()), list[int](), 0  # noqa: S311
    askers = [budgets.hit, FileBudgets(ROOT).hit, lambda *asked: file.take(*asked).consumed == 1]
    for number in range(12_000):
        now += chance.choice((1_000_003, 30_000_001, 300_000_007)) * (number % 3000 < 2900 or 70)
        limit = chance.choice((200, 200, 200, 65, 64, 3, 1)) if number % 1000 < 300 else 200
        log = [at for at in log if at > now - 60_000_016_384]  # a hit frees some microseconds late
        said = chance.choice(askers[: 1 + number // 500 % 3])("t", "log", limit)
        if said:
            assert sum(at > now - 60_000_000_000 for at in log) < limit, number
            log.append(now)
            admitted += 1
        else:
            assert len(log) >= limit, number
    assert admitted > 3000


def test_a_head_that_went_back_by_whole_turns_lets_no_more_hits_pass(
    budgets: FileBudgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a mapped file said of hits ahead was of the head before."""
    clock, limit = time.clock_gettime_ns(CLOCK), 30
    now = clock - 300_000_000_000
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda _: now)
    for module in (ledger_ring, mapped_file):
        monkeypatch.setattr(module, "read_ticks_since_boot", lambda: now >> ledger_ring.TICK_BITS)
    for cost in (30, 30, 30, 30, 17):
        assert budgets.take("t", "turns", limit, cost).consumed == cost
        now += 60_100_000_000
    assert [budgets.hit("t", "turns", limit) for _ in range(2)] == [True, True]
    monkeypatch.setattr(ledger_ring, "MAX_HEAD", 140)
    assert budgets.take("t", "turns", limit).consumed == 1
    assert sum(budgets.hit("t", "turns", limit) for _ in range(100)) == limit - 3


def test_a_denial_of_coarse_slots_is_answered_from_memory(budgets: FileBudgets) -> None:
    """As fast as one of exact slots, and with the same words."""
    limit = 3_000_000
    assert budgets.take("t", "many", limit, limit).consumed == limit
    assert not budgets.hit("t", "many", limit)
    assert not budgets.hit("t", "many", limit)
    told, asked = budgets.denial("t", "many", limit), budgets.peek("t", "many", limit)
    assert told is not None
    assert (told.limit, told.remaining, told.consumed) == (asked.limit, asked.remaining, asked.consumed)
    assert told.retry_after_seconds is not None
    assert asked.retry_after_seconds is not None
    assert 0 < told.retry_after_seconds - asked.retry_after_seconds < 1


def test_a_limit_of_another_type_is_taken_by_its_value(budgets: FileBudgets) -> None:
    """Whatever it says of itself: it is taken by its value."""

    class Never(int):
        def __eq__(self, _: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

        def __lt__(self, _: object) -> bool:
            return True

    for _ in range(20):
        budgets.hit("t", "never", Never(2), Never(1))
        budgets.hit("t", "never", 2, Never(1))
    assert budgets.peek("t", "never", 2).used == 2
    assert not budgets.hit("t", "never", Never(2), Never(1))
    assert not budgets.hit("t", "other", 5, Never(6))


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stop the clock of all budgets; return a list of its one tick, which a test moves."""
    now = [ledger_ring.read_ticks_since_boot()]
    monkeypatch.setattr(ledger_ring, "read_ticks_since_boot", lambda: now[0])
    monkeypatch.setattr(mapped_file, "read_ticks_since_boot", lambda: now[0])
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda _: now[0] << ledger_ring.TICK_BITS)
    return now


@pytest.mark.parametrize("seed", range(20))
def test_the_budget_after_a_hit_equals_that_of_the_file(
    seed: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the limit changes, others hit, and hits leave the window."""
    assert state.is_dir()
    draw, now = random.Random(seed), stop_clock(monkeypatch)  # noqa: S311 - no secret
    mine, other = FileBudgets(ROOT), Ledger(ROOT, find_state_directory())
    limits = [draw.choice((1, 3, 10, 100, 5_000_000))] * 20 + [2, 50, 7, 300]
    taken = 0
    for _ in range(150):
        limit = draw.choice(limits)
        now[0] += draw.choice((0, 1, 1000, ledger_ring.WINDOW_TICKS // 50, ledger_ring.WINDOW_TICKS // 3))
        other.take("t", "a", limit, draw.choice((1, 1, 5)))
        if mine.hit("t", "a", limit):
            said = other.peek("t", "a", limit)
            assert mine.peek_usage_after_hit("t", "a", limit) == (said.used, said.retry_after_seconds)
            taken += 1
    assert taken


@pytest.mark.parametrize("seed", range(20))
def test_what_is_used_equals_that_of_the_file(seed: int, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first hit, however the limit changes, others hit, and hits leave the window."""
    assert state.is_dir()
    draw, now = random.Random(seed), stop_clock(monkeypatch)  # noqa: S311 - no secret
    mine, other = FileBudgets(ROOT), Ledger(ROOT, find_state_directory())
    limits = [draw.choice((1, 3, 10, 100, 5_000_000))] * 20 + [2, 50, 7, 300]
    for _ in range(150):
        limit = draw.choice(limits)
        said = other.peek("t", "a", limit)
        assert mine.peek_usage("t", "a", limit) == (said.used, said.retry_after_seconds)
        now[0] += draw.choice((0, 1, 1000, ledger_ring.WINDOW_TICKS // 50, ledger_ring.WINDOW_TICKS // 3))
        if draw.random() < 0.5:
            draw.choice((other.take, mine.take))("t", "a", limit, draw.choice((1, 1, 5)))
        elif draw.random() < 0.5:
            mine.hit("t", "a", limit)


def test_the_first_hit_of_another_is_seen_at_once(state: Path) -> None:
    """Also while it is remembered that there was no file, and after a purge."""
    mine, other = FileBudgets(ROOT), Ledger(ROOT, find_state_directory())
    assert [mine.peek_usage("t", "b", 10) for _ in range(3)] == [(0, 0.0)] * 3
    other.take("t", "b", 10)
    assert mine.peek_usage("t", "b", 10)[0] == 1
    other.take("t", "b", 10, 9)
    assert mine.peek_usage("t", "b", 10)[0] == 10
    assert state.is_dir()


def test_a_purge_is_noticed_by_who_only_asks(
    budgets: FileBudgets, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a second."""
    assert budgets.peek_usage("t", "a", 10)[0] == 1
    (below,) = [path for path in state.iterdir() if path.is_dir()]
    below.rename(state / "away")
    now = mapped_file.clock_gettime_ns(mapped_file.CLOCK)
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda _: now + 1_100_000_000)
    assert budgets.peek_usage("t", "a", 10) == (0, 0.0)
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 10, 4).consumed == 4
    assert budgets.peek_usage("t", "a", 10)[0] == 4


def test_an_unusable_state_directory_is_an_error_of_a_question(budgets: FileBudgets, state: Path) -> None:
    """At once where no file is kept open."""
    state.chmod(0o777)
    with pytest.raises(StateError):
        budgets.peek_usage("t", "other", 10)
    state.chmod(0o700)
    assert budgets.peek_usage("t", "other", 10) == (0, 0.0)
