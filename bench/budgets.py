"""Print what rate limiters cost and how well they count, side by side: python bench/budgets.py [--quick | --gil]."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from startup import install_wheel

if TYPE_CHECKING:
    from budget_assertions import Cells
    from budget_measurement import Cell

NEEDED = {"filelock": "filelock", "limits": "limits", "pyrate_limiter": "pyrate-limiter", "throttled": "throttled-py"}
HEAD = "| limiter | processes | keys | calls/s | ratio | p50 us | p99 us | p99.9 us | fair | admitted of may | share |"


class Plan(NamedTuple):
    """How much is run."""

    limits: tuple[int, ...] = (60, 1_000, 100_000, 1_000_000)
    processes: tuple[int, ...] = (1, 2, 4, 8)
    rounds: int = 3
    seconds: float = 0.25
    close_rounds: int = 25  # of what is close to its claim, and of 0.1 s


QUICK = Plan(limits=(60, 1_000_000), processes=(1, 8), rounds=1, seconds=0.2, close_rounds=3)


def in_fresh_environment(words: list[str]) -> int:
    """Install ours and the peers in a temporary environment, and run there."""
    with tempfile.TemporaryDirectory() as directory:
        python = install_wheel(Path(directory)) / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", *NEEDED.values()], check=True)
        return subprocess.run([python, __file__, *words], check=False).returncode


def measure_groups(plan: Plan) -> "Cells":
    """Run every group."""
    from budget_competitors import PEERS  # noqa: PLC0415
    from budget_measurement import Group, measure  # noqa: PLC0415 - not before the peers are there

    cells = {}
    for limit in plan.limits:
        for processes in plan.processes:
            names = [name for name, peer in PEERS.items() if peer.is_shared or processes == 1]
            for is_same_key in (True, False)[: 1 if processes == 1 else 2]:
                group = Group(limit, processes, is_same_key)
                print(f"{limit:,} a minute, {processes} processes, same key: {is_same_key}", file=sys.stderr)
                cells[group] = measure(group, names, plan.rounds, plan.seconds)
    return cells


def tables(cells: "Cells") -> Iterator[str]:
    """Draw one table a limit."""
    for limit in dict.fromkeys(group.limit for group in cells):
        yield f"\n### {limit:,} a minute\n\n{HEAD}\n|---|{'--:|' * 10}"
        for group, row in cells.items():
            if group.limit == limit:
                yield from (_row(name, cell, row) for name, cell in row.items())


def _row(name: str, cell: "Cell", row: "dict[str, Cell]") -> str:
    from budget_assertions import ratio, statistics  # noqa: PLC0415
    from budget_competitors import FILE, MEMORY, PEERS  # noqa: PLC0415

    group, peer = cell.group, PEERS[name]
    keys = "one" if group.is_same_key else "own"
    ours = row[FILE if peer.is_shared else MEMORY]
    tail = " | ".join(f"{cell.microseconds(quantile):,.1f}" for quantile in (0.5, 0.99, 0.999))
    counts = f"{sum(cell.admitted):,} of {sum(cell.may):,} | {cell.share:.2%}" if peer.is_limiter else "- | -"
    errors = sum(told.errors for told in cell.told)
    rate = f"{statistics.median(cell.rates):,.0f} | {ratio(cell, ours):.3f}"
    return (
        f"| {name} | {group.processes} | {keys} | {rate} | {tail} "
        f"| {cell.fairness:.3f} | {counts}{f', {errors} errors' if errors else ''} |"
    )


def beside_a_busy_thread() -> None:
    """Print what the GIL does to whoever gives it away at each call."""
    from budget_competitors import FILE, MEMORY, PYRATE  # noqa: PLC0415
    from budget_costs import beside_a_busy_thread  # noqa: PLC0415

    for name in (FILE, MEMORY, PYRATE):
        alone, beside = beside_a_busy_thread(name, 1.0)
        print(f"- {name}, with one CPU-bound thread: {beside:,.0f} calls/s, alone {alone:,.0f}")


def compare(plan: Plan) -> None:
    """Print tables, the cost of the GIL, and the claims."""
    from budget_assertions import judge_claims  # noqa: PLC0415
    from budget_competitors import FILE, FLOOR  # noqa: PLC0415
    from budget_costs import LARGEST, admitted_nanoseconds, direct_nanoseconds  # noqa: PLC0415
    from budget_measurement import Group, measure  # noqa: PLC0415

    versions = ", ".join(f"{name} {version(name)}" for name in NEEDED.values())
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {versions}; {plan.rounds} rounds of {plan.seconds} s"
    )
    cells = measure_groups(plan)
    print("\n".join(tables(cells)), end="\n\n### The GIL\n\n")
    beside_a_busy_thread()
    print("\n### Claims\n")
    alone = Group(LARGEST, processes=1, is_same_key=True)
    close = measure(alone, [FILE, FLOOR], plan.close_rounds, 0.1)
    direct = direct_nanoseconds(4 * plan.close_rounds)
    for claim in judge_claims(cells, close, direct, admitted_nanoseconds((60, LARGEST), plan.close_rounds)):
        print(f"- {claim}")


def main(words: list[str]) -> int:
    """Run what is asked for, where the peers are installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two limits, one short round")
    parser.add_argument("--gil", action="store_true", help="only the effect of a busy thread")
    asked = parser.parse_args(words)
    if not all(map(find_spec, (*NEEDED, "cortex_policy"))):
        return in_fresh_environment(words)
    if asked.gil:
        beside_a_busy_thread()
    else:
        compare(QUICK if asked.quick else Plan())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
