"""Processes that are killed while they write or send events: each event that was written arrives, in order."""

import random
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest
from processes import DeathByDeath

from cortex_policy.core.model import Settings
from cortex_policy.library.event_delivery.spool import MIN_BYTES, EventSpool
from cortex_policy.library.event_delivery.spool_reader import SpoolReader
from cortex_policy.state.audit_log import AuditLog
from tests.support.checkout import CHECKOUT
from tests.support.command import PROGRAM
from tests.support.event_receiver import Receiver, format_event_line, free_port, remembered_ids

# records events of its own name, and prints each number once it is written
RECORDER = """
import sys, time
from cortex_policy.library.event_delivery import outcomes, receiver, sender_thread
outcomes.FIRST_DELAY_SECONDS = outcomes.MAX_DELAY_SECONDS = outcomes.WRONG_ADDRESS_SECONDS = 0.01
sender_thread.POLL_SECONDS = sender_thread.DISK_SECONDS = 0.01
receiver.DEADLINE_SECONDS = 1.0
from cortex_policy import HttpSink
from tests.library.test_http_sink import event
url, spool, name, most = sys.argv[1:]
sink = HttpSink(url, spool=spool, mode="batch" if name.endswith("b") else "structured", max_bytes=1 << 20)
for number in range(int(most)):
    try:
        sink.record(event(f"{name}-{number}"))
        print(number, flush=True)
    except Exception as error:
        print(error, file=sys.stderr)
    time.sleep(0.0005)
"""


def write_and_send(directory: Path, line: bytes) -> None:
    """Write an event, then deliver all that wait: the whole way of an event on the disk."""
    EventSpool(str(directory), MIN_BYTES).append(line)
    deliver(directory)


def deliver(directory: Path) -> list[str]:
    """Deliver what waits, and return the ids; each is kept in a file, as a receiver would."""
    reader = SpoolReader(str(directory))
    assert reader.try_lock()
    queue, ids = reader.open_queue(), list[str]()
    with (directory.parent / "arrived").open("ab", buffering=0) as arrived:
        while lines := queue.peek(3, 1 << 20):
            ids += [line.split(b'"id":"')[1].split(b'"')[0].decode() for line in lines]
            arrived.write(b"".join(line + b"\n" for line in lines))
            queue.commit(len(lines))
    reader.close()
    return ids


def arrived_ids(top: Path) -> list[str]:
    """Return the ids in the order in which they came first."""
    lines = [line for line in (top / "arrived").read_bytes().split(b"\n") if line.endswith(b"}")]
    return list(dict.fromkeys(line.split(b'"id":"')[1].split(b'"')[0].decode() for line in lines))


@pytest.mark.forks
def test_a_death_at_any_system_call_loses_no_event(tmp_path: Path) -> None:
    """Of those that were written before; and the events after it arrive behind them."""
    directory, numbers = tmp_path / "spool", count()
    spool, expected = EventSpool(str(directory), MIN_BYTES), list[str]()
    name = ""
    death = DeathByDeath(lambda: write_and_send(directory, format_event_line(name) + b"\n"))
    while not death.is_over:
        number = next(numbers)
        expected += [f"before-{number}", f"after-{number}"]
        name = f"dying-{number}"
        spool.append(format_event_line(f"before-{number}") + b"\n")
        death.die()
        spool.append(format_event_line(f"after-{number}") + b"\n")
        deliver(directory)
    got = arrived_ids(tmp_path)
    assert [one for one in got if not one.startswith("dying")] == expected
    assert death.at > 15


def start_recorder(top: Path, url: str, name: str, most: int = 100_000) -> "subprocess.Popen[str]":
    """Start a process that records."""
    words = [sys.executable, "-c", RECORDER, url, str(top / "spool"), name, str(most)]
    return subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(process: "subprocess.Popen[str]") -> list[int]:
    """Kill a process, and return the numbers of the events that it has written for sure."""
    process.kill()
    out, _ = process.communicate()
    return [int(line) for line in out.split("\n")[:-1]]


@pytest.mark.storm
def test_a_storm_of_kills_loses_no_event_of_a_sink(tmp_path: Path) -> None:
    """Two processes with one spool, killed at any time, and a receiver that fails in all ways, and dies too."""
    seed = random.randrange(1 << 32)
    chance, port, written = random.Random(seed), free_port(), dict[str, list[int]]()
    memory, url = tmp_path / "memory", f"http://127.0.0.1:{port}/storm?do={','.join(['chance'] * 3000)}"
    receiver = Receiver(port, memory)
    names = count()

    def start() -> "tuple[str, subprocess.Popen[str]]":
        name = f"{next(names)}{chance.choice('sb')}"
        return name, start_recorder(tmp_path, url, name)

    running = [start()]
    for _ in range(15):
        running.append(start())
        time.sleep(chance.uniform(0.2, 1.2))
        if chance.random() < 0.3:
            receiver.kill()
            time.sleep(chance.uniform(0.0, 0.5))
            receiver = Receiver(port, memory)
        name, victim = running.pop(chance.randrange(2))
        written[name] = kill(victim)
    ((name, victim),) = running
    written[name] = kill(victim)
    with receiver:
        for number in range(100):
            start_recorder(tmp_path, receiver.url("storm"), f"last{number}", 1).communicate(timeout=60)
            if f"last{number}-0" in remembered_ids(memory):
                break
    got = remembered_ids(memory)
    assert sum(map(len, written.values())) > 1000, seed
    for name, numbers in written.items():
        arrived = [int(one.rpartition("-")[2]) for one in got if one.startswith(f"{name}-")]
        assert arrived[: len(numbers)] == numbers, (seed, name)
        assert len(arrived) <= len(numbers) + 1, (seed, name)


@pytest.mark.storm
def test_a_storm_of_kills_loses_no_event_of_a_log(tmp_path: Path) -> None:
    """A follower that is killed at any time, while the log grows and rotates."""
    seed = random.randrange(1 << 32)
    chance, numbers = random.Random(seed), count()
    log = tmp_path / "audit.jsonl"
    writer = AuditLog(Settings(audit_file=str(log), audit_max_bytes=20_000, audit_keep=1000))
    writer.append(format_event_line(str(next(numbers))) + b"\n")
    with Receiver() as receiver:
        for _ in range(15):
            did = ",".join(chance.choices(["204", "204", "204", "half", "close", "500"], k=400))
            mode = chance.choice(["structured", "batch"])
            words = [*PROGRAM, "audit", "send", receiver.url("log", did), str(log), "--mode", mode, "--follow",
                     "--cursor", str(tmp_path / "cursor")]  # fmt: skip
            with subprocess.Popen(words, stderr=subprocess.DEVNULL) as follower:
                end = time.monotonic() + chance.uniform(0.4, 2.0)
                while time.monotonic() < end:
                    writer.append(format_event_line(str(next(numbers))) + b"\n")
                    time.sleep(0.001)
                follower.send_signal(signal.SIGKILL)
        for _ in range(1000):
            words = [*PROGRAM, "audit", "send", receiver.url("log"), str(log), "--cursor", str(tmp_path / "cursor")]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
        assert done.returncode == 0, (seed, done)
        assert receiver.ids("log") == [str(number) for number in range(next(numbers))], seed
