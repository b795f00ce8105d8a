"""Crowds at one audit log: no line is lost, none is torn, through kills, rotation and a full disk."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from processes import DeathByDeath, ended, start
from test_disks import PAGE, disk, fill, mount

from cortex_policy.core.model import StateError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.manage.audit.log_files import list_log_files
from cortex_policy.state.memory_budgets import MemoryBudgets
from tests.support.logs import verified

__all__ = ["disk"]  # a fixture
WRITERS, EACH = 8, 200
LONG = "x" * 20_000  # of several pages, so that a kill may fall between them


@pytest.fixture
def log(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an audit log that says all of each call, and add a grant that allows as many."""
    many = {"tool": "many", "actions": ["do"], "rate": {"perMinute": 1_000_000}}
    (root / ".cortex/policy/tools/many.json").write_text(json.dumps(many))
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    return tmp_path / "log"


def write_many(writer: int, lines: int, text: str = "") -> None:
    """Ask so often, each time with a number of its own and another length."""
    grant, budgets = load_grant("many"), MemoryBudgets()
    for number in range(lines):
        enforce(grant, "do", {"n": f"{writer}.{number}", "text": text[number % 100 :]}, budgets=budgets)


def kill(writer: int) -> None:
    """Kill a process in the middle of whatever it does."""
    os.kill(writer, signal.SIGKILL)
    assert ended(writer) == -signal.SIGKILL


def number_of(line: bytes) -> str:
    """Return the number of a whole line; raise ValueError for one that is torn."""
    return str(json.loads(line)["data"]["args"]["n"])


def lines(*logs: Path) -> list[bytes]:
    """Return the lines of some logs."""
    return [line for log in logs for line in log.read_bytes().splitlines()]


@pytest.mark.forks
@pytest.mark.parametrize("text", ["", LONG])
def test_eight_processes_lose_no_line_and_tear_none(log: Path, text: str) -> None:
    """Each writes 200; all of them are there, and each writer's in its order."""
    children = [start(lambda writer=writer: not write_many(writer, EACH, text)) for writer in range(WRITERS)]  # type: ignore[misc]
    assert {ended(child) for child in children} == {0}
    found = [number_of(line) for line in lines(log)]
    assert sorted(found) == sorted(f"{writer}.{number}" for writer in range(WRITERS) for number in range(EACH))
    for writer in range(WRITERS):
        own = [number for number in found if number.startswith(f"{writer}.")]
        assert own == [f"{writer}.{number}" for number in range(EACH)]
    assert verified(log).chained == WRITERS * EACH


