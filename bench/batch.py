"""Print what a line of `check --batch` costs: bench/batch.py [LINES].

Beside it, in turns: a loop that reads the same lines with `json` and prints an answer of the same size, and pycasbin in
a loop, which looks at no file system and counts nothing. All run as processes of their own, with input and output in
files; processor time counts.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from resident import open_scratch_root
from startup import install_wheel

ROUNDS = 5
GOAL_RATE, GOAL_OF_LOOP, GOAL_OF_CASBIN = 50_000, 0.4, 1.5
LOOP = """
import json, sys
answer = json.load(open(sys.argv[1]))
for line in sys.stdin:
    answer["id"] = json.loads(line)["id"]
    print(json.dumps(answer))
"""
CASBIN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from decision_competitors import pycasbin
decide = pycasbin(os.getcwd())
for _ in sys.stdin:
    print(decide())
"""


def lines(count: int) -> str:
    """Return requests: each another path of a hundred, most below a scope that allows them."""
    call = {"grant": "git", "action": "tree"}
    return "".join(
        json.dumps({**call, "args": {"path": f"docs/guide-{number % 100}.md"}, "id": number}) + "\n"
        for number in range(count)
    )


def processor_seconds(words: list[str], top: Path, requests: str) -> float:
    """Run a program over the lines, and return its processor time; it must answer each."""
    with open(top / requests, encoding="utf-8") as source, open(top / "answers", "w", encoding="utf-8") as target:
        process = subprocess.Popen(words, stdin=source, stdout=target, cwd=top / "root")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"`{words[0]}` ended with {process.returncode}")
    with open(top / "answers", "rb") as answers, open(top / requests, "rb") as source:
        if sum(1 for _ in answers) != sum(1 for _ in source):
            sys.exit(f"`{words[0]}` did not answer each line")
    return usage.ru_utime + usage.ru_stime


def measure(top: Path, count: int, programs: dict[str, list[str]]) -> dict[str, list[float]]:
    """Return the seconds a line takes in each program, without its start, round by round."""
    (top / "many").write_text(lines(count))
    (top / "one").write_text(lines(1))
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, words in programs.items():
            start = processor_seconds(words, top, "one")
            found[name].append((processor_seconds(words, top, "many") - start) / (count - 1))
            time.sleep(0.1)
    return found


def main(count: int) -> None:
    """Print a row for each program, and the ratios."""
    with tempfile.TemporaryDirectory(prefix="batch-") as directory:
        top = Path(directory)
        python = install_wheel(top) / "python"
        has_casbin = not subprocess.run([python, "-m", "pip", "install", "-q", "pycasbin"], check=False).returncode
        open_scratch_root(top)
        for number in range(100):
            (top / f"root/docs/guide-{number}.md").write_text("")
        ours = [f"{python.parent}/cortex-policy", "check", "--batch", "-"]
        (top / "one").write_text(lines(1))
        processor_seconds(ours, top, "one")
        (top / "answer").write_text((top / "answers").read_text())
        programs = {
            "check --batch": ours,
            "a loop that reads and prints JSON": [str(python), "-c", LOOP, f"{top}/answer"],
            **({"pycasbin in a loop": [str(python), "-c", CASBIN, str(Path(__file__).parent)]} if has_casbin else {}),
        }
        found = measure(top, count, programs)
    print("| program | us a line, best | us, median | lines a second, best |\n|---|--:|--:|--:|")
    for name, took in found.items():
        print(f"| {name} | {min(took) * 1e6:.1f} | {median(took) * 1e6:.1f} | {1 / min(took):,.0f} |")
    ours_took, loop_took, *casbin_took = map(min, found.values())
    print(f"\n- {1 / ours_took:,.0f} decisions a second, goal {GOAL_RATE:,}")
    print(f"- {loop_took / ours_took:.2f} of the loop, goal {GOAL_OF_LOOP}")
    for took in casbin_took:
        print(f"- {took / ours_took:.2f} times pycasbin, goal {GOAL_OF_CASBIN}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150_000)  # five rounds fit into a million a minute
