"""A long run is seen on a terminal, and nowhere else."""

import subprocess
import sys

import pexpect
import pytest

SCRIPT = """
from cortex_policy.cli.output import progress
progress.DELAY_SECONDS = {patience}
progress._FRAME_SECONDS = 0
print(sum(progress.track_progress([1, 2, 3, 4])))
"""


@pytest.mark.parametrize(
    ("patience", "term", "is_proxy_id"), [(0, "xterm", True), (60, "xterm", False), (0, "dumb", False)]
)
def test_a_terminal_sees_how_far_it_is_once_it_takes_long(patience: int, term: str, *, is_proxy_id: bool) -> None:
    """The items come all the same, and nothing is left of the bar."""
    words = ["-c", SCRIPT.format(patience=patience)]
    child = pexpect.spawn(sys.executable, words, encoding="utf-8", env={"TERM": term, "COLUMNS": "80"}, timeout=30)
    seen = child.read()
    assert ("3/4" in seen) == is_proxy_id
    assert seen.replace("\x1b[?25h", "").rstrip().endswith("10")


def test_a_pipe_sees_no_bar() -> None:
    """A log stays one line a grant."""
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(patience=0)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("10\n", "")
