"""Stress the ledger with processes that are killed, stopped and cheated on: python tests/stress/run.py --minutes 10."""

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from callers import GROUPS, HURT, KINDS, Caller, Counters, Place, spawn
from evidence import events, faults, hasten, now, violations

WRITERS = 8
HANG = 20_000_000_000  # nanoseconds of one call, of a process that is not stopped
CHAOS = (("kill", 12), ("stop", 1), ("flip", 4), ("truncate", 1), ("empty", 1), ("copy", 1))


class Process:
    """One that runs, and what was done to it."""

    def __init__(self, pid: int, slot: int) -> None:
        self.pid = pid
        self.slot = slot
        self.go_on_at = 0.0  # when it is stopped


class Run:
    """One stress run."""

    def __init__(self, place: Place, seed: int, speed: int) -> None:
        self.place = place
        self.speed = speed
        self.kinds = [kind for kind in KINDS if speed == 1 or kind != "checks"]  # these have their own clock
        self.chance = random.Random(seed)
        self.counters = Counters(WRITERS)
        self.running: dict[int, Process] = {}
        self.totals: Counter[str] = Counter()
        self.faults: list[str] = []

    def until(self, end: float) -> None:
        """Run until an instant, then let all come to their end."""
        while time.monotonic() < end:
            self._fill()
            time.sleep(self.chance.random() * 0.02)
            self._reap()
            self._harm()
        for process in self.running.values():
            process.go_on_at = 1e-9
        while self.running:
            self._reap()
            time.sleep(0.01)

    def _fill(self) -> None:
        free = set(range(WRITERS)) - {process.slot for process in self.running.values()}
        for slot in free:
            seed, seconds = self.chance.getrandbits(32), self.chance.choice((0.05, 0.3, 1.0))
            caller = lambda slot=slot, seed=seed, seconds=seconds: Caller(  # noqa: E731
                self.place, self.counters, slot, seed, seconds
            )
            pid = spawn(caller, self.chance.choice(self.kinds))
            self.running[pid] = Process(pid, slot)
            self.totals["processes"] += 1

    def _reap(self) -> None:
        for process in list(self.running.values()):
            if process.go_on_at and time.monotonic() >= process.go_on_at:
                os.kill(process.pid, signal.SIGCONT)
                process.go_on_at = 0.0
                self.counters.busy(process.slot, 0)
            since = self.counters.get(process.slot, "busy_since")
            if since and not process.go_on_at and now() - since > HANG * self.speed:
                self.faults.append(f"process {process.pid} hangs in one call")
                os.kill(process.pid, signal.SIGKILL)
            gone, status = os.waitpid(process.pid, os.WNOHANG)
            if gone:
                self._ended(process, os.waitstatus_to_exitcode(status))

    def _ended(self, process: Process, code: int) -> None:
        del self.running[process.pid]
        self.totals.update(self.counters.taken(process.slot))
        if code == -signal.SIGBUS:
            self.totals["died of SIGBUS"] += 1
        elif code not in (0, -signal.SIGKILL):
            self.faults.append(f"a process ended with {code}")

    def _harm(self) -> None:
        names, weights = zip(*CHAOS, strict=True)
        harm = self.chance.choices(names, weights)[0]
        if self.chance.random() < 0.7:
            getattr(self, f"_{harm}")()

    def _one(self) -> Process | None:
        able = [process for process in self.running.values() if not process.go_on_at]
        return self.chance.choice(able) if able else None

    def _kill(self) -> None:
        process = self._one()
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
            self.totals["kill -9"] += 1

    def _stop(self) -> None:
        process = self._one()
        if process is not None:
            os.kill(process.pid, signal.SIGSTOP)
            process.go_on_at = time.monotonic() + self.chance.choice((0.05, 0.5, 3.0))
            self.totals["SIGSTOP"] += 1

    def _victim(self, key: tuple[int, int] | None = None) -> Path:
        group, number = key or self.place.pick(self.chance, HURT)
        directory = self.place.directory()
        try:
            return Path(os.readlink(f"/proc/self/fd/{directory}"), self.place.key(group, number).name)
        finally:
            os.close(directory)

    def _flip(self) -> None:
        """Flip a byte in place, unlocked, while others write."""
        self._written("flips", self._victim(), None)

    def _copy(self) -> None:
        """Put another key's bytes into a file; never its own of a moment ago, which nobody could tell from the truth."""
        group, number = self.place.pick(self.chance, HURT)
        identity = self.place.key(group, number).identity.to_bytes(8, sys.byteorder)
        try:
            data = self._victim().read_bytes()
        except FileNotFoundError:
            return
        if data[8:16] != identity:
            self._written("swaps", self._victim((group, number)), data)

    def _written(self, what: str, file: Path, data: bytes | None) -> None:
        try:
            descriptor = os.open(file, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(descriptor).st_size
            if size and data is None:
                offset = self.chance.randrange(size)
                byte = os.pread(descriptor, 1, offset)
                os.pwrite(descriptor, bytes([byte[0] ^ (1 << self.chance.randrange(8))]) if byte else b"", offset)
            elif data is not None:
                os.pwrite(descriptor, data, 0)
            self.totals[what] += 1
        finally:
            os.close(descriptor)

    def _truncate(self) -> None:
        self._cut("truncated", self.chance.choice((1, 8, 63, 64, 72, 200)))

    def _empty(self) -> None:
        self._cut("emptied", 0)

    def _cut(self, what: str, size: int) -> None:
        file = self._victim()
        try:
            if file.stat().st_size > size:
                os.truncate(file, size)
                self.totals[what] += 1
        except FileNotFoundError:
            return


def made(top: Path) -> Place:
    """Make a root with grants for the keys that `check` asks for, and its state directory."""
    root = top / "root"
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (top / "evidence").mkdir()
    (top / "state").mkdir(mode=0o700)
    for number in range(GROUPS[0].keys):
        tool = f"{GROUPS[0].name}{number}"
        (tools / f"{tool}.json").write_text(json.dumps({"tool": tool, "actions": ["a"], "rate": {"perMinute": 60}}))
    for path in (root, root / ".cortex", tools.parent, tools):
        path.chmod(0o755)
    for name in [name for name in os.environ if name.startswith("CORTEX_")]:
        del os.environ[name]
    os.environ.update(CORTEX_POLICY_STATE_DIR=str(top / "state"), XDG_CONFIG_HOME=str(top / "config"))
    status = root.stat()
    return Place(top, root, (status.st_dev, status.st_ino), str(top / "evidence"), time.monotonic())


def stress(seconds: float, seed: int, speed: int = 1, kills: int = 0) -> tuple[dict[str, int], list[str]]:
    """Run so long, and until so many are killed; return what was counted, and what must not have happened."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hasten(speed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        run = Run(made(Path(directory)), seed, speed)
        began = time.monotonic()
        minute = began
        while (now := time.monotonic()) < began + seconds or run.totals["kill -9"] < kills:
            minute = min(minute + 30, began + seconds) if now < began + seconds else now + 1
            run.until(minute)
            print(f"{time.monotonic() - began:6.0f} s  {dict(run.totals)}", flush=True)
        found = list(events(Path(run.place.evidence)))
        over = violations(found)
        numbers = {name: run.totals[name] for name in sorted(run.totals) if name != "busy_since"}
        numbers |= {
            "keys": len({event[:2] for event in found}),
            "hits on record": sum(event.cost for event in found if event.cost > 0),
            "windows looked at": sum(1 for event in found if event.cost > 0),
            "over the limit": len(over),
        }
        return numbers, [*run.faults, *faults(Path(run.place.evidence)), *over]


def main() -> int:
    """Run, print the table, and say whether anything was over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--speed", type=int, default=1, help="let time run faster: a window of 60 s in 60 / SPEED s")
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.minutes} minutes, {given.speed} times as fast, {WRITERS} processes at a time")
    numbers, wrong = stress(60 * given.minutes, given.seed, given.speed)
    print("\n| what | count |\n|---|---:|")
    for name, number in numbers.items():
        print(f"| {name} | {number:,} |")
    for fault in wrong:
        print(f"FAULT {fault}")
    print("\n" + (f"{len(wrong)} faults" if wrong else "nothing over the limit, no traceback, no hang"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
