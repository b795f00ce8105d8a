"""Print how long commands take as whole processes, as ratios to `python -c pass`: python bench/startup.py [PAIRS]."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

GRANT = {
    "tool": "git-map",
    "actions": ["tree"],
    "args": {"path": {"type": "string"}},
    "rate": {"perMinute": 100_000},
    "fsScope": ["docs"],
}
WARM_UPS = 3


def installed(top: Path) -> Path:
    """Build the wheel, install it in a fresh environment, and return where its programs are."""
    wheels = top / "wheels"
    checkout = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, checkout], check=True)
    venv.create(top / "venv", with_pip=True)
    programs = top / "venv" / "bin"
    subprocess.run([programs / "python", "-m", "pip", "install", "-q", *wheels.glob("*.whl")], check=True)
    return programs


def scratch_root(top: Path) -> Path:
    """Make a root whose one grant has a scope and a rate that the runs do not use up."""
    root = top / "root"
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (root / "docs").mkdir()
    (tools / "git.json").write_text(json.dumps(GRANT))
    (top / "state").mkdir(mode=0o700)
    return root


def milliseconds(words: list[str], root: Path, environment: dict[str, str], expected: int) -> float:
    """Time one whole process; end the run where it answers another code than expected."""
    began = time.perf_counter_ns()
    done = subprocess.run(
        words, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    took = (time.perf_counter_ns() - began) / 1e6
    if done.returncode != expected:
        sys.exit(f"`{' '.join(words)}` ended with {done.returncode}, not {expected}")
    return took


def main(pairs: int) -> None:
    """Run each command in turn with a bare Python and print the ratios."""
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        programs, root = installed(top), scratch_root(top)
        environment = {**os.environ, "CORTEX_POLICY_STATE_DIR": str(top / "state")}
        bare = [str(programs / "python"), "-c", "pass"]
        program = str(programs / "cortex-policy")
        commands = [
            ("check, allowed", [program, "check", "git", "tree", "--path", "docs/x"], 0),
            ("check, denied", [program, "check", "git", "push"], 10),
            ("--help", [program, "--help"], 0),
        ]
        print(f"ratio to `python -c pass`, {pairs} pairs, Python {sys.version.split()[0]}\n")
        print("| command | median | min | max |\n|---|---|---|---|")
        for name, words, code in commands:
            ratios = []
            for turn in range(WARM_UPS + pairs):
                ours = milliseconds(words, root, environment, code)
                ratio = ours / milliseconds(bare, root, environment, 0)
                ratios += [ratio] if turn >= WARM_UPS else []
            print(f"| {name} | {statistics.median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
