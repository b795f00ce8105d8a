"""A reader acknowledges each version that its decisions use, while it runs and no longer."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.core.model import StateError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.reader_acknowledgements import prune_and_list_acknowledgements
from cortex_policy.library.store import PolicyStore
from cortex_policy.manage.stamp.wait import wait_for_processes_of_reader
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import result_of

PATIENCE = 20.0
SERVICE = """
import sys
from cortex_policy import PolicyStore
with PolicyStore(reader="gateway") as store:
    print(store.decide("git", "tree").reason, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def stamped(root: Path) -> Path:
    """Stamp the root."""
    assert result_of("stamp", "write", "--allow-widening").returncode == 0
    return root


@pytest.mark.usefixtures("stamped")
def test_a_write_is_acknowledged_by_each_process_of_a_reader(state: Path) -> None:
    """No other user may read the files."""
    with PolicyStore(reader="gateway"), PolicyStore(reader="gateway"), PolicyStore(reader="other"):
        assert [
            reader.version
            for reader in wait_for_processes_of_reader(find_named_or_only_root(), "gateway", None, PATIENCE)
        ] == [1, 1]
        assert result_of("set", "git", "--rate", "5").returncode == 0
        done = result_of("stamp", "wait", "--reader", "gateway", "--timeout", str(PATIENCE))
        assert (done.returncode, done.stdout.splitlines()) == (0, [f"gateway, process {os.getpid()}: version 2"] * 2)
        files = [file for file in state.iterdir() if file.name.startswith("reader-")]
        assert len(files) == 3
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not [file for file in state.iterdir() if "reader" in file.name]


@pytest.mark.usefixtures("stamped")
def test_waiting_for_a_version_that_no_reader_uses_times_out() -> None:
    """The message says which reader uses which version, or that there is none."""
    with pytest.raises(NotDoneError, match="no process has acknowledged"):
        wait_for_processes_of_reader(find_named_or_only_root(), "gateway", None, 0)
    with PolicyStore(reader="gateway"), pytest.raises(NotDoneError, match=f"process {os.getpid()} runs version 1"):
        wait_for_processes_of_reader(find_named_or_only_root(), "gateway", 2, 0)
    done = result_of("stamp", "wait", "--reader", "gateway", "--timeout", "0")
    assert (done.returncode, done.stdout) == (3, "")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.usefixtures("stamped")
def test_a_reader_that_has_ended_does_not_count(state: Path, end: int) -> None:
    """Whatever its process id is used for now; the next one who looks removes its file."""
    service = subprocess.Popen([sys.executable, "-c", SERVICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert service.stdout is not None
    assert service.stdout.readline() == b"allowed\n"
    assert [
        reader.pid for reader in wait_for_processes_of_reader(find_named_or_only_root(), "gateway", 1, PATIENCE)
    ] == [service.pid]
    service.send_signal(end)
    service.communicate()
    assert list(prune_and_list_acknowledgements(find_named_or_only_root(), "gateway")) == []
    assert not [file for file in state.iterdir() if file.name.startswith("reader-")]


@pytest.mark.usefixtures("stamped")
def test_a_child_of_a_reader_neither_removes_nor_keeps_its_acknowledgement() -> None:
    """The acknowledgement belongs to the parent."""
    with PolicyStore(reader="gateway") as store:
        ready, say_ready = os.pipe()
        done, say_done = os.pipe()
        child = os.fork()
        if not child:
            os.close(say_done)
            os.write(say_ready, b".")
            os.read(done, 1)
            os._exit(0)
        os.read(ready, 1)
        assert [reader.pid for reader in prune_and_list_acknowledgements(find_named_or_only_root(), "gateway")] == [
            os.getpid()
        ]
        store.close()
        assert list(prune_and_list_acknowledgements(find_named_or_only_root(), "gateway")) == []
        os.close(say_done)
        os.waitpid(child, 0)
        for descriptor in (ready, say_ready, done):
            os.close(descriptor)


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 200, 3])
def test_the_name_of_a_reader_must_be_a_word(root: Path, name: str) -> None:
    """For the reader, and for whoever waits for it."""
    with pytest.raises(UsageError):
        PolicyStore(root, reader=name)
    with pytest.raises(UsageError):
        wait_for_processes_of_reader(find_named_or_only_root(), name)


def test_a_reader_that_cannot_acknowledge_does_not_start(stamped: Path, state: Path) -> None:
    """A deployment would wait for it for ever."""
    state.chmod(0o777)
    with pytest.raises(StateError):
        PolicyStore(stamped, reader="gateway")
    state.chmod(0o700)


def test_stamp_wait_needs_something_to_wait_for(stamped: Path) -> None:
    """A reader or a version; and a root without a stamp has no version."""
    assert result_of("stamp", "wait").returncode == 2
    (stamped / ".cortex" / "policy" / "stamp.json").unlink()
    done = result_of("stamp", "wait", "--reader", "gateway")
    assert done.returncode == 3
    assert "stamp write" in done.stderr
