"""Whatever stands where a budget should be: no more than the limit, no traceback, no hang, by every way in."""

import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import ALLOWED, DENIED, UNKNOWN, answer, in_child, start

from cortex_policy.state import ledger, ledger_maintenance, ledger_ring, mapped_file, read_boot_id
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger, open_or_make_budget_directory
from cortex_policy.state.ledger_ring import WINDOW_TICKS, BudgetFileKey
from cortex_policy.state.settings import find_state_directory
from tests.support.damage import flip_byte

LIMIT = 3


class Budget:
    """One budget, asked in one shot, by a service that has it mapped, and by whole processes."""

    def __init__(self, root: Path, state: Path) -> None:
        tools = root / ".cortex" / "policy" / "tools"
        tools.mkdir(parents=True)
        (tools / "t.json").write_text(json.dumps({"tool": "t", "actions": ["a"], "rate": {"perMinute": LIMIT}}))
        for path in (root, root / ".cortex", tools.parent, tools):
            path.chmod(0o755)
        status = root.stat()
        self.root = root
        self.state = state
        self.ledger = Ledger((status.st_dev, status.st_ino), find_state_directory())
        self.service = FileBudgets(self.ledger.root_identity)

    def take(self) -> int:
        return answer(lambda: self.ledger.take("t", "a", LIMIT))

    def hit(self) -> int:
        return answer(lambda: self.service.hit("t", "a", LIMIT))

    def check(self, *before: str) -> int:
        words = [*before, sys.executable, "-m", "cortex_policy", "check", "t", "a"]
        done = subprocess.run(words, cwd=self.root, capture_output=True, text=True, timeout=30, check=False)
        assert "Traceback" not in done.stderr
        assert (done.returncode == ALLOWED) == (done.stderr == "")
        return done.returncode

    def ways(self) -> list[int]:
        """Ask by each way once."""
        return [self.hit(), self.take(), self.check()]

    @property
    def file(self) -> Path:
        (directory,) = (path for path in self.state.iterdir() if path.is_dir() and len(path.name) == 40)
        return directory / BudgetFileKey(read_boot_id(), "t", "a").name

    def purge(self) -> None:
        """Drop all, as `rate purge` does."""
        directory = open_or_make_budget_directory(self.ledger.root_identity, read_boot_id(), find_state_directory())
        ledger_maintenance.clear_budget_directory(directory)
        os.close(directory)


@pytest.fixture
def budget(tmp_path: Path, state: Path) -> Budget:
    """Make a budget of three, of which one is used and which a service has mapped."""
    made = Budget(tmp_path / "scratch", state)
    assert made.hit() == ALLOWED
    return made


def later(monkeypatch: pytest.MonkeyPatch, windows: float = 1) -> None:
    """Move the time of this process."""
    ticks, clock = rings.read_ticks_since_boot, mapped_file.clock_gettime_ns
    shift = int(windows * WINDOW_TICKS) + 1
    monkeypatch.setattr(rings, "read_ticks_since_boot", lambda: ticks() + shift)
    monkeypatch.setattr(mapped_file, "read_ticks_since_boot", lambda: ticks() + shift)
    monkeypatch.setattr(mapped_file, "clock_gettime_ns", lambda which: clock(which) + (shift << rings.TICK_BITS))


