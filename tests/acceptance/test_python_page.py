"""What docs/python.md shows runs as it stands, in one process, beside the commands it shows."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.checkout import page

PAGE = page("python")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\$ cortex-policy (.+)$", PAGE, re.MULTILINE)
# what the page leaves to its reader: a log, and calls of what it has made
BEFORE = """
import logging
import sys

log = logging.getLogger("service")
log.addHandler(logging.StreamHandler(sys.stdout))
log.setLevel(logging.INFO)
"""
AFTER = """
import asyncio

assert decision.allowed
asyncio.run(tree("here", target="docs/guide.md"))
try:
    asyncio.run(tree("here", "outside"))
except AccessDenied as denied:
    print(denied.decision.reason, flush=True)
sys.stdin.readline()  # until the commands are done
end()
store.close()
"""


def test_the_page_runs_beside_its_commands(root: Path) -> None:
    """A store decides, guards, tells of the change that a command makes, and proves that it runs it."""
    code = "\n".join([BEFORE, *(block.replace('"/srv/app"', repr(str(root))) for block in BLOCKS), AFTER])
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # what fails below closes its input, and it ends
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "path_outside_scope\n"
        said = [told(command) for command in COMMANDS]
        assert re.fullmatch(rf"gateway, process {process.pid}: version \d+\n", said[-1])
        assert process.stdout.readline() == "git narrowed\n"
    assert process.returncode == 0


def told(command: str) -> str:
    """Run a command of the page; return what it prints."""
    words = [sys.executable, "-m", "cortex_policy", *command.split()]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_every_block_is_run() -> None:
    """Those of other kinds are the commands, and what they print."""
    assert len(BLOCKS) == 3
    assert len(re.findall(r"^```\w", PAGE, re.MULTILINE)) == len(BLOCKS) + 1
    assert [command.split()[0] for command in COMMANDS] == ["set", "stamp"]
