"""The processes of a stress run: what each does until it is killed or its time is up."""

import faulthandler
import mmap
import os
import random
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import evidence
from evidence import Event, Notebook, now

from cortex_policy.core.model import StateError
from cortex_policy.state import ledger_maintenance, read_boot_id
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger, open_or_make_budget_directory
from cortex_policy.state.ledger_ring import BudgetFileKey
from cortex_policy.state.settings import find_state_directory

COUNTERS = ("calls", "admitted", "denied", "unknown", "checks", "sweeps", "drops", "forks", "busy_since")
GENERATION = 2.0  # seconds after which the keys that are not for ever are new ones


class Group(NamedTuple):
    """Keys that are treated alike."""

    name: str
    keys: int  # how many there are at a time
    limits: tuple[int, ...]
    costs: tuple[int, ...] = (1,)
    forever: bool = True  # else every generation has its own


GROUPS = (
    Group("plain", 2, (60,)),
    Group("wide", 12, (300,)),
    Group("costly", 2, (60,), (1, 2, 7, 60)),
    Group("edited", 2, (30, 10, 200, 30, 700), (1, 1, 5)),
    Group("fresh", 3, (30,), (1, 1, 1, 4), forever=False),
    Group("grown", 3, (6, 12, 25, 50, 100, 200), forever=False),
    Group("hurt", 3, (30,), forever=False),
    Group("dropped", 3, (30,), forever=False),
)
HURT = next(index for index, group in enumerate(GROUPS) if group.name == "hurt")
DROPPED = next(index for index, group in enumerate(GROUPS) if group.name == "dropped")


class Counters:
    """Numbers of one process that outlive it."""

    def __init__(self, slots: int) -> None:
        self.words = memoryview(mmap.mmap(-1, slots * len(COUNTERS) * 8)).cast("q")

    def add(self, slot: int, name: str, value: int = 1) -> None:
        self.words[slot * len(COUNTERS) + COUNTERS.index(name)] += value

    def get(self, slot: int, name: str) -> int:
        return self.words[slot * len(COUNTERS) + COUNTERS.index(name)]

    def busy(self, slot: int, since: int) -> None:
        self.words[slot * len(COUNTERS) + COUNTERS.index("busy_since")] = since

    def taken(self, slot: int) -> dict[str, int]:
        """Return a slot's numbers and begin anew."""
        row = {name: self.get(slot, name) for name in COUNTERS}
        for index in range(len(COUNTERS)):
            self.words[slot * len(COUNTERS) + index] = 0
        return row


class Place(NamedTuple):
    """Where a run takes place."""

    top: Path
    root: Path
    identity: tuple[int, int]
    evidence: str
    began: float

    def tool(self, group: int, number: int) -> str:
        return f"{GROUPS[group].name}{number}"

    def key(self, group: int, number: int) -> BudgetFileKey:
        return BudgetFileKey(read_boot_id(), self.tool(group, number), "a")

    def pick(self, chance: random.Random, group: int | None = None) -> tuple[int, int]:
        """Choose a key."""
        group = chance.randrange(len(GROUPS)) if group is None else group
        number = chance.randrange(GROUPS[group].keys)
        if not GROUPS[group].forever:
            number += 10 * int((time.monotonic() - self.began) / GENERATION)
        return group, number

    def directory(self) -> int:
        return open_or_make_budget_directory(self.identity, read_boot_id(), find_state_directory())


