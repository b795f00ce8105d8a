"""Print what decisions cost in a resident process: bench/resident.py [--load | --audit | --memory N]."""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from decision_competitors import (
    CASES,
    CEDARPY,
    DECIDE,
    DECIDE_PATH,
    ENFORCE_PATH,
    LOAD,
    PYCASBIN,
    STAT,
    VAKT,
    Decide,
)
from startup import install_wheel

NEEDED = {"casbin": "pycasbin", "cedarpy": "cedarpy", "vakt": "vakt"}
ROUNDS, SLICE_SECONDS = 50, 0.02
GOALS = (
    (DECIDE, VAKT, 2.0),
    (DECIDE, PYCASBIN, 20.0),
    (DECIDE_PATH, PYCASBIN, 4.0),
    (DECIDE_PATH, CEDARPY, 4.0),
    (ENFORCE_PATH, PYCASBIN, 3.0),
    (LOAD, STAT, 1 / 3),
)


def in_fresh_environment(words: list[str]) -> int:
    """Install ours and the peers in a temporary environment, and run there; say so where a peer cannot be installed."""
    with tempfile.TemporaryDirectory() as directory:
        python = install_wheel(Path(directory)) / "python"
        for name in NEEDED.values():
            done = subprocess.run([python, "-m", "pip", "install", "-q", name], check=False, capture_output=True)
            if done.returncode:
                print(f"{name} is left out: pip could not install it here")
        return subprocess.run([python, __file__, "--here", *words], check=False).returncode


def open_scratch_root(top: Path) -> None:
    """Make a root whose grant allows more than any run uses up, and let it lie still."""
    tools = top / "root" / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (top / "root" / "docs").mkdir()
    (top / "root" / "docs" / "guide.md").write_text("")
    text = """{"tool": "git-map", "actions": ["tree", "search"], "args": {"path": {"type": "string"}},
    "rate": {"perMinute": 1000000}, "fsScope": ["docs"]}"""
    for name in ("git", "first"):
        (tools / f"{name}.json").write_text(text)
    state = top / "state"
    state.mkdir(mode=0o700)
    os.environ["CORTEX_POLICY_STATE_DIR"] = str(state)
    os.chdir(top / "root")
    time.sleep(0.05)


def nanoseconds(call: Decide, times: int) -> float:
    """Return the processor time of a call, averaged over a number of calls: waiting does not count."""
    clock, again = time.thread_time_ns, range(times)
    began = clock()
    for _ in again:
        call()
    return (clock() - began) / times


def measure_calls(calls: dict[str, Decide]) -> dict[str, list[float]]:
    """Run all in turn, in short slices, so that what disturbs the machine disturbs them all."""
    warm = {name: min(nanoseconds(call, 200) for _ in range(3)) for name, call in calls.items()}
    times = {name: max(1, int(SLICE_SECONDS * 1e9 / took)) for name, took in warm.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    gc.disable()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            found[name].append(nanoseconds(call, times[name]))
        gc.collect()
    gc.enable()
    return found


def table(found: dict[str, list[float]]) -> Iterator[str]:
    """Draw one row for each."""
    yield "| decides | us, best | us, median | a second, best | times one `os.stat` |\n|---|--:|--:|--:|--:|"
    stat = min(found[STAT])
    for name, took in found.items():
        best = min(took)
        yield f"| {name} | {best / 1e3:.2f} | {median(took) / 1e3:.2f} | {1e9 / best:,.0f} | {best / stat:.2f} |"


def goals(found: dict[str, list[float]]) -> Iterator[str]:
    """Judge each goal by the best slices: what else runs on the machine only ever takes away."""
    for ours, peer, goal in GOALS:
        if peer in found:
            times = min(found[peer]) / min(found[ours])
            middle = median(theirs / mine for theirs, mine in zip(found[peer], found[ours], strict=True))
            verdict = "holds" if times >= goal else "**does not hold**"
            yield f"- {ours}: {times:.2f} times {peer} ({middle:.2f} in the median round), goal {goal:.2f}: {verdict}"


def first_loads(top: Path) -> str:
    """Time the first load of a grant, in a store that was made just now, and in one that knows its root."""
    from cortex_policy import PolicyStore  # noqa: PLC0415 - installed by then

    cold, warm = [], []
    for _ in range(50):
        with PolicyStore(top / "root") as store:
            for took, name in ((cold, "git"), (warm, "first")):
                began = time.perf_counter_ns()
                store.load(name)
                took.append((time.perf_counter_ns() - began) / 1e6)
    return (
        f"- first load of a grant: {min(warm):.3f} ms at best, {median(warm):.3f} in the median, goal 0.2; "
        f"with the watches of a new store {min(cold):.3f} ms, {median(cold):.3f}"
    )


def compare(top: Path) -> None:
    """Print the table and the goals."""
    present = {name: version(name) for name in NEEDED.values() if _is_installed(name)}
    versions = ", ".join(f"{name} {number}" for name, number in present.items())
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {versions}; {ROUNDS} rounds\n")
    absent = {PYCASBIN: "casbin", CEDARPY: "cedarpy", VAKT: "vakt"}
    calls = {name: make(str(top)) for name, make in CASES.items() if find_spec(absent.get(name, "os"))}
    for name, call in calls.items():
        if not call():
            sys.exit(f"{name} does not allow what it must")
    found = measure_calls(calls)
    print("\n".join((*table(found), "", *goals(found), first_loads(top))))
    print_audited(top)


def print_audited(top: Path) -> None:
    """Print what a log costs, and what a high limit does."""
    from audit_cost import limits, report  # noqa: PLC0415
    from load_generator import grant  # noqa: PLC0415

    print("\nWith an audit log, a line each of which is chained to the one before:\n")
    for line in (*report(top), "", limits(top, grant)):
        print(line, flush=True)


def _is_installed(name: str) -> bool:
    return any(find_spec(module) for module, package in NEEDED.items() if package == name)


def main(words: list[str]) -> int:
    """Run what is asked for, where the peers are installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", action="store_true", help="only the offered loads, and the sequence of verdicts")
    parser.add_argument("--audit", action="store_true", help="only what an audit log and a high limit cost")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each offered load")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="only the memory after N decisions")
    parser.add_argument("--here", action="store_true", help="with what is installed here")
    asked = parser.parse_args(words)
    if not asked.here and not all(map(find_spec, (*NEEDED, "cortex_policy"))):
        return in_fresh_environment(words)
    with tempfile.TemporaryDirectory(prefix="resident-") as directory:
        top = Path(directory)
        open_scratch_root(top)
        if asked.load:
            from load_generator import report  # noqa: PLC0415

            report(top, asked.seconds)
        elif asked.audit:
            print_audited(top)
        elif asked.memory:
            from load_generator import memory  # noqa: PLC0415

            memory(top, asked.memory)
        else:
            compare(top)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