@pytest.mark.parametrize("most", [1, pytest.param(3000, marks=pytest.mark.storm)])
def test_eight_processes_that_rotate_lose_no_line(log: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the files are, all of them are one chain, in which each writer's lines stand in their order."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_MAX_BYTES", str(most))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_KEEP", "10000")
    monkeypatch.setattr("cortex_policy.state.MAX_LOCK_WAIT", 60.0)  # on a busy machine others may hold it for a second
    each = EACH if most > 1 else 10  # each line moves all that were written
    children = [start(lambda writer=writer: not write_many(writer, each)) for writer in range(WRITERS)]  # type: ignore[misc]
    assert {ended(child) for child in children} == {0}
    files = [Path(name) for name in list_log_files(str(log))]
    assert len(files) > WRITERS
    found = [number_of(line) for line in lines(*files)]
    assert sorted(found) == sorted(f"{writer}.{number}" for writer in range(WRITERS) for number in range(each))
    for writer in range(WRITERS):
        own = [number for number in found if number.startswith(f"{writer}.")]
        assert own == [f"{writer}.{number}" for number in range(each)]
    assert verified(log).chained == WRITERS * each


@pytest.mark.forks
def test_a_writer_that_dies_at_any_step_of_a_rotation_loses_nothing(log: Path) -> None:
    """Before each of its system calls, or in the middle of a write: others go on, and the chain holds."""
    os.environ.update(CORTEX_POLICY_AUDIT_MAX_BYTES="1", CORTEX_POLICY_AUDIT_KEEP="10000")
    write_many(0, 3)
    deaths, died = DeathByDeath(lambda: not write_many(1, 1)), 0
    while deaths.die():
        died += 1
        write_many(2, 2)
        found = [number_of(line) for line in whole(log)]
        assert [number for number in found if number[0] != "1"] == ["0.0", "0.1", "0.2", "2.0", "2.1"]
        assert verified(log).chained == len(found)
        for name in list_log_files(str(log)):
            Path(name).unlink()
        write_many(0, 3)
    assert died > 20


def whole(log: Path) -> list[bytes]:
    """Return the lines that are not torn, of a log and all that it was rotated to."""
    return [line for line in lines(*map(Path, list_log_files(str(log)))) if line.endswith(b"}")]


@pytest.mark.storm
@pytest.mark.parametrize("most", [0, 2_000_000])
def test_a_storm_of_kills_leaves_whole_lines(log: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed writer had begun is ended by the next, and swallows nothing; nobody waits for a dead one.

    The chain holds up to the last whole line, through rotations too.
    """
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_MAX_BYTES", str(most))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_KEEP", "100000")
    chance, end, killed = random.Random(7), time.monotonic() + 8, 0
    children: dict[int, int] = {}
    while time.monotonic() < end or killed <= 10:
        while len(children) < WRITERS:
            writer = len(children) + 10 * killed
            children[start(lambda writer=writer: not write_many(writer, 1 << 30, LONG))] = writer  # type: ignore[misc]
        time.sleep(chance.random() / 50)
        victim = chance.choice(list(children))
        kill(victim)
        del children[victim]
        killed += 1
    for child in children:
        kill(child)
    files = list_log_files(str(log))
    before = lines(*map(Path, files))
    verified(log)
    enforce(load_grant("many"), "do", {"n": "last"})
    after = lines(*map(Path, list_log_files(str(log))))
    assert after[: len(before)] == before
    assert number_of(after[-1]) == "last"
    assert verified(log).chained == len(whole(log))
    assert len(files) > 5 or not most
    torn = [line for line in before if not line.endswith(b"}")]
    intact = [number_of(line) for line in before if line.endswith(b"}")]
    assert len(intact) == len(set(intact))
    assert len(torn) <= killed + WRITERS
    assert len(intact) > len(torn)
    assert killed > 10
    last: dict[str, int] = {}
    for number in intact:  # of each writer every line up to the last is there
        writer, _, count = number.partition(".")
        assert int(count) == last.get(writer, -1) + 1
        last[writer] = int(count)


def write_by_store(writer: int) -> None:
    """Ask a store for ever, and say of each answer that it was given."""
    with PolicyStore(budgets=MemoryBudgets()) as store, open(f"answers-{writer}", "ab", buffering=0) as said:
        store.preload()
        for number in range(1 << 30):
            store.enforce("many", "do", {"n": f"{writer}.{number}"})
            said.write(b"%d\n" % number)


@pytest.mark.storm
@pytest.mark.parametrize("most", [0, 30_000])
def test_a_storm_of_kills_and_renames_leaves_every_answered_line(
    root: Path, log: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stores that keep the log open: what was answered stands in it once, in one chain, whoever moved it meanwhile."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_MAX_BYTES", str(most))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_KEEP", "100000")
    chance, end, killed, moved = random.Random(11), time.monotonic() + 6, 0, 0
    children: dict[int, int] = {}
    while time.monotonic() < end or killed <= 10:
        while len(children) < WRITERS:
            writer = len(children) + 10 * killed
            children[start(lambda writer=writer: not write_by_store(writer))] = writer  # type: ignore[misc]
        time.sleep(chance.random() / 10)
        if not most and log.exists():
            moved += 1
            for number in range(moved, 1, -1):
                Path(f"{log}.{number - 1}").rename(f"{log}.{number}")
            log.rename(f"{log}.1")
        victim = chance.choice(list(children))
        kill(victim)
        del children[victim]
        killed += 1
    for child in children:
        kill(child)
    found = verified(log)
    intact = [number_of(line) for line in whole(log)]
    assert found.chained == len(intact) == len(set(intact))
    answered = {
        f"{file.name.removeprefix('answers-')}.{number}"
        for file in root.glob("answers-*")
        for number in file.read_text().split()
    }
    assert answered <= set(intact)
    assert len(answered) > 100
    assert killed > 10
    assert len(found.files) > 3


def test_a_log_that_is_rotated_under_a_crowd_loses_nothing(log: Path) -> None:
    """It is renamed away again and again; what was written then stands in the files it became."""
    children = [start(lambda writer=writer: not write_many(writer, EACH)) for writer in range(WRITERS)]  # type: ignore[misc]
    away: list[Path] = []
    while len(away) < 50:
        if log.exists():
            away.append(log.with_name(f"log.{len(away)}"))
            log.rename(away[-1])
        time.sleep(0.005)
        if all(os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) for child in children):
            break
    assert {ended(child) for child in children} == {0}
    found = [number_of(line) for line in lines(*away, *([log] if log.exists() else []))]
    assert sorted(found) == sorted(f"{writer}.{number}" for writer in range(WRITERS) for number in range(EACH))
    assert len(away) > 1


@pytest.mark.parametrize("text", ["", LONG])
def test_a_full_disk_denies_and_keeps_no_part_of_a_line(
    disk: Path, log: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that fits in part is taken back; once there is room again, lines go on."""
    assert not log.exists()
    log = disk / "log"
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
    write_many(0, 1)
    fill(disk, 2)
    number, before = 0, b""
    with pytest.raises(StateError) as caught:  # noqa: PT012 - until the disk is full
        for number in range(1, 1000):
            before = log.read_bytes()
            enforce(load_grant("many"), "do", {"n": f"0.{number}", "text": text}, budgets=MemoryBudgets())
    assert caught.value.exit_code == 24
    assert "no space left" in str(caught.value)
    assert f"df {disk}" in caught.value.hint
    assert log.read_bytes() == before
    assert [number_of(line) for line in lines(log)] == [f"0.{one}" for one in range(number)]
    with pytest.raises(StateError):  # a denial is no longer one
        enforce(load_grant("many"), "no", {"text": LONG})
    (disk / "filler").unlink()
    enforce(load_grant("many"), "do", {"n": f"0.{number}"})
    assert [number_of(line) for line in lines(log)] == [f"0.{one}" for one in range(number + 1)]
    assert log.stat().st_size < 100 * PAGE


def test_a_read_only_disk_denies(disk: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    assert not log.exists()
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(disk / "log"))
    write_many(0, 1)
    assert mount("-o", "remount,ro", str(disk)) == ""
    with pytest.raises(StateError, match="read-only file system"):
        write_many(0, 1)
