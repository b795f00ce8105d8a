"""Interleavings that opened a budget, ended in a traceback or hung; each is forced, not waited for."""

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import ALLOWED, UNKNOWN, answer, ended, in_child, start

from cortex_policy.core.model import StateError
from cortex_policy.state import (
    file_budgets,
    ledger,
    ledger_directory,
    ledger_maintenance,
    make_state_unavailable_error,
    mapped_file,
    read_boot_id,
)
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger, open_or_make_budget_directory
from cortex_policy.state.ledger_ring import WINDOW_TICKS, BudgetFileKey
from cortex_policy.state.memory_budgets import MemoryBudgets
from cortex_policy.state.settings import find_state_directory
from tests.support.damage import flip_byte

ROOT = (1, 2)
# a fork in the middle of threads is what some of these are about; Python 3.12 and later warn of it
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def place(state: Path) -> Path:
    """Return the one root's directory."""
    (directory,) = (path for path in state.iterdir() if path.is_dir())
    return directory


def file_of(state: Path, tool: str) -> Path:
    """Return where a tool's state file is."""
    return place(state) / BudgetFileKey(read_boot_id(), tool, "a").name


def sweep() -> None:
    """Sweep the root."""
    directory = open_or_make_budget_directory(ROOT, read_boot_id(), find_state_directory())
    try:
        ledger_maintenance.remove_idle_budgets(directory, rings.read_ticks_since_boot())
    finally:
        os.close(directory)


def drop(tool: str) -> None:
    """Drop a budget."""
    directory = open_or_make_budget_directory(ROOT, read_boot_id(), find_state_directory())
    ledger_maintenance.remove_budget(directory, BudgetFileKey(read_boot_id(), tool, "a").name)
    os.close(directory)


def hits(service: FileBudgets, tool: str, limit: int) -> int:
    """Count what a service still admits."""
    admitted = 0
    while service.hit(tool, "a", limit):
        admitted += 1
    return admitted


def test_a_sweep_drops_no_file_that_was_replaced_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opened the old file by name; meanwhile an edit replaced it, and a service still has it mapped."""
    service = FileBudgets(ROOT)
    assert service.hit("t", "a", 6)
    name, opened, lock = BudgetFileKey(read_boot_id(), "t", "a").name, os.open, fcntl.flock
    seen: list[int] = []

    def slow_open(path: Any, flags: int, *args: Any, **named: Any) -> int:
        descriptor = opened(path, flags, *args, **named)
        if path == name and not seen:
            seen.append(descriptor)
        return descriptor

    def edit(*_: object) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        monkeypatch.setattr(os, "open", opened)
        assert Ledger(ROOT, find_state_directory()).take("t", "a", 50).consumed == 1

    monkeypatch.setattr(os, "open", slow_open)
    monkeypatch.setattr(fcntl, "flock", lambda *args: (edit() if seen else None, lock(*args))[1])
    sweep()
    assert hits(service, "t", 6) == 4
    assert Ledger(ROOT, find_state_directory()).peek("t", "a", 6).used == 6


def test_damage_found_after_an_edit_closes_the_file_that_others_may_have_mapped(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged slot came along into the larger file; a service maps that one before it is replaced."""
    service = FileBudgets(ROOT)
    for _ in range(5):
        assert service.hit("t", "a", 6)
    flip_byte(file_of(state, "t"), 64 + 8 * 3)
    other, closed = FileBudgets(ROOT), ledger_maintenance.replace_damaged_by_denying_budget

    def slow_close(*args: Any) -> None:
        monkeypatch.setattr("cortex_policy.state.MAX_LOCK_WAIT", 0.001)
        try:
            file = other._map_file("t", "a")
            if file is not None:
                other._kept = {"t": {"a": (mapped_file.make_hit_function(file), file)}}
        finally:
            closed(*args)

    monkeypatch.setattr(ledger_maintenance, "replace_damaged_by_denying_budget", slow_close)
    with pytest.raises(StateError):
        Ledger(ROOT, find_state_directory()).take("t", "a", 50)
    assert other.hit("t", "a", 50) is False
    assert service.hit("t", "a", 50) is False