KINDS = ("symlink", "dangling", "directory", "fifo", "socket", "hard link", "other user")


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_kind_of_object_is_an_error_until_it_is_purged(
    budget: Budget, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nothing is followed, waited for, or replaced; not by a service either, once it has to look."""
    file, other = budget.file, budget.file.with_name("other")
    if kind == "other user":
        try:
            os.chown(file, 12345, 12345)
        except PermissionError:
            pytest.skip("only root can give a file away")
    else:
        file.rename(other)
        put(kind, file, other)
    for _ in range(2):
        assert budget.take() == budget.check() == UNKNOWN
        assert answer(lambda: FileBudgets(budget.ledger.root_identity).hit("t", "a", LIMIT)) == UNKNOWN
    assert in_child(lambda: (later(monkeypatch), budget.service.forget(), budget.hit() == UNKNOWN)[2]) == ALLOWED
    budget.purge()
    assert [budget.take() for _ in range(LIMIT + 1)] == [ALLOWED] * LIMIT + [DENIED]


def put(kind: str, file: Path, other: Path) -> None:
    """Put something of a kind at a name."""
    if kind == "symlink":
        file.symlink_to(other)
    elif kind == "dangling":
        file.symlink_to("nowhere")
    elif kind == "directory":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "socket":
        os.mknod(file, 0o140600)
    else:
        file.hardlink_to(other)


@pytest.mark.usefixtures("state")
def test_every_flipped_byte_is_noticed_or_harmless(budget: Budget) -> None:
    """Each byte in turn, by a service that has it mapped and by one shots, in the file that they use."""
    size = budget.file.stat().st_size
    for offset in range(size):
        budget.purge()
        admitted = [budget.hit(), budget.take()].count(ALLOWED)
        flip_byte(budget.file, offset)
        answers = [way() for _ in range(3) for way in (budget.hit, budget.take)]
        assert admitted + answers.count(ALLOWED) <= LIMIT
        assert answers.count(UNKNOWN) <= 1
        assert answers[-1] == DENIED


@pytest.mark.parametrize("what", ["emptied", "truncated", "swapped", "other bytes"])
def test_damage_is_reported_then_closed_for_a_window_then_repaired(
    budget: Budget, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """24, then 14 by every way, then the whole budget."""
    budget.ledger.take("u", "a", 40)
    budget.service.forget()  # a mapped file that is cut may end its process
    if what == "emptied":
        os.truncate(budget.file, 0)
    elif what == "truncated":
        os.truncate(budget.file, 70)
    elif what == "swapped":
        os.replace(budget.file.with_name(BudgetFileKey(read_boot_id(), "u", "a").name), budget.file)
    else:
        budget.file.write_bytes(os.urandom(192))
    assert budget.check() == UNKNOWN
    assert budget.ways() == [DENIED] * 3
    later(monkeypatch, 0.9)
    assert (budget.hit(), budget.take()) == (DENIED, DENIED)
    later(monkeypatch, 0.2)
    assert [budget.hit(), budget.take(), budget.take(), budget.hit(), budget.take()] == [ALLOWED] * 3 + [DENIED] * 2


def test_a_service_whose_file_is_cut_dies_or_answers(budget: Budget) -> None:
    """A mapping of a file that is no longer that long may end its process; one that asks later goes on."""

    def work() -> int:
        faulthandler.disable()
        assert budget.hit() == ALLOWED
        os.truncate(budget.file, 0)
        return budget.hit()

    assert in_child(work) == -signal.SIGBUS
    assert budget.take() == UNKNOWN
    assert budget.ways() == [DENIED] * 3


def test_state_of_a_newer_layout_is_left_alone(budget: Budget) -> None:
    """An error until it is purged, and not one byte changed."""
    newer = ((rings.MAGIC << 16) | (rings.LAYOUT + 1)) * rings.PRIME + rings.MAGIC_TAG
    with budget.file.open("r+b") as file:
        file.write(newer.to_bytes(8, sys.byteorder))
    budget.service.forget()
    before = budget.file.read_bytes()
    assert budget.ways() + budget.ways() == [UNKNOWN] * 6
    assert budget.file.read_bytes() == before
    budget.purge()
    assert budget.ways() == [ALLOWED] * 3


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_opened_to_others_meanwhile_is_refused(budget: Budget, mode: int) -> None:
    """Until its mode is mended; a service that has the file open counts on exactly."""
    budget.file.parent.chmod(mode)
    assert budget.take() == budget.check() == UNKNOWN
    assert budget.hit() in (ALLOWED, UNKNOWN)
    budget.file.parent.chmod(0o700)
    answers = [*budget.ways(), *budget.ways()]
    assert answers.count(ALLOWED) in (1, 2)
    assert answers[-3:] == [DENIED] * 3


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Mount a file system of a few pages and let the state be on it."""
    point = tmp_path / "small"
    point.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "small", str(point)]
    try:
        if subprocess.run(options, capture_output=True, check=False).returncode:
            pytest.skip("mounts are not permitted here")
    except FileNotFoundError:
        pytest.skip("there is no `mount`")
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(point))
    yield point
    subprocess.run(["umount", "-l", point], check=True)


def filled(small: Path) -> Path:
    """Fill the file system to its last byte."""
    ballast = small / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return ballast


