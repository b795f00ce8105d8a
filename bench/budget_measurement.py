"""Runs one limiter in several processes at once, greedily and for a fixed time, and says what each of them saw."""

import gc
import multiprocessing
import os
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

from budget_competitors import PEERS, Hit

WARM_UP_SECONDS = 0.03
PATIENCE_SECONDS = 60
WARM_LIMIT = 1000  # of the key that warms up: some of it is admitted, some not


class Group(NamedTuple):
    """What is asked: a limit a minute, by this number of processes, of one key or one each."""

    limit: int
    processes: int
    is_same_key: bool


class Told(NamedTuple):
    """What one process saw in one round."""

    began: int
    ended: int
    attempts: int
    admitted: int
    errors: int
    took: Counter[int]  # nanoseconds: how many calls


class Cell:
    """What all processes saw of one limiter in one group, round by round."""

    def __init__(self, group: Group, rounds: list[list[Told]]) -> None:
        """Take the rounds and pool their latencies."""
        self.group, self.rounds = group, rounds
        self.took: Counter[int] = Counter()
        for told in self.told:
            self.took.update(told.took)

    @property
    def told(self) -> list[Told]:
        """Every process of every round."""
        return [told for told in self.rounds for told in told]

    @property
    def rates(self) -> list[float]:
        """Calls a second, round by round."""
        return [
            sum(told.took.total() for told in turn)
            / (max(told.ended for told in turn) - min(told.began for told in turn))
            * 1e9
            for turn in self.rounds
        ]

    @property
    def fairness(self) -> float:
        """Jain's index of the calls that each process got done: 1 is fair, 1/n is one process alone."""
        counts = [[told.took.total() for told in turn] for turn in self.rounds]
        jains = [sum(count) ** 2 / (len(count) * sum(each * each for each in count)) for count in counts]
        return sum(jains) / len(jains)

    @property
    def admitted(self) -> list[int]:
        """How many calls were admitted, round by round."""
        return [sum(told.admitted for told in turn) for turn in self.rounds]

    @property
    def may(self) -> list[int]:
        """How many the limit lets through, round by round; each begins with nothing used and ends within a window."""
        limit = self.group.limit
        if self.group.is_same_key:
            return [min(limit, sum(told.attempts for told in turn)) for turn in self.rounds]
        return [sum(min(limit, told.attempts) for told in turn) for turn in self.rounds]

    @property
    def share(self) -> float:
        """How many of the calls were admitted."""
        return sum(self.admitted) / sum(told.attempts for told in self.told)

    def microseconds(self, quantile: float) -> float:
        """Return the latency that a share of all calls stayed within."""
        left = quantile * self.took.total()
        for nanoseconds in sorted(self.took):
            left -= self.took[nanoseconds]
            if left <= 0:
                return nanoseconds / 1e3
        return 0.0


@contextmanager
def scratch() -> Iterator[str]:
    """Make a directory in memory where there is such a place, and remove it."""
    memory = "/dev/shm"  # noqa: S108 - where rate state lives as well
    with tempfile.TemporaryDirectory(prefix="budgets-", dir=memory if os.path.isdir(memory) else None) as directory:
        yield directory


def greedy(hit: Hit, seconds: float) -> Told:
    """Call for a while as fast as it goes; each call is timed from the end of the one before."""
    clock, took = time.perf_counter_ns, array("q")
    note, admitted, errors = took.append, int(hit()), 0  # the first one opens the file, and is not timed
    began = last = clock()
    until = began + int(seconds * 1e9)
    while last < until:
        try:
            admitted += hit()
        except Exception:  # noqa: BLE001 - each peer has its own; all are counted
            errors += 1
        now = clock()
        note(now - last)
        last = now
    return Told(began, last, len(took) + 1, admitted, errors, Counter(took))


def serve(number: int, start: Barrier, orders: Connection) -> None:
    """Run in a process of its own: warm each limiter up, wait for the others, be greedy."""
    while (order := orders.recv()) is not None:
        name, directory, key, limit, seconds = order
        peer = PEERS[name]
        with peer.opened(directory, f"warm-{number}", WARM_LIMIT) as hit:
            greedy(hit, WARM_UP_SECONDS)
        gc.collect()
        with peer.opened(directory, key, limit) as hit:
            start.wait()
            told = greedy(hit, seconds)
            start.wait()
        orders.send(told)


@contextmanager
def crew(size: int) -> Iterator[list[Connection]]:
    """Start processes that take orders."""
    context = multiprocessing.get_context("spawn")
    start, pipes = context.Barrier(size), [context.Pipe() for _ in range(size)]
    workers = [context.Process(target=serve, args=(i, start, pipe[1]), daemon=True) for i, pipe in enumerate(pipes)]
    for worker in workers:
        worker.start()
    try:
        yield [pipe[0] for pipe in pipes]
    finally:
        for worker, (orders, _) in zip(workers, pipes, strict=True):
            orders.send(None)
            worker.join(1)
            worker.terminate()


def measure(group: Group, names: list[str], rounds: int, seconds: float) -> dict[str, Cell]:
    """Run limiters in turn, round after round, so that what disturbs the machine disturbs them all."""
    told: dict[str, list[list[Told]]] = {name: [] for name in names}
    with crew(group.processes) as workers:
        for _ in range(rounds):
            for name in names:
                told[name].append(_one_round(workers, name, group, seconds))
    return {name: Cell(group, turns) for name, turns in told.items()}


def _one_round(workers: list[Connection], name: str, group: Group, seconds: float) -> list[Told]:
    with scratch() as directory:
        os.mkdir(f"{directory}/state", 0o700)
        for number, orders in enumerate(workers):
            key = "key" if group.is_same_key else f"key-{number}"
            orders.send((name, directory, key, group.limit, seconds))
        return [_answer(orders) for orders in workers]


def _answer(orders: Connection) -> Told:
    if not orders.poll(PATIENCE_SECONDS):
        sys.exit("a process ended before it answered")
    return orders.recv()
