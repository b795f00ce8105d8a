"""A clock that is set forward or back changes no budget."""

import shutil
import subprocess
import sys
import time

import pytest

CHECK = [sys.executable, "-m", "cortex_policy", "check", "git", "tree"]


def at(offset: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program under a wall clock that is off by so much."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed here")
    line = ["faketime", "--exclude-monotonic", "-f", offset, *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("steps", [["+1h", "-1h"], ["-1h", "+1h"], ["+3650d", "-3650d"]], ids=" ".join)
@pytest.mark.usefixtures("root")
def test_a_step_of_the_wall_clock_frees_nothing(steps: list[str]) -> None:
    """Thirty a minute are thirty, whatever the date says at each of them."""
    assert subprocess.run([*CHECK, "--cost", "28"], check=False).returncode == 0
    for step in steps:
        told = at(step, sys.executable, "-c", "import time; print(time.time())").stdout
        assert abs(float(told) - time.time()) > 3000, "the clock was not moved"
        assert at(step, *CHECK).returncode == 0
    for step in (*steps, "+0"):
        assert at(step, *CHECK).returncode == 14