def test_a_full_disk_exceeds_no_limit(tmp_path: Path, small: Path) -> None:
    """What is there goes on counting; what is not there yet is an error, and leaves nothing behind."""
    budget = Budget(tmp_path / "scratch", small)
    assert budget.hit() == ALLOWED
    ballast = filled(small)
    assert answer(lambda: budget.ledger.take("new", "a", 1)) == UNKNOWN
    assert answer(lambda: FileBudgets(budget.ledger.root_identity).hit("new", "a", 1)) == UNKNOWN
    assert answer(lambda: budget.ledger.take("t", "a", 2000)) == UNKNOWN  # needs a longer file
    assert [budget.take(), budget.check(), budget.hit(), budget.take()] == [ALLOWED, ALLOWED, DENIED, DENIED]
    assert not list(small.rglob(".new-*"))
    ballast.unlink()
    assert answer(lambda: budget.ledger.take("t", "a", 2000)) == ALLOWED


def test_damage_on_a_full_disk_stays_closed(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be replaced: an error until there is room, then a window."""
    budget = Budget(tmp_path / "scratch", small)
    assert budget.hit() == ALLOWED
    os.truncate(budget.file, 70)
    ballast = filled(small)
    budget.service.forget()
    assert set(budget.ways() + budget.ways()) == {UNKNOWN}
    ballast.unlink()
    assert budget.take() == UNKNOWN
    assert budget.ways() == [DENIED] * 3
    later(monkeypatch)
    assert budget.take() == ALLOWED


def test_a_directory_that_becomes_read_only_is_an_error(tmp_path: Path, small: Path) -> None:
    """By every way that opens; nothing is allowed that cannot be counted."""
    budget = Budget(tmp_path / "scratch", small)
    assert budget.take() == ALLOWED
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    assert [*budget.ways(), answer(lambda: budget.ledger.take("new", "a", 1))] == [UNKNOWN] * 4
    subprocess.run(["mount", "-o", "remount,rw", small], check=True)
    assert [budget.take() for _ in range(3)] == [ALLOWED, ALLOWED, DENIED]


def test_a_new_boot_opens_no_file_of_the_old_one(
    budget: Budget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget starts anew with another boot id, whichever way it comes to be; what was counted before is removed."""
    assert [budget.take() for _ in range(3)] == [ALLOWED, ALLOWED, DENIED]
    fake = tmp_path / "boot_id"
    fake.write_text("00000000-0000-4000-8000-000000000000\n")
    mounted = f'mount --bind {fake} /proc/sys/kernel/random/boot_id && exec "$@"'
    away = ["unshare", "-m", "sh", "-c", mounted, "sh"]
    old = budget.file
    if subprocess.run([*away, "true"], capture_output=True, check=False).returncode == 0:
        assert budget.check(*away) == ALLOWED
    monkeypatch.setattr(ledger, "read_boot_id", fake.read_bytes)
    assert ALLOWED in [budget.take() for _ in range(3)]
    assert not old.exists()


def test_another_time_namespace_gets_no_second_budget(budget: Budget) -> None:
    """Its clock is not ours: the file is closed for both rather than read by the wrong one."""
    away = ["unshare", "-T", "--boottime", "100000", "--fork"]
    try:
        if subprocess.run([*away, "true"], capture_output=True, check=False).returncode:
            pytest.skip("time namespaces are not permitted here")
    except FileNotFoundError:
        pytest.skip("there is no `unshare`")
    assert [budget.take() for _ in range(3)] == [ALLOWED, ALLOWED, DENIED]
    for _ in range(2):
        assert budget.check(*away) == UNKNOWN
        assert budget.check(*away) == DENIED
        assert budget.hit() in (UNKNOWN, DENIED)
        assert budget.take() in (UNKNOWN, DENIED)
        assert budget.check() == DENIED


def test_a_stopped_holder_is_waited_for_and_then_reported(budget: Budget) -> None:
    """Stopped in the middle of a hit: callers answer within their wait, never allow, and go on when it goes on."""
    read, write = os.pipe()

    def hold() -> None:
        directory = open_or_make_budget_directory(budget.ledger.root_identity, read_boot_id(), find_state_directory())
        assert ledger_ring.open_and_lock_budget_file_or_none(directory, budget.file.name) is not None
        os.write(write, b"x")
        time.sleep(60)

    holder = start(hold)
    os.read(read, 1)
    os.kill(holder, signal.SIGSTOP)
    assert budget.ways() == [UNKNOWN] * 3
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert [*budget.ways(), budget.take()] == [ALLOWED, ALLOWED, DENIED, DENIED]
