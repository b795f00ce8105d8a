"""The lock of writers says who holds it, and what it says is nobody's lock."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state import Root, users
from cortex_policy.state.writer_lock import hold_writer_lock

HOLDER = """
import sys
from cortex_policy.state import Root
from cortex_policy.state.writer_lock import hold_writer_lock
with hold_writer_lock(Root(sys.argv[1], trusts_owner=False)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(found_root: Root) -> Path:
    """Name the lock."""
    return Path(found_root.path, ".cortex", "policy", ".lock")


@contextmanager
def held(found_root: Root) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock."""
    words = [sys.executable, "-c", HOLDER, found_root.path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def test_the_second_writer_learns_who_holds_the_lock(found_root: Root, lock: Path) -> None:
    """By user, process and time, and how to wait."""
    with held(found_root) as holder:
        with pytest.raises(NotDoneError) as caught, hold_writer_lock(found_root):
            pass
        user = users.format_user(os.geteuid())
        assert caught.value.detail.startswith(f"{user} (pid {holder.pid}) has been writing grants for ")
        assert caught.value.hint == "wait with `--wait 60`"
        assert lock.stat().st_mode & 0o777 == 0o600
        who = json.loads(lock.read_text())
        lock.write_text(json.dumps({**who, "host": "elsewhere", "since": 0}))
        with pytest.raises(NotDoneError, match=rf"\(pid {holder.pid} on elsewhere\) has been .* for \d+ days$"):
            hold_writer_lock(found_root).__enter__()


@pytest.mark.parametrize(
    ("pid", "host", "age", "is_advised"),
    [(0, "", 59, False), (0, "", 600, True), (0, "elsewhere", 600, False), (1, "", 600, False), (-1, "", 600, False)],
)
def test_a_long_edit_may_be_ended(
    found_root: Root, lock: Path, pid: int, host: str, age: int, *, is_advised: bool
) -> None:
    """Whoever waits is told which grant is edited, and how to end a session that somebody left."""
    with held(found_root) as holder:
        who = json.loads(lock.read_text())
        said = {
            "pid": pid or holder.pid,
            "host": host or who["host"],
            "since": who["since"] - age,
            "command": "edit git",
        }
        lock.write_text(json.dumps({**who, **said}))
        with pytest.raises(NotDoneError, match="has been in `edit git` for ") as caught:
            hold_writer_lock(found_root).__enter__()
        advice = f"; if nobody sits there, `kill {holder.pid}` ends it and keeps its text"
        assert caught.value.hint == f"wait with `--wait 60`{advice if is_advised else ''}"


@pytest.mark.parametrize(
    "text", ["", "\n", "x", "[]", "{}", '{"host": 1}', "\0" * 5000, "[" * 5000, '{"host": "x", "since": 1e99}']
)
def test_an_unreadable_holder_still_holds_the_lock(found_root: Root, lock: Path, text: str) -> None:
    """What it says is only said."""
    with held(found_root):
        lock.write_text(text)
        with pytest.raises(NotDoneError, match="another process is writing grants"), hold_writer_lock(found_root):
            pass


def test_a_lock_of_a_dead_holder_is_free(found_root: Root, lock: Path) -> None:
    """The lock is free, and the next one writes its own name over it, however long the old one was."""
    with held(found_root) as holder:
        pass
    assert holder.pid == json.loads(lock.read_text())["pid"]
    lock.write_text(lock.read_text() + "x" * 5000)
    with hold_writer_lock(found_root):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_a_lock_that_is_a_second_name_of_another_file_is_not_written(found_root: Root, lock: Path) -> None:
    """Nothing is written to what stands elsewhere."""
    other = Path(found_root.path, "other")
    other.write_text("kept")
    lock.hardlink_to(other)
    with pytest.raises(NotDoneError, match="more than one link"), hold_writer_lock(found_root):
        pass
    assert other.read_text() == "kept"


def test_a_holder_that_cannot_write_its_name_still_writes(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk stops the write itself, if it has to; a user without a name has a number."""

    def refusing(*_: object) -> int:
        raise OSError(28, "no space left on device")

    def nameless(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(os, "pwrite", refusing)
    monkeypatch.setattr(users.pwd, "getpwuid", nameless)
    with hold_writer_lock(found_root) as held_lock:
        assert held_lock.policy.path
    assert users.format_user(os.geteuid()) == f"user {os.geteuid()}"