def test_a_sweep_frees_no_budget_whose_file_has_the_idle_bytes_of_another(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call reports the damage."""
    start, ledger = rings.read_ticks_since_boot(), Ledger(ROOT, find_state_directory())
    monkeypatch.setattr(rings, "read_ticks_since_boot", lambda: start)
    assert ledger.take("idle", "a", 5).consumed == 1
    monkeypatch.setattr(rings, "read_ticks_since_boot", lambda: start + WINDOW_TICKS // 2)
    assert sum(ledger.take("used", "a", 5).consumed for _ in range(6)) == 5
    monkeypatch.setattr(rings, "read_ticks_since_boot", lambda: start + WINDOW_TICKS + 1)
    file_of(state, "used").write_bytes(file_of(state, "idle").read_bytes())
    sweep()
    with pytest.raises(StateError, match="damaged"):
        ledger.take("used", "a", 5)
    assert ledger.take("used", "a", 5).consumed == 0


def test_a_sweep_leaves_files_of_another_clock_alone(state: Path) -> None:
    """A process of another time namespace, whose clock is ahead, frees nobody's budget."""
    ask = "from cortex_policy.state.ledger import Ledger; from cortex_policy.state.settings import find_state_directory as at; print(Ledger((1, 2), at()).take(*%r).consumed)"
    away = ["unshare", "-T", "--boottime", "100000", "--fork", sys.executable, "-c"]
    try:
        done = subprocess.run([*away, "print(1)"], check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no `unshare`")
    if done.returncode:
        pytest.skip("time namespaces are not permitted here")
    assert [Ledger(ROOT, find_state_directory()).take("t", "a", 3).consumed for _ in range(3)] == [1, 1, 1]
    (place(state) / ".swept").unlink()
    assert subprocess.check_output([*away, ask % (("other", "a", 3),)]).strip() == b"1"
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 3).consumed == 0


def test_a_call_gets_an_answer_at_every_number_of_free_descriptors(capfd: pytest.CaptureFixture[str]) -> None:
    """Allowed or unknown, no traceback, and no descriptor closed that is somebody else's."""
    admitted = 0
    for way in (
        lambda: FileBudgets(ROOT).hit("t", "a", 100),
        lambda: Ledger(ROOT, find_state_directory()).take("t", "a", 100),
    ):
        for key_is_there in (False, True):
            for free in range(9):
                if not key_is_there:
                    drop("t")
                    admitted = 0
                code = in_child(lambda free=free, way=way: crowded(free, way))
                assert code in (ALLOWED, UNKNOWN)
                admitted += code == ALLOWED
                used = Ledger(ROOT, find_state_directory()).peek("t", "a", 100).used
                # a hit is only ever lost, never given away: and not even lost
                assert used == admitted
                if free == 8:
                    assert code == ALLOWED
    assert capfd.readouterr().err == ""


def crowded(free: int, work: Callable[[], object]) -> object:
    """Do the work with so many free descriptors, and see that it leaves as many."""
    most = 400
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    taken = []
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            break
    for descriptor in taken[-free:] if free else []:
        os.close(descriptor)
    if free > len(taken):
        raise AssertionError
    try:
        answered = work()
    finally:
        for descriptor in taken[: len(taken) - free]:
            os.close(descriptor)  # raises where somebody closed what is ours
    return answered


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "full"])
def test_housekeeping_that_fails_changes_no_answer(state: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Whatever stands at the note of the last sweep, a hit that was taken is answered so."""
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 3).consumed == 1
    note = place(state) / ".swept"
    note.unlink()
    if kind == "directory":
        note.mkdir()
    elif kind == "link":
        note.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(note)
    else:

        def full(*_: object) -> None:
            raise OSError(28, "full")

        monkeypatch.setattr(ledger_maintenance, "remove_idle_budgets", full)
    assert in_child(lambda: Ledger(ROOT, find_state_directory()).take("u", "a", 3)) == ALLOWED
    assert in_child(lambda: FileBudgets(ROOT).hit("v", "a", 3)) == ALLOWED


@pytest.mark.parametrize("name", [".new-99999999999999999999999-x", ".new--", ".new-x", ".new-4194999-x", "\udcff"])
def test_a_sweep_skips_unknown_names(state: Path, name: str) -> None:
    """They are none of ours."""
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 3).consumed == 1
    (place(state) / name).mkdir()
    sweep()


def test_a_sweep_never_blocks(state: Path) -> None:
    """A FIFO where its note should be."""
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 3).consumed == 1
    (place(state) / ".swept").unlink()
    os.mkfifo(place(state) / ".swept")

    def work() -> bool:
        try:
            sweep()
        except OSError:
            return True
        return True

    assert in_child(work) == ALLOWED


def test_a_hit_that_was_taken_is_reported_as_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where its file cannot be kept open for the next one."""
    for error in (
        make_state_unavailable_error("another process holds it"),
        OSError(24, "full"),
        ValueError("cut short"),
    ):

        def broken(*_: object, error: Exception = error) -> int:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(file_budgets, "open_and_lock_budget_file_or_none", broken)
            assert FileBudgets(ROOT).hit("t", "a", 3) is True
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 3).consumed == 0


def test_a_budget_of_any_size_can_be_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count of hits never outgrows its word, and forgets none that counts."""
    now = [50_000_000]
    monkeypatch.setattr(rings, "read_ticks_since_boot", lambda: now[0])
    limit = 10**30
    most = ledger.MAX_LIMIT
    for _ in range(40):
        assert Ledger(ROOT, find_state_directory()).take("t", "a", limit, most // 2).consumed == most // 2
        now[0] += WINDOW_TICKS // 2
        taken = Ledger(ROOT, find_state_directory()).take("t", "a", limit, most // 2).consumed
        assert Ledger(ROOT, find_state_directory()).take("t", "a", limit, most // 2).consumed == 0
        assert taken in (0, most // 2)
        now[0] += WINDOW_TICKS


def test_a_network_file_system_is_refused_by_whoever_comes_first(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the operator made the directory, and where the one who asked first was killed."""
    assert state.is_dir()
    monkeypatch.setattr(ledger_directory, "find_file_system_type_of_path", lambda *_: "nfs4")
    for _ in range(2):
        with pytest.raises(StateError, match="nfs4"):
            Ledger(ROOT, find_state_directory()).take("t", "a", 1)
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(state / "new"))
    for _ in range(2):
        with pytest.raises(StateError, match="nfs4"):
            Ledger(ROOT, find_state_directory()).take("t", "a", 1)


