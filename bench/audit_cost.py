"""What an audit log costs a resident process, beside no log and beside a loop that does the least: bench/resident.py.

The loop locks, looks at the name, reads the end, hashes twice, writes a line of the same length and unlocks. The goal
is 0.25 of the same without a log, or 0.4 of that loop, whichever is less.
"""

import fcntl
import gc
import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

from decision_competitors import CASES, ENFORCE, ENFORCE_PATH, Decide

FLOOR = "the loop"
OF_NONE, OF_LOOP = 0.25, 0.4
ROUNDS, SLICE, NOTICED_SECONDS = 40, 300, 0.025
PROCESSES, SECONDS, TIMES = 8, 1.0, 3
END = 87  # bytes that are read of the last line
HIGHEST = 100_000_000


def loop(directory: str) -> Decide:
    """Make the loop."""
    file, line = f"{directory}/loop.jsonl", b"x" * 505 + b"\n"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    log, lock = os.open(file, flags | os.O_APPEND, 0o600), os.open(f"{file}.lock", flags, 0o600)
    flock, lstat, pread, write, sha256 = fcntl.flock, os.lstat, os.pread, os.write, hashlib.sha256

    def once() -> bool:
        flock(lock, fcntl.LOCK_EX)
        try:
            end = pread(log, END, max(0, lstat(file).st_size - END))
            sha256(end).hexdigest()
            sha256(line[:-END]).hexdigest()
            return write(log, line) == len(line)
        finally:
            flock(lock, fcntl.LOCK_UN)

    return once


def switch_log(top: Path, name: str, *, is_logged: bool) -> Decide:
    """Set the log, or none, make a call and let its store notice."""
    _switch(top, is_logged=is_logged)
    call = loop(str(top)) if name == FLOOR else CASES[name](str(top))
    time.sleep(NOTICED_SECONDS)
    for _ in range(10):
        call()
    return call


def _switch(top: Path, *, is_logged: bool) -> None:
    if is_logged:
        os.environ["CORTEX_AUDIT_LOG"] = f"{top}/audit.jsonl"
    else:
        os.environ.pop("CORTEX_AUDIT_LOG", None)


def alone(top: Path) -> dict[tuple[str, bool], float]:
    """Return what a call takes in one process, the best of many slices in turn, in microseconds."""
    cases = [(name, is_logged) for name in (ENFORCE, ENFORCE_PATH) for is_logged in (False, True)] + [(FLOOR, False)]
    calls = {case: switch_log(top, case[0], is_logged=case[1]) for case in cases}
    best = dict.fromkeys(cases, float("inf"))
    gc.disable()
    for _ in range(ROUNDS):
        for case, call in calls.items():
            _switch(top, is_logged=case[1])
            time.sleep(NOTICED_SECONDS)
            for _ in range(5):
                call()
            began = time.thread_time_ns()
            for _ in range(SLICE):
                call()
            best[case] = min(best[case], (time.thread_time_ns() - began) / SLICE / 1e3)
    gc.enable()
    return best


def crowd(top: Path) -> dict[tuple[str, bool], float]:
    """Return how many calls a second several processes do on one log, the best of some tries."""
    cases = [(ENFORCE_PATH, False), (ENFORCE_PATH, True), (FLOOR, False)]
    context = multiprocessing.get_context("fork")
    best = dict.fromkeys(cases, 0.0)
    for _ in range(TIMES):
        for case in cases:
            start = context.Barrier(PROCESSES)
            with context.Pool(PROCESSES, _begin, (start,)) as pool:
                done = pool.starmap(_work, [(top, *case)] * PROCESSES, chunksize=1)
            best[case] = max(best[case], sum(done) / SECONDS)
    return best


_start: Barrier


def _begin(start: Barrier) -> None:
    global _start  # noqa: PLW0603 - how a pool hands it on
    _start = start


def _work(top: Path, name: str, is_logged: bool) -> int:  # noqa: FBT001 - a pool names no arguments
    call, count = switch_log(top, name, is_logged=is_logged), 0
    _start.wait()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        call()
        count += 1
    return count


def report(top: Path) -> Iterator[str]:
    """Draw both tables, and judge the goals."""
    yield f"| one process | us, best | of no log | of the loop | {OF_NONE} of none, or {OF_LOOP} of the loop |"
    yield "|---|--:|--:|--:|---|"
    took = alone(top)
    for name in (ENFORCE, ENFORCE_PATH):
        yield f"| {name} | {took[name, False]:.2f} | 1.00 | {took[FLOOR, False] / took[name, False]:.2f} | |"
        yield _row(f"{name}, with a log", 1 / took[name, True], 1 / took[name, False], 1 / took[FLOOR, False], 1)
    yield f"| {FLOOR} | {took[FLOOR, False]:.2f} | | 1.00 | |"
    yield f"\n| {PROCESSES} processes, one log | calls/s, best of {TIMES} | of no log | of the loop | |"
    yield "|---|--:|--:|--:|---|"
    done = crowd(top)
    without, with_log, floor = done[ENFORCE_PATH, False], done[ENFORCE_PATH, True], done[FLOOR, False]
    yield f"| {ENFORCE_PATH} | {without:,.0f} | 1.00 | {without / floor:.2f} | |"
    yield _row(f"{ENFORCE_PATH}, with a log", with_log, without, floor, 0)
    yield f"| {FLOOR} | {floor:,.0f} | | 1.00 | |"


def _row(name: str, ours: float, none: float, floor: float, inverse: float) -> str:
    shown = f"{inverse / ours:.2f}" if inverse else f"{ours:,.0f}"
    verdict = "holds" if ours >= min(OF_NONE * none, OF_LOOP * floor) else "**does not hold**"
    return f"| {name} | {shown} | {ours / none:.2f} | {ours / floor:.2f} | {verdict} |"


def limits(top: Path, grant: Callable[[Path, str, int], None]) -> str:
    """Compare a limit of several hits a slot with the largest exact one."""
    from cortex_policy import PolicyStore  # noqa: PLC0415 - where it is installed

    _switch(top, is_logged=False)
    best = {}
    for name, limit in (("exact", 1_000_000), ("slots", HIGHEST)):
        grant(top, name, limit)
        with PolicyStore(top / "root") as store:
            best[name] = min(_slice(lambda store=store, name=name: store.enforce(name, "tree")) for _ in range(ROUNDS))  # type: ignore[misc]
    times = best["slots"] / best["exact"]
    verdict = "holds" if times <= 2 else "**does not hold**"  # noqa: PLR2004 - the goal
    return f"- a limit of {HIGHEST:,} a minute takes {times:.2f} times one of 1,000,000, goal at most 2: {verdict}"


def _slice(call: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    for _ in range(SLICE):
        call()
    return (time.thread_time_ns() - began) / SLICE
