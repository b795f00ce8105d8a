"""Everyday patterns on values of 1 kB, ours beside `re`, as ratios of one run: python bench/patterns.py [ROUNDS].

`first use`: import, compile and search in a process that has done nothing else. `compiled`: compile and search with
nothing kept, both imported. `again`: the search alone. A ratio is ours to `re`, of the medians of its rounds.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cortex_policy.core.ecma_regex import Regex

ROOT = sys.path[0]
LETTERS = "the-quick.brown_fox/jumps over 13 lazy dogs, and Zoë's cat; "
# each pattern, and what the value is made of: a beginning, what is repeated up to 1 kB, and an end
PATTERNS = [
    ("^[a-z0-9-]+$", "", "quick-brown-fox-13", ""),
    (r"^[\w.-]+$", "", "Quick_brown.fox-13", ""),
    (r"^[\w./-]+\.md$", "docs/", "guide/part-13/", "index.md"),
    ("^(?:docs|src|tests)/", "docs/", "quick brown fox", ""),
    (r"^https://[\w.-]+(?:/[^\s?#]*)?$", "https://example.org/", "quick/brown/fox/", ""),
    (r"^\S+$", "", "quick,brown;fox:13", ""),
    (r"^[^\x00-\x1f\x7f]*$", "", LETTERS, ""),
    (r"^(?!.*\.\.)[\w./-]+$", "", "quick/brown.fox/", ""),
    (r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z]).{8,}$", "Q1", "brown fox ", ""),
    (r"^\w+([.-]\w+)*@\w+([.-]\w+)*\.\w{2,}$", "", "quick.brown-fox.", "jo@example.org"),
    (r"^(?:[a-z0-9-]+\.)+[a-z]{2,}$", "", "quick.brown-fox.", "org"),
    (r"^(?:\d{1,3}\.){3}\d{1,3}(?:,(?:\d{1,3}\.){3}\d{1,3})*$", "10.0.0.1", ",192.168.13.254", ""),
    ("^[A-Za-z0-9+/]*={0,2}$", "", "cXVpY2sgYnJvd24gZm94", "=="),
    (r"^#[0-9a-fA-F]{6}(?:,\s*#[0-9a-fA-F]{6})*$", "#13a7ff", ", #c0ffee", ""),
    (r"^\d{4}-\d{2}-\d{2}(?:\s\d{4}-\d{2}-\d{2})*$", "2026-01-01", " 2025-12-31", ""),
    (r"^v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$", "v1.13.0-", "rc.1.build-7.", "x"),
    (r"^(?:feat|fix|docs)(?:\([a-z-]+\))?: .+$", "fix(core): ", LETTERS, ""),
    (r"^refs/heads/[^\s~^:?*\[\\]+$", "refs/heads/", "feature/quick-fox/", "x"),
    (r"\b(?:DROP|DELETE|TRUNCATE)\b", "SELECT * ", "FROM quick WHERE brown = 13 ", "; DROP TABLE fox"),
    (r"^SELECT\s[\w\s,.*=']+$", "SELECT ", "quick, brown.fox, '13' ", ""),
]
SIZE = 1_000
_FIRST = """
import sys
from time import perf_counter_ns as now
began = now()
{engine}
found = search(sys.argv[2])
print(now() - began, bool(found))
"""
_OURS = "from cortex_policy.core.ecma_regex import compile_pattern\nsearch = compile_pattern(sys.argv[1]).search"
_RE = "import re\nsearch = re.compile(sys.argv[1], re.ASCII).search"


def main() -> None:
    """Print a line for each pattern, and the median of each column."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print("| pattern | first use | compiled | again |\n|---|--:|--:|--:|")
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPATH": ROOT, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for pattern, start, middle, end in PATTERNS:
            value = start + (middle * SIZE)[: SIZE - len(start) - len(end)] + end
            theirs = re.sub(r"(?<!\\)\$$", r"\\Z", pattern)
            assert Regex(pattern).search(value) == bool(re.search(theirs, value, re.ASCII)), pattern  # noqa: S101
            row = [_first_uses(pattern, theirs, value, rounds, environment)]
            row.append(_ratio(lambda: Regex(pattern).search(value), lambda: _purge(theirs).search(value)))  # noqa: B023
            row.append(_ratio(_bind(Regex(pattern).search, value), _bind(re.compile(theirs, re.ASCII).search, value)))
            rows.append(row)
            text = pattern.replace("|", "\\|")
            print(f"| `{text}` | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.1f} |", flush=True)
    first, compiled, again = (median(column) for column in zip(*rows, strict=True))
    print(f"| median | {first:.2f} | {compiled:.2f} | {again:.1f} |")


def _first_uses(pattern: str, theirs: str, value: str, rounds: int, environment: dict[str, str]) -> float:
    times: dict[str, list[int]] = {_OURS: [], _RE: []}
    for _ in range(rounds + 1):  # the first writes what Python keeps of a module
        for engine, known in times.items():
            words = [sys.executable, "-c", _FIRST.format(engine=engine), theirs if engine == _RE else pattern, value]
            done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
            known.append(int(done.stdout.split()[0]))
    return median(times[_OURS][1:]) / median(times[_RE][1:])


def _purge(pattern: str) -> "re.Pattern[str]":
    re.purge()
    return re.compile(pattern, re.ASCII)


def _bind(search: Callable[[str], object], value: str) -> Callable[[], object]:
    return lambda: search(value)


def _ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(200):
        for work, known in zip((ours, theirs), times, strict=True):
            began = perf_counter_ns()
            work()
            known.append(perf_counter_ns() - began)
    return median(times[0]) / median(times[1])


if __name__ == "__main__":
    main()