def test_a_fork_while_another_thread_counts_in_memory_leaves_no_lock_behind() -> None:
    """The child goes on; a lock that nobody is left to open would stop it for ever."""
    budgets = MemoryBudgets()
    assert budgets.hit("t", "a", 3)
    with budgets._lock, budgets._rings["t:a"].lock:
        assert in_child(lambda: budgets.hit("t", "a", 3)) == ALLOWED
        assert in_child(lambda: budgets.take("u", "a", 3)) == ALLOWED
    assert budgets.hit("t", "a", 3)


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_a_service_looks_for_its_file_once_in_a_window(state: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """State that was removed by hand, or with a logout, starts anew; but a service does not count apart for ever."""
    service = FileBudgets(ROOT)
    assert service.hit("t", "a", 30)
    if what == "removed":
        shutil.rmtree(state)
        state.mkdir(mode=0o700)
    else:
        file_of(state, "t").unlink()
    assert in_child(lambda: Ledger(ROOT, find_state_directory()).take("t", "a", 30)) == ALLOWED
    clock = mapped_file.clock_gettime_ns
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda which: clock(which) + 60_100_000_000)
    assert service.hit("t", "a", 30)
    assert Ledger(ROOT, find_state_directory()).peek("t", "a", 30).used == 2


def test_fork_closes_what_threads_had_mapped(state: Path) -> None:
    """The child of one thread holds no descriptor of another's, whose lock it would share."""
    service, ready, done = FileBudgets(ROOT), threading.Event(), threading.Event()

    def work() -> None:
        service.hit("t", "a", 30)
        ready.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()

    def child() -> bool:
        mine = [
            os.readlink(f"/proc/self/fd/{number}")
            for number in range(3, 64)
            if os.path.lexists(f"/proc/self/fd/{number}")
        ]
        return not any(path.startswith(str(state)) for path in mine)

    try:
        assert in_child(child) == ALLOWED
    finally:
        done.set()
        thread.join()


def test_a_child_forked_while_another_thread_asks_holds_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the descriptor of that thread's one shot, and may live for long."""
    asked, forked, ticks = threading.Event(), threading.Event(), rings.read_ticks_since_boot

    def slow() -> int:
        if threading.current_thread() is thread:
            asked.set()
            forked.wait()
        return ticks()

    thread = threading.Thread(target=Ledger(ROOT, find_state_directory()).take, args=("t", "a", 30))
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 30).consumed == 1
    monkeypatch.setattr(rings, "read_ticks_since_boot", slow)
    thread.start()
    asked.wait()
    child = start(lambda: time.sleep(60))
    forked.set()
    thread.join()
    try:
        assert answer(lambda: Ledger(ROOT, find_state_directory()).take("t", "a", 30)) == ALLOWED
        assert answer(lambda: FileBudgets(ROOT).hit("t", "a", 30)) == ALLOWED
    finally:
        os.kill(child, signal.SIGKILL)
        ended(child)


def test_a_limit_of_millions_can_be_raised_while_millions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is too short for the new limit is replaced, however many hits it holds."""
    monkeypatch.setattr(rings, "read_ticks_since_boot", lambda: 50_000_000)
    admitted = Ledger(ROOT, find_state_directory()).take("t", "a", 1_040_000, 1_040_000).consumed
    for _ in range(40):
        admitted += Ledger(ROOT, find_state_directory()).take("t", "a", 5_000_000, 200_000).consumed
    assert 4_500_000 < admitted <= 5_000_000


def test_a_child_holds_no_lock_of_a_parent_that_died_in_the_middle() -> None:
    """It was forked by one thread while another asked, and then the parent was killed."""
    asked, ticks = threading.Event(), rings.read_ticks_since_boot
    read, write = os.pipe()
    assert Ledger(ROOT, find_state_directory()).take("t", "a", 30).consumed == 1

    def slow() -> int:
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            time.sleep(60)
        return ticks()

    def parent() -> None:
        rings.read_ticks_since_boot = slow
        threading.Thread(target=Ledger(ROOT, find_state_directory()).take, args=("t", "a", 30)).start()
        asked.wait()
        os.write(write, b"%d" % start(lambda: time.sleep(60)))
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(parent) == -signal.SIGKILL
    try:
        assert answer(lambda: Ledger(ROOT, find_state_directory()).take("t", "a", 30)) == ALLOWED
    finally:
        os.kill(int(os.read(read, 20)), signal.SIGKILL)
