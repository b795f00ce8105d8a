"""The end of the process: its code, whatever ended it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys
import cortex_policy.main
close, done = os.close, []
def close_and_interrupt(descriptor):
    close(descriptor)
    if not done and sys._getframe(1).f_code.co_filename.endswith("paths.py"):
        done.append(1)
        os.kill(os.getpid(), signal.SIGINT)
os.close = close_and_interrupt
sys.argv = ["cortex-policy", *{words!r}]
cortex_policy.main.main()
"""
"""A program whose Ctrl-C comes between the closing of a descriptor and the note that it is closed."""


@pytest.mark.usefixtures("root")
def test_ctrl_c_between_the_closing_of_a_descriptor_and_its_note_is_no_bug(root: Path) -> None:
    """The descriptor is closed twice, which is an error of its own."""
    (root / "docs" / "a").mkdir(parents=True, exist_ok=True)
    words = ["check", "git", "tree", "--path", "docs/a"]
    program = PROGRAM.format(words=words)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
