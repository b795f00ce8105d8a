"""Sockets of servers."""

import fcntl
import os
import socket
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.hook_server.listeners import UnixListener


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a directory that is ours alone; a listener changes the working directory."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "private"
    made.mkdir(mode=0o700)
    return made


def test_a_socket_of_a_server_that_is_starting_is_no_leftover(directory: Path) -> None:
    """It does not listen yet; if another one replaced it, both would run, and one would never be asked."""
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with socket.socket(socket.AF_UNIX) as starting:
        starting.bind(str(directory / "s"))
        before = (directory / "s").stat().st_ino
        with pytest.raises(NotDoneError, match="another server is starting"):
            UnixListener(str(directory / "s"))
        assert (directory / "s").stat().st_ino == before
    fcntl.flock(lock, fcntl.LOCK_UN)
    listener = UnixListener(str(directory / "s"))
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is free again
    os.close(lock)
    listener.close()


@pytest.mark.parametrize("kind", ["open", "link", "missing"])
def test_a_directory_that_is_not_ours_alone_is_refused_and_left_as_it_is(directory: Path, kind: str) -> None:
    """No hint would change or remove a directory such as `/tmp`."""
    names = {"open": directory.parent / "open", "link": directory.parent / "link", "missing": directory / "no" / "such"}
    names["open"].mkdir()
    names["open"].chmod(0o755)
    names["link"].symlink_to(directory)
    with pytest.raises(NotDoneError) as raised:
        UnixListener(str(names[kind] / "s"))
    assert "rm " not in raised.value.hint
    assert "chmod" not in raised.value.hint
    assert not list(directory.iterdir())
