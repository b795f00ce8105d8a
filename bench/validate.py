"""Validation beside check-jsonschema, whole processes, one schema: python bench/validate.py [GRANTS] [ROUNDS]."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median
from typing import NamedTuple

from startup import install_wheel, milliseconds, scratch_environment

PEER = "check-jsonschema>=0.33"
BROKEN = 10  # one file in this number has a problem


class Case(NamedTuple):
    """What is timed, the exit code of both, and how many times faster ours must be."""

    name: str
    directory: str
    code: int
    least: float
    is_one_file: bool = False


CASES = (
    Case("valid", "valid", 0, 3),
    Case("a problem in one of ten", "broken", 1, 2),
    Case("one file", "valid", 0, 1 / 0.6, is_one_file=True),
)


def make_root(top: Path, name: str, grants: int, *, is_broken: bool) -> Path:
    """Make a root with this number of grants."""
    tools = top / name / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    for directory in ("apps/cortex-os", "packages", "docs"):
        (top / name / directory).mkdir(parents=True)
    for number in range(grants):
        rate: object = "30" if is_broken and number % BROKEN == 0 else 30
        (tools / f"tool-{number}.json").write_text(_text(number, rate))
    return top / name


def _text(number: int, rate: object) -> str:
    grant = {
        "tool": f"tool-{number}",
        "actions": ["tree", "snippet", "search"],
        "args": {"repo": {"type": "string"}, "path": {"type": "string"}},
        "dataClass": "internal",
        "rate": {"perMinute": rate},
        "fsScope": ["apps/cortex-os", "packages", "docs"],
    }
    return json.dumps(grant, indent=2) + "\n"


def peer(top: Path) -> Path:
    """Install the peer in an environment of its own."""
    venv.create(top / "peer", with_pip=True)
    subprocess.run([top / "peer" / "bin" / "python", "-m", "pip", "install", "-q", PEER], check=True)
    return top / "peer" / "bin" / "check-jsonschema"


def main(grants: int = 10_000, rounds: int = 7) -> int:
    """Time both in turn, print the ratios, and return 1 where ours is not as fast as is claimed."""
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        ours, theirs, environment = install_wheel(top) / "cortex-policy", peer(top), scratch_environment(top)
        schema = top / "schema.json"
        schema.write_bytes(subprocess.run([ours, "schema"], capture_output=True, check=True).stdout)
        for name in ("valid", "broken"):
            make_root(top, name, grants, is_broken=name == "broken")
        print(f"{grants} grants, {os.cpu_count()} cores, Python {sys.version.split()[0]}, medians of {rounds} pairs\n")
        print("| whole process | check-jsonschema / ours | min | max | at least |\n|---|---|---|---|---|")
        has_failed = False
        for case in CASES:
            root = top / case.directory
            files = sorted(map(str, root.glob(".cortex/policy/tools/*.json")))[: 1 if case.is_one_file else None]
            mine = [str(ours), "validate", *(files if case.is_one_file else ())]
            other = [str(theirs), "--schemafile", str(schema), *files]
            ratios = [
                milliseconds(other, root, environment, case.code) / milliseconds(mine, root, environment, case.code)
                for _ in range(rounds)
            ]
            has_failed |= median(ratios) < case.least
            spread = f"{median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f}"
            print(f"| {case.name} | {spread} | {case.least:.2f} |")
        return int(has_failed)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