class Caller:
    """One process of the run."""

    def __init__(self, place: Place, counters: Counters, slot: int, seed: int, seconds: float) -> None:
        self.place = place
        self.counters = counters
        self.slot = slot
        self.seed = seed
        self.until = time.monotonic() + seconds
        self.notebook = Notebook(place.evidence)
        self.service = FileBudgets(place.identity)
        self.ledger = Ledger(place.identity, find_state_directory())

    def run(self, kind: str) -> None:
        """Do what a kind of process does; note whatever must not happen."""
        try:
            getattr(self, kind)(random.Random(self.seed))
        except BaseException:  # noqa: BLE001 - it is noted, whatever it is
            self.notebook.fault(f"{kind} (seed {self.seed}): {traceback.format_exc()}".replace("\n", " | "))

    def calls(self, chance: random.Random) -> None:
        """Ask by all ways, for all kinds of keys."""
        while time.monotonic() < self.until:
            self.some_calls(chance)

    def some_calls(self, chance: random.Random) -> None:
        """Ask for one key a few times."""
        group, number = self.place.pick(chance)
        ways = (self.service.hit, self.service.hit, self.service.take, self.ledger.take)
        limit, way = chance.choice(GROUPS[group].limits), chance.choice(ways)
        for _ in range(chance.choice((1, 3, 40))):
            cost = chance.choice(GROUPS[group].costs)
            if cost <= limit:
                self.call(way, group, number, limit, cost)

    def call(self, way: Callable[..., object], group: int, number: int, limit: int, cost: int) -> None:
        """Ask once and note what was admitted."""
        before = now()
        self.counters.busy(self.slot, before)
        self.counters.add(self.slot, "calls")
        try:
            taken = way(self.place.tool(group, number), "a", limit, cost)
        except StateError:
            self.counters.add(self.slot, "unknown")
        else:
            if getattr(taken, "consumed", taken):
                self.notebook.write(Event(group, number, before, now(), cost, limit))
                self.counters.add(self.slot, "admitted")
            else:
                self.counters.add(self.slot, "denied")
        self.counters.busy(self.slot, 0)

    def threads(self, chance: random.Random) -> None:
        """Ask from two threads."""
        workers = [threading.Thread(target=self.calls, args=(random.Random(chance.random()),)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def forks(self, chance: random.Random) -> None:
        """Fork with files mapped and a second thread in the middle of its hits; both go on."""
        worker = threading.Thread(target=self.calls, args=(random.Random(chance.random()),))
        worker.start()
        while time.monotonic() < self.until:
            self.some_calls(chance)
            self.counters.add(self.slot, "forks")
            pid = os.fork()
            if not pid:
                try:
                    self.notebook = Notebook(self.place.evidence)
                    for _ in range(5):
                        self.some_calls(chance)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
        worker.join()

    def checks(self, chance: random.Random) -> None:
        """Ask as the shell does, whole processes on the keys that the others ask for too."""
        while time.monotonic() < self.until:
            group, number = self.place.pick(chance, 0)
            words = [sys.executable, "-m", "cortex_policy", "check", self.place.tool(group, number), "a"]
            before = now()
            self.counters.add(self.slot, "checks")
            done = subprocess.run(words, cwd=self.place.root, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                self.notebook.write(Event(group, number, before, now(), 1, 60))
            if done.returncode not in (0, 14, 24) or "Traceback" in done.stderr:
                self.notebook.fault(f"check ended with {done.returncode}: {done.stderr}".replace("\n", " | "))

    def sweeps(self, _: random.Random) -> None:
        """Sweep without a pause."""
        while time.monotonic() < self.until:
            directory = self.place.directory()
            self.counters.add(self.slot, "sweeps")
            ledger_maintenance.remove_idle_budgets(directory, rings.read_ticks_since_boot())
            os.close(directory)

    def drops(self, chance: random.Random) -> None:
        """Drop budgets, of which each says before that it may have been, and after that it was."""
        while time.monotonic() < self.until:
            group, number = self.place.pick(chance, DROPPED)
            directory = self.place.directory()
            before = now()
            # with an end that a stop cannot move: until that it is done, or the process is dead
            self.notebook.write(Event(group, number, before, 1 << 62, 0, 0))
            try:
                if ledger_maintenance.remove_budget(directory, self.place.key(group, number).name):
                    self.counters.add(self.slot, "drops")
            except StateError:
                self.counters.add(self.slot, "unknown")  # held by a stopped process
            self.notebook.write(Event(group, number, before, now(), evidence.DROPPED, 0))
            os.close(directory)
            time.sleep(0.05)


KINDS = ("calls", "calls", "calls", "calls", "threads", "forks", "checks", "sweeps", "drops")


def spawn(caller: Callable[[], Caller], kind: str) -> int:
    """Start a process; return its id."""
    pid = os.fork()
    if pid:
        return pid
    faulthandler.disable()  # it may die of SIGBUS, which is counted
    try:
        caller().run(kind)
    finally:
        os._exit(0)
