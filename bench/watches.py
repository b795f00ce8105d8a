"""Print what a decision costs where the kernel tells of changes, where it does not, and where few watches are left.

bench/watches.py, as anybody who may make a user namespace: limits on watches are set in one, for this program alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROUNDS, CALLS = 100, 20
TOLD, NEVER, FEW = "with events of the kernel", "without events", "with few watches left"
LIMITS = {"no instance": ("instances", 0), "no watch": ("watches", 0), "5 watches": ("watches", 5)}
GRANT = '{"tool": "git-map", "actions": ["tree"], "rate": {"perMinute": 1000000}, "fsScope": ["docs"]}'


def open_scratch_root(top: Path) -> Path:
    """Make a root, and let it lie still."""
    tools = top / "root" / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (tools / "git.json").write_text(GRANT)
    (top / "root" / "docs").mkdir()
    (top / "root" / "docs" / "guide.md").write_text("")
    (top / "state").mkdir(mode=0o700)
    os.environ["CORTEX_POLICY_STATE_DIR"] = str(top / "state")
    os.chdir(top / "root")
    time.sleep(0.05)
    return top / "root"


def microseconds(root: Path) -> list[float]:
    """Return what a decision takes, in each round: waiting included, since a queue that is closed makes one wait."""
    from cortex_policy import PolicyStore  # noqa: PLC0415 - with the limits of this moment

    found = []
    with PolicyStore(root) as store:
        store.decide("git", "tree")
        for _ in range(ROUNDS):
            began = time.perf_counter_ns()
            for _ in range(CALLS):
                store.decide("git", "tree", {"path": "docs/guide.md"})
            found.append((time.perf_counter_ns() - began) / CALLS / 1e3)
    return found


def measure_ways(root: Path) -> dict[str, list[float]]:
    """Measure each way, in turn."""
    from cortex_policy.library import preconditions  # noqa: PLC0415

    found = {TOLD: microseconds(root)}
    kept, preconditions.is_on_known_local_file_system = preconditions.is_on_known_local_file_system, lambda _: False
    found[NEVER] = microseconds(root)
    preconditions.is_on_known_local_file_system = kept
    for name, (kind, number) in LIMITS.items():
        limit = Path(f"/proc/sys/user/max_inotify_{kind}")
        before = limit.read_text()
        limit.write_text(str(number))
        found[f"{FEW}: {name}"] = microseconds(root)
        limit.write_text(before)
    return found


def report(root: Path) -> None:
    """Print a table, and whether the goals hold."""
    found = measure_ways(root)
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; {ROUNDS} rounds of {CALLS} decisions with a path\n"
    )
    print("| a decision | us, best | us, median | times without events |\n|---|--:|--:|--:|")
    for name, took in found.items():
        print(f"| {name} | {min(took):.1f} | {median(took):.1f} | {min(took) / min(found[NEVER]):.2f} |")
    few = max(min(took) for name, took in found.items() if name.startswith(FEW))
    verdict = "holds" if few < 500 and few < 1.2 * min(found[NEVER]) else "**does not hold**"  # noqa: PLR2004
    print(f"\n- few watches cost no more than none, and less than 0.5 ms: {few:.0f} us at best: {verdict}")


def main() -> int:
    """Begin again in a user namespace, and measure there."""
    if "--here" not in sys.argv:
        line = ["unshare", "--user", "--map-root-user", sys.executable, os.path.abspath(__file__), "--here"]
        return subprocess.run(line, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="watches-") as directory:
        report(open_scratch_root(Path(directory)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
