"""Processes of this host, and what they do in a while."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest


def wait_until(condition: Callable[[], object], what: str = "it never happens") -> None:
    """Wait until something holds; fail with `what` if it does not within 20 seconds."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail(what)


def command_lines() -> dict[int, list[str]]:
    """Return the words of each process by its number; those of one that has ended are ['']."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it is gone
            found[int(file.parent.name)] = file.read_bytes().decode(errors="replace").split("\0")
    return found


def is_alive(process: int) -> bool:
    """Whether a process runs."""
    try:
        return b"Z" not in Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
