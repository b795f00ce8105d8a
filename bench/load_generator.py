"""Offered loads on one budget, the verdicts under a fake clock, and memory: the rest of bench/resident.py."""

import gc
import hashlib
import json
import multiprocessing
import os
import random
import time
import tracemalloc
from array import array
from pathlib import Path
from unittest.mock import patch

from cortex_policy import AccessDenied, FileBudgets, MemoryBudgets, PolicyStore

PROCESSES = 4
LOADS = (1_000, 5_000, 10_000)
ASKED = 180_000
STEPS = 10
PATH = {"path": "docs/guide.md"}


def grant(top: Path, name: str, per_minute: int) -> None:
    """Write a grant, and let it lie still."""
    text = {"tool": name, "actions": ["tree"], "rate": {"perMinute": per_minute}, "fsScope": ["docs"]}
    (top / "root" / ".cortex" / "policy" / "tools" / f"{name}.json").write_text(json.dumps(text))
    time.sleep(0.05)


def serve(top: Path, name: str, a_second: float, begins: float, seconds: float) -> tuple[int, int, array, array]:
    """Ask at fixed times, late or not; return how often, how many passed, and what each took by call and by plan."""
    calls, planned, passed = array("q"), array("q"), 0
    clock, asked = time.monotonic_ns, int(a_second * seconds)
    with PolicyStore(top / "root") as store:
        store.preload([name])
        for number in range(asked):
            due = int(begins * 1e9 + number * 1e9 / a_second)
            while (left := due - clock()) > 0:
                time.sleep(max(0.0, left / 1e9 - 0.0001))
            began = clock()
            try:
                store.enforce(name, "tree", PATH)
                passed += 1
            except AccessDenied:
                pass
            ended = clock()
            calls.append(ended - began)
            planned.append(ended - due)
    return asked, passed, calls, planned


def report(top: Path, seconds: float) -> None:
    """Print each load, without an audit log and with one, and the verdicts."""
    for log in (None, f"{top}/audit.jsonl"):
        if log is not None:
            os.environ["CORTEX_AUDIT_LOG"] = log
        print("\nWith an audit log:\n" if log is not None else "Without an audit log:\n")
        loads(top, seconds, "logged" if log is not None else "load")
    del os.environ["CORTEX_AUDIT_LOG"]
    verdicts()


def loads(top: Path, seconds: float, prefix: str) -> None:
    """Print each load; each answer of it is a line of the log, if there is one."""
    print("| a second | asked | may pass | passed | call: p50 | p99 | p99.9 us | since due: p50 | p99 | p99.9 us |")
    print(f"|--:|{'--:|' * 9}")
    for load in LOADS:
        name, limit = f"{prefix}-{load}", int(load * seconds) // 2
        grant(top, name, limit)
        begins = time.monotonic() + 1.5
        context = multiprocessing.get_context("fork")
        with context.Pool(PROCESSES) as pool:
            words = [(top, name, load / PROCESSES, begins + one / load, seconds) for one in range(PROCESSES)]
            told = pool.starmap(serve, words)
        asked, passed = sum(each[0] for each in told), sum(each[1] for each in told)
        tails = [tail(array("q", [took for each in told for took in each[kind]])) for kind in (2, 3)]
        print(f"| {load:,} | {asked:,} | {limit:,} | {passed:,} | {' | '.join(tails)} |")
        if passed != limit:
            raise SystemExit("**not exact**")
        log = os.environ.get("CORTEX_AUDIT_LOG")
        if log is not None:
            with open(log, "rb") as lines:
                written = sum(f'"grant":"{name}"'.encode() in line for line in lines)
            if written != asked:
                raise SystemExit(f"**{written} lines of {asked} calls**")


def tail(took: array) -> str:
    """Return three quantiles in microseconds."""
    ordered = sorted(took)
    return " | ".join(f"{ordered[int(share * (len(ordered) - 1))] / 1e3:,.0f}" for share in (0.5, 0.99, 0.999))


class FakeClock:
    """Tells a time that only its owner moves."""

    def __init__(self) -> None:
        """Begin now."""
        self.now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def __call__(self, _: int) -> int:
        """Stand in for `clock_gettime_ns`."""
        return self.now


def verdicts() -> None:
    """Ask 1,000 times a second for three minutes of a fake clock, of both budgets, several times."""
    clock = FakeClock()
    began, found = clock.now, []
    for number in range(6):
        kind = ("memory", "file")[number % 2]
        with (
            patch("cortex_policy.state.memory_budgets.clock_gettime_ns", clock),
            patch("cortex_policy.state.mapped_file.clock_gettime_ns", clock),
            patch("cortex_policy.state.ledger_ring.time.clock_gettime_ns", clock),
        ):
            budgets = MemoryBudgets() if kind == "memory" else FileBudgets((1, number + 2))
            found.append((kind, *sequence(budgets, clock, began)))
    are_same = len({told[1:] for told in found}) == 1
    verdict = "the same in each run" if are_same else "**not the same**"
    print(f"\n- verdicts at 1,000 a second under a fake clock, {verdict}:")
    for kind, digest, passed in found:
        print(f"  - {kind}: {passed:,} of {ASKED:,} passed, sequence {digest}")


def sequence(budgets: MemoryBudgets | FileBudgets, clock: FakeClock, began: int) -> tuple[str, int]:
    """Return the digest of all verdicts in their order, and how many were allowed."""
    chance, said = random.Random(2026), bytearray()  # noqa: S311 - chance that a seed repeats
    for number in range(ASKED):
        clock.now = began + number * 1_000_000 + chance.randrange(500_000)
        said.append(budgets.hit("tool", "act", 20_000))
    return hashlib.sha256(said).hexdigest()[:16], sum(said)


def memory(top: Path, decisions: int) -> None:
    """Print what is allocated before, meanwhile and after."""
    names = [f"docs/{number}.md" for number in range(5_000)]  # more than are kept, too
    for name in names[:50]:
        (top / "root" / name).write_text("")
    tools = [f"m{number}" for number in range(100)]  # more than are kept
    for name in tools:
        grant(top, name, 1_000_000)
    with PolicyStore(top / "root", budgets=MemoryBudgets()) as store:
        share, done = max(1, decisions // STEPS), 0
        tracemalloc.start()
        for step in range(STEPS + 1):
            gc.collect()
            print(f"- after {done:,} decisions: {tracemalloc.get_traced_memory()[0] / 1024:,.0f} KiB", flush=True)
            if step == STEPS:
                break
            for number in range(share):
                args = {"path": names[number % 5_000] if number % 100 == 0 else f"docs/{number % 50}.md"}
                store.decide(tools[(number // 1_000) % 100] if number % 1_000 == 0 else "git", "tree", args)
            done += share
        print(f"- {store.stats()}; {len(os.listdir('/proc/self/fd'))} descriptors")
