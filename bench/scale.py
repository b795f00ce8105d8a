"""Commands over many grants, as ratios to reading the files in Python: python bench/scale.py [GRANTS] [--profile]."""

import argparse
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cortex_policy.manage import listing
from cortex_policy.manage.diff import grants as grant_diff
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.stamp.write import write_stamp
from cortex_policy.state import Root

ROUNDS = 5
MOST = 12.0
COMMANDS = (("list",), ("stamp", "verify"), ("diff", "--against", "HEAD"))


def make_root(top: Path, grants: int) -> Root:
    """Make a root with this number of stamped grants in a git repository; every tenth was changed after the commit."""
    tools = top / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    for number in range(grants):
        (tools / f"tool-{number}.json").write_text(_text(number, 30))
    git = ("git", "-C", str(top), "-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "gc.auto=0")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "grants")):
        subprocess.run([*git, *words], check=True)
    for number in range(0, grants, 10):
        (tools / f"tool-{number}.json").write_text(_text(number, 31))
    root = Root(str(top.resolve()), trusts_owner=True)
    write_stamp(root, lambda _: None)
    return root


def _text(number: int, rate: int) -> str:
    grant = {
        "tool": f"tool-{number}",
        "actions": ["tree", "snippet", "search"],
        "args": {"repo": {"type": "string"}, "path": {"type": "string"}},
        "dataClass": "internal",
        "rate": {"perMinute": rate},
        "fsScope": ["apps/cortex-os", "packages", f"docs/{number}"],
    }
    return json.dumps(grant, indent=2) + "\n"


def read_files(root: Root) -> int:
    """Read the files as a plain program does."""
    size = 0
    for entry in os.scandir(root.tools_path):
        with open(entry.path, "rb") as file:
            size += len(file.read())
    return size


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def command(root: Root, *words: str) -> Callable[[], object]:
    """Return a call that runs a whole process."""
    line = [sys.executable, "-m", "cortex_policy", *words, "--root", root.path]
    return lambda: subprocess.run(line, stdout=subprocess.DEVNULL, check=True)


def report(name: str, ratios: list[float]) -> None:
    """Print a row."""
    verdict = "holds" if statistics.median(ratios) < MOST else "**does not hold**"
    print(
        f"| {name} | {statistics.median(ratios):.1f} | {min(ratios):.1f} to {max(ratios):.1f} | {verdict} |", flush=True
    )


def measure(root: Root) -> None:
    """Time the functions, and the processes less the start of one, each next to a reading of the files."""
    functions: dict[str, Callable[[], object]] = {
        "read_all_grant_rows": lambda: listing.read_all_grant_rows(root),
        "find_stamp_mismatches": lambda: find_stamp_mismatches(root),
        "make_policy_diff_since_revision": lambda: grant_diff.make_policy_diff_since_revision(root, "HEAD"),
    }
    print(f"| what | times reading | of {ROUNDS} rounds | under {MOST:.0f} |\n|---|--:|--:|---|")
    for name, function in functions.items():
        report(f"`{name}`, in process", [seconds(function) / seconds(lambda: read_files(root)) for _ in range(ROUNDS)])
    with tempfile.TemporaryDirectory() as directory:
        small = make_root(Path(directory), 1)
        for words in COMMANDS:
            ratios = []
            for _ in range(ROUNDS):
                start, whole = seconds(command(small, *words)), seconds(command(root, *words))
                ratios.append((whole - start) / seconds(lambda: read_files(root)))
            report(f"`{' '.join(words)}`, less the same over one grant", ratios)
    pack = ("git", "-C", root.path, "repack", "-adq")  # as a clone is, or any repository after a while
    subprocess.run(pack, check=True)
    against = functions["make_policy_diff_since_revision"]
    packed = [seconds(against) / seconds(lambda: read_files(root)) for _ in range(ROUNDS)]
    report("`make_policy_diff_since_revision`, in process, objects packed", packed)


def profile(root: Root) -> None:
    """Print where the functions spend their time."""
    for function in (
        lambda: listing.read_all_grant_rows(root),
        lambda: find_stamp_mismatches(root),
        lambda: grant_diff.make_policy_diff_since_revision(root, "HEAD"),
    ):
        profiler = cProfile.Profile()
        profiler.runcall(function)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(14)


def main() -> None:
    """Measure, in a temporary repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grants", nargs="?", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = make_root(Path(directory), given.grants)
        took = min(seconds(lambda: read_files(root)) for _ in range(ROUNDS))
        print(f"{given.grants:,} grants; reading them takes {took * 1000:.0f} ms\n")
        profile(root) if given.profile else measure(root)


if __name__ == "__main__":
    main()
