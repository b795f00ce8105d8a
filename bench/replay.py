"""A replayed log beside `json.loads` of the same lines, in one run: python bench/replay.py [LINES] [ROUNDS]."""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from cortex_policy.manage.audit.reader import ReadCounts, read_lines_of_logs
from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.replay.impact import MAX_LINES, estimate_impact_as_text
from cortex_policy.manage.replay.replay import load_grants_of_root_or_dir_or_revision, replay_logged_calls
from cortex_policy.state import Root

MOST, MOST_WAITED = 2.5, 0.3
GRANT = {
    "tool": "git",
    "actions": ["tree", "snippet", "search"],
    "args": {"repo": {"type": "string"}, "path": {"type": "string"}},
    "rate": {"perMinute": 300},
    "fsScope": ["apps", "packages", "docs"],
}


def make_root(top: Path) -> Root:
    """Make a root of one grant."""
    tools = top / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (tools / "git.json").write_text(json.dumps(GRANT))
    return Root(str(top.resolve()), trusts_owner=True)


def log(root: Root, file: Path, count: int, kind: str) -> None:
    """Write a log of this number of calls, ten a second; `distinct` calls never name a path twice."""
    chance = random.Random(count)  # noqa: S311 - a log that repeats
    start = datetime(2026, 11, 25, tzinfo=UTC)
    with file.open("w") as out:
        for number in range(count):
            action = chance.choice(("tree", "snippet", "search", "push"))
            area = chance.choice(("apps", "packages", "docs", "src"))
            path = f"{area}/{number if kind == 'distinct' else chance.randrange(100)}/main.py"
            at = start + timedelta(seconds=number / 10)
            reason = "action_not_allowed" if action == "push" else "allowed" if area != "src" else "path_outside_scope"
            out.write(json.dumps(_event(root, (action, path, reason), at, number, kind)) + "\n")


def _event(root: Root, call: tuple[str, str, str], at: datetime, number: int, kind: str) -> dict[str, object]:
    action, path, reason = call
    data: dict[str, object] = {
        "decision": reason == "allowed",
        "reason": reason,
        "grant": "git",
        "action": action,
        "version": 7,
        "args": {"repo": "sha256:0123456789abcdef", "path": f"sha256:{number:016x}"},
        "traceId": f"{number:032x}",
        "brand": "brAInwav",
        "component": "policy",
        "root": root.path,
    }
    if kind != "fingerprints":
        place = {
            "argument": "path",
            "given": path,
            "collapsed": path,
            "landed": path,
            "resolved": f"{root.path}/{path}",
        }
        data |= {"args": {"repo": "main", "path": path}, "cwd": root.path, "cost": 1, "paths": [place]}
    return {
        "specversion": "1.0",
        "id": f"{number:032x}",
        "source": "cortex.policy/git",
        "type": f"com.cortex.git.{action}",
        "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }


def decode_lines(file: Path) -> int:
    """Decode each line as a plain program does."""
    found = 0
    with file.open("rb") as source:
        for line in source:
            found += "data" in json.loads(line)
    return found


def replay_lines(root: Root, file: Path) -> None:
    """Decide each line again."""
    tally = ReadCounts()
    replay_logged_calls(
        root, read_lines_of_logs([str(file)], tally), tally, load_grants_of_root_or_dir_or_revision(root)
    )


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def memory(root: Root, file: Path) -> int:
    """Return the peak memory of a whole process that replays a log, in MiB."""
    line = [sys.executable, "-c", _CHILD, root.path, str(file)]
    return int(subprocess.run(line, capture_output=True, check=True, text=True).stdout) // 1024


_CHILD = f"""
import re, resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from replay import Root, replayed
replayed(Root(sys.argv[1], True), Path(sys.argv[2]))
try:  # on Linux the other one is never less than what the process that started this one had
    print(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])
except OSError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def main(count: int = 1_000_000, rounds: int = 3) -> int:
    """Time both in turn, print the ratios, and return 1 where one is larger than is claimed."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        root, file = make_root(Path(directory)), Path(directory) / "audit.jsonl"
        print("| log | lines a second | times `json.loads` | MiB at a tenth | MiB |\n|---|---|---|---|---|")
        for kind in ("full", "fingerprints", "distinct"):
            log(root, file, count // 10, kind)
            least = memory(root, file)
            log(root, file, count, kind)
            pairs = [
                (seconds(lambda: replay_lines(root, file)), seconds(lambda: decode_lines(file))) for _ in range(rounds)
            ]
            ratio = median(ours / plain for ours, plain in pairs)
            worst = max(worst, ratio if kind != "distinct" else 0)
            speed = count / median(ours for ours, _ in pairs)
            print(f"| {kind} | {speed:,.0f} | {ratio:.2f} | {least} | {memory(root, file)} |", flush=True)
        worst_wait = max(print_wait(root, file, kind) for kind in ("full", "fingerprints"))
    return 1 if worst > MOST or worst_wait > MOST_WAITED else 0


def print_wait(root: Root, file: Path, kind: str) -> float:
    """Print and return the seconds that the line of `edit` and `set` takes with a log of as many lines as it reads."""
    log(root, file, MAX_LINES, kind)
    os.environ["CORTEX_AUDIT_LOG"] = str(file)
    old = json.dumps(GRANT).encode()
    change = compare_grant_bytes(
        "git", old, json.dumps({**GRANT, "fsScope": ["apps"], "rate": {"perMinute": 200}}).encode()
    )
    found = median(seconds(lambda: estimate_impact_as_text(root, change)) for _ in range(5))
    impact = estimate_impact_as_text(root, change)
    print(f"\nThe line of `edit` for {MAX_LINES:,} lines ({kind}): {found * 1000:.0f} ms: {impact}")
    return found


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main(*map(int, sys.argv[1:])))
