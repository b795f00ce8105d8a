"""`stamp wait` as a process of its own, beside a writer."""

import json
import subprocess
import time

import pytest

from tests.support.command import PROGRAM
from tests.support.command import run_command as run


@pytest.mark.usefixtures("root")
def test_stamp_wait_ends_when_the_version_is_there() -> None:
    """It takes no lock, so the write goes on."""
    waiter = subprocess.Popen(
        [*PROGRAM, "stamp", "wait", "--version", "1", "--timeout", "60", "--json"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    assert waiter.poll() is None
    run("set", "git", "--rate", "1")
    out, _ = waiter.communicate(timeout=60)
    assert waiter.returncode == 0
    assert json.loads(out)["stamp"]["version"] == 1
    assert run("stamp", "wait", "--version", "1").stdout.startswith("version 1, ")
