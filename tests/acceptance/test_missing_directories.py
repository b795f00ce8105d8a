"""A file that a command is told to write, in a directory that does not exist yet."""

import os
import subprocess
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.hook_server.listeners import UnixListener
from cortex_policy.hook_server.secret_file import read_or_make_secret
from tests.support.command import result_of


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("file", ["no/x", "a b/c/x", "-d/x", "docs/new/x"])
@pytest.mark.parametrize(
    "words",
    [
        ("validate", "--output", "junit={}"),
        ("test", "--output", "json={}"),
        ("export", "--format", "loader", "--out={}"),
        ("audit", "send", "http://127.0.0.1:1/", "log", "--cursor={}"),
        ("init", "--root={}"),
    ],
    ids=" ".join,
)
def test_the_directory_is_named_with_the_command_that_makes_it(words: tuple[str, ...], file: str) -> None:
    """Typed as it is printed; then the command does what it was asked."""
    Path("log").touch()
    asked = [word.format(file) for word in words]
    said = result_of(*asked).stderr
    directory = file if words[0] == "init" else os.path.dirname(file)
    assert f"`{directory}`" in said
    command = said.partition("hint: make it with `")[2].partition("`")[0]
    subprocess.run(["sh", "-c", command], check=True)
    assert "make it with" not in result_of(*asked).stderr
    assert Path(file).exists()


def test_a_socket_and_a_secret_need_a_directory_of_their_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command makes one that is."""
    monkeypatch.chdir(tmp_path)  # a listener leaves the directory, and the tests that follow must not
    socket, key = str(tmp_path / "a" / "b" / "socket"), str(tmp_path / "c" / "d" / "key")
    for make, path in ((UnixListener, socket), (read_or_make_secret, key)):
        with pytest.raises(NotDoneError) as caught:
            make(path)
        assert f"there is no directory `{os.path.dirname(path)}`" in caught.value.detail
        subprocess.run(["sh", "-c", caught.value.hint.split("`")[1]], check=True)
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700
    UnixListener(socket).close()
    assert read_or_make_secret(key)


@pytest.mark.usefixtures("root")
def test_what_no_command_can_make_is_not_advised() -> None:
    """A link that leads nowhere, and a file in the place of the directory."""
    Path("link").symlink_to("nowhere")
    Path("file").touch()
    for file in ("link/x", "link/a/x", "file/x"):
        assert "hint" not in result_of("export", "--format", "loader", "--out", file).stderr
