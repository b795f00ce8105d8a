"""docs/requests.md: its commands answer what the page says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.checkout import page

PAGE = page("requests")
BATCH, AUTHZEN = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINE = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def run(block: str, root: Path) -> None:
    """Run a block of the page in a root; it must end with 0."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", block],
        env={**os.environ, "PATH": path}, cwd=root, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_line_of_the_page_is_answered(root: Path) -> None:
    """With its id."""
    (root / "calls.jsonl").write_text(LINE)
    run(BATCH, root)
    answer = json.loads((root / "answers.jsonl").read_text())
    assert (answer["decision"], answer["id"]) == (True, json.loads(LINE)["id"])


def test_the_request_of_the_page_is_permitted_and_counts_nothing(root: Path) -> None:
    """The answer has the other members in its context."""
    run(AUTHZEN.replace("check --request -", "check --request - > answers"), root)
    answer = json.loads((root / "answers").read_text())
    assert answer["decision"] is True
    assert (answer["context"]["reason"], answer["context"]["rate"]["used"]) == ("allowed", 0)
