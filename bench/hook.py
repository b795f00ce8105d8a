"""Print how long an agent waits for its hook, as ratios to `python -I -c pass`: python bench/hook.py [PAIRS]."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from startup import WARM_UPS, installed

CALL = b"toolu_"  # each call has an id of its own, which a number makes of this
GOAL = "1.6"  # of an allowed call, the fork included
GRANT = {"tool": "fs", "actions": ["write"], "rate": {"perMinute": 1_000_000}, "fsScope": ["docs"]}
RULES = """\
format = 1
unmapped = "deny"

[[rule]]
tools = ["Read", "Grep", "Glob", "LS"]
decide = "pass"

[[rule]]
tools = ["Write", "Edit", "NotebookEdit"]
grant = "fs"
action = "write"
within = "root"
ignore = ["content", "old_string", "new_string"]
"""


class Case(NamedTuple):
    """A payload, the code that it must be answered with, and the ratio it should not exceed."""

    name: str
    payload: bytes
    code: int = 0
    goal: str = ""


def cases(root: Path) -> list[Case]:
    """Return what is timed."""
    return [
        Case("allowed by a grant, counted", payload(root, "Write", "docs/x"), goal=GOAL),
        Case("passed by a rule", payload(root, "Read", "docs/x"), goal=GOAL),
        Case("allowed, 1 MiB of text", payload(root, "Write", "docs/x", "x" * (1 << 20))),
        Case("denied by a grant", payload(root, "Write", "x"), 2),
        Case("denied by the rules", payload(root, "WebFetch", "docs/x"), 2),
    ]


def payload(root: Path, tool: str, path: str, content: str = "text") -> bytes:
    """Return what Claude Code sends."""
    return json.dumps({
        "session_id": "s", "transcript_path": "/t", "cwd": str(root), "permission_mode": "default",
        "hook_event_name": "PreToolUse", "tool_name": tool, "tool_use_id": CALL.decode(),
        "tool_input": {"file_path": f"{root}/{path}", "content": content},
    }).encode()  # fmt: skip


def scratch_root(top: Path) -> Path:
    """Make a root with rules and a grant."""
    root = top / "root"
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (root / "docs").mkdir()
    (tools / "fs.json").write_text(json.dumps(GRANT))
    (tools.parent / "hooks.toml").write_text(RULES)
    return root


def milliseconds(words: list[str], given: bytes, environment: dict[str, str], expected: int) -> float:
    """Time one whole process; end the run where it answers another code than expected."""
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        began = time.perf_counter_ns()
        done = subprocess.run(
            words, stdin=file, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        took = (time.perf_counter_ns() - began) / 1e6
    if done.returncode != expected:
        sys.exit(f"`{' '.join(words)}` ended with {done.returncode}, not {expected}")
    return took


def main(pairs: int) -> None:
    """Run a hook for each payload in turn with a bare Python, as it is installed, and print the ratios.

    A hook believes no variable, so that its rate state is that of whoever runs this.
    """
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        programs, root = installed(top), scratch_root(top)
        environment = {"HOME": str(top)}
        python = [f"{programs}/python", "-I"]
        hook = [*python, f"{programs}/cortex-policy", "hook", "claude", "--root", str(root), "--deadline", "8"]
        print(f"ratio to `python -I -c pass`, {pairs} pairs, Python {sys.version.split()[0]}\n")
        print("| call of a tool | median | min | max | goal |\n|---|---|---|---|---|")
        for case in cases(root):
            ratios = []
            for number in range(WARM_UPS + pairs):
                given = case.payload.replace(CALL, b"%s%d" % (CALL, number))
                ours = milliseconds([*hook, "--install", "user"], given, environment, case.code)
                ratios.append(ours / milliseconds([*python, "-c", "pass"], b"", environment, 0))
            kept = ratios[WARM_UPS:]
            print(f"| {case.name} | {median(kept):.2f} | {min(kept):.2f} | {max(kept):.2f} | {case.goal} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
