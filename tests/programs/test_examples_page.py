"""The grants of the examples are what their programs need, and the page about them can be pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.examples import EXAMPLES, Example

PAGE = (EXAMPLES / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/.cortex"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy all of them to where a clone has them."""
    (tmp_path / "examples").mkdir()
    for name in NAMES:
        Example(name, tmp_path / "examples")
    return tmp_path


def pasted(checkout: Path, block: str) -> "subprocess.CompletedProcess[str]":
    """Run a block of the page in a shell, with this Python and its programs on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", block],
        cwd=checkout,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def block(word: str) -> str:
    """Return the one block that holds a word."""
    (found,) = (text for text in BLOCKS if word in text)
    return found


def test_every_example_grant_is_valid_and_covered_by_its_cases(checkout: Path) -> None:
    """As the page does it; only a grant with scopes has notes."""
    done = pasted(checkout, block("validate --strict"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^1 file is valid$|: 2 notes$", done.stdout, re.MULTILINE)) == len(NAMES) == 5
    assert len(re.findall(r"cases in 1 file, all pass; coverage 100%$", done.stdout, re.MULTILINE)) == 5


def test_the_supervisor_works_as_its_page_says(checkout: Path) -> None:
    """Two of four are written."""
    done = pasted(checkout, block("supervisor.py"))
    assert (done.returncode, done.stdout.count('"written": true'), done.stdout.count("\n")) == (1, 2, 4), done.stderr


def test_the_workers_work_as_their_page_says(checkout: Path) -> None:
    """Where ten of the budget were used almost a minute ago, what is left of the forty comes soon after the twentieth."""
    budget = Example("workers", checkout / "elsewhere")
    budget.root = checkout / "examples" / "workers"
    budget.spend("digests", "compute", *[59.0] * 10)
    jobs = budget.root / "jobs.txt"
    assert len(jobs.read_text().splitlines()) == 40
    jobs.write_text("".join(jobs.read_text().splitlines(keepends=True)[:25]))
    done = pasted(checkout, block("workers.py"))
    assert (done.returncode, done.stdout.count('"done": true')) == (0, 25), done.stderr


def test_the_page_names_every_example_and_the_gateway_as_it_is_started() -> None:
    """What the tests of the gateway start is what the page starts, and each status that it answers is in the table."""
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1/\1\.py\) \|", PAGE, re.MULTILINE)) == NAMES
    assert "--factory gateway:create --workers 2" in block("uvicorn")
    table = {
        int(status) for row in re.findall(r"^\| ([45][\d, ]+) \|", PAGE, re.MULTILINE) for status in row.split(",")
    }
    assert table == {400, 403, 413, 429, 502, 503, 504}
