"""Two costs that greedy cells cannot show: an admitted hit at a small limit, and a busy thread beside the ledger."""

import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from budget_competitors import FLOOR, PEERS, ROOT, TOOL, Hit
from budget_measurement import scratch

from cortex_policy.state.file_budgets import FileBudgets

LARGEST = 1_000_000  # all is admitted: nobody gets that far in one round
DIRECT = 2000  # calls of a bare loop
KEYS, WARM_HITS, TIMED_HITS = 8, 2, 58  # 60 in all: everything that the smallest limit admits


def admitted_nanoseconds(limits: tuple[int, int], rounds: int) -> list[float]:
    """Return what an admitted hit costs at each of two limits, in turn: the first 60 hits of many new keys."""
    took: dict[int, list[float]] = {limit: [] for limit in limits}
    for _ in range(rounds):
        for limit in limits:
            took[limit] += _new_keys(limit)
    return [statistics.median(took[limit]) for limit in limits]


def direct_nanoseconds(rounds: int) -> tuple[float, float]:
    """Return what an admitted hit and the floor cost when called in a bare loop: the best of many rounds of each."""
    hits, floors = [], []
    with scratch() as directory, PEERS[FLOOR].opened(directory, "floor", 0) as floor:
        os.environ["CORTEX_POLICY_STATE_DIR"] = directory
        hit = FileBudgets(ROOT).hit
        for _ in range(rounds):
            began = time.perf_counter_ns()
            for _ in range(DIRECT):
                hit(TOOL, "key", LARGEST)
            between = time.perf_counter_ns()
            for _ in range(DIRECT):
                floor()
            hits.append((between - began) / DIRECT)
            floors.append((time.perf_counter_ns() - between) / DIRECT)
    return min(hits), min(floors)


def _new_keys(limit: int) -> list[float]:
    with scratch() as directory:
        os.environ["CORTEX_POLICY_STATE_DIR"] = directory
        budgets = FileBudgets(ROOT)
        return [_first_hits(budgets, f"key-{number}", limit) for number in range(KEYS)]


def _first_hits(budgets: FileBudgets, key: str, limit: int) -> float:
    hit = budgets.hit
    answers = [hit(TOOL, key, limit) for _ in range(WARM_HITS)]
    began = time.perf_counter_ns()
    for _ in range(TIMED_HITS):
        hit(TOOL, key, limit)
    ended = time.perf_counter_ns()
    if not all(answers) or budgets.peek(TOOL, key, limit).used != WARM_HITS + TIMED_HITS:
        sys.exit(f"not all of the first {WARM_HITS + TIMED_HITS} hits were admitted at {limit}")
    return (ended - began) / TIMED_HITS


@contextmanager
def busy_thread() -> Iterator[None]:
    """Run a thread that computes and never waits."""
    done = False

    def compute() -> None:
        while not done:
            pass

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        done = True
        thread.join()


def beside_a_busy_thread(name: str, seconds: float) -> tuple[float, float]:
    """Return calls a second of a limiter, alone and beside one CPU-bound thread of its process."""
    with scratch() as directory:
        os.mkdir(f"{directory}/state", 0o700)
        with PEERS[name].opened(directory, "key", LARGEST) as hit:
            hit()
            alone = _calls_a_second(hit, seconds)
            with busy_thread():
                return alone, _calls_a_second(hit, seconds)


def _calls_a_second(hit: Hit, seconds: float) -> float:
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        hit()
        calls += 1
    return calls / (time.perf_counter() - began)
