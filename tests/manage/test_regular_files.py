"""What is named for reading is read where it is a regular file, and is never waited for where it is not."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from cortex_policy.manage.regular_files import read_regular_file_following_links


@pytest.mark.parametrize("name", ["pipe", "/dev/null", "."])
def test_a_file_that_is_not_regular_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe without a writer, a device, a directory; links to them too."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.symlink(name, "link")
    for each in (name, "link"):
        with pytest.raises(OSError, match="it is not a regular file"):
            read_regular_file_following_links(each, 9)


def test_a_pipe_swapped_in_for_a_file_is_neither_opened_nor_waited_for(tmp_path: Path) -> None:
    """There is no instant between the look and the opening."""
    file, pipe, name = tmp_path / "file", tmp_path / "pipe", tmp_path / "name"
    file.write_text("text")
    os.mkfifo(pipe)
    is_done = threading.Event()

    def swap() -> None:
        while not is_done.is_set():
            for target in (file, pipe):
                os.symlink(target, tmp_path / "new")
                os.replace(tmp_path / "new", name)

    swapper = threading.Thread(target=swap)
    swapper.start()
    found = set()
    for _ in range(500):
        with suppress(OSError):
            found.add(read_regular_file_following_links(str(name), 9))
    is_done.set()
    swapper.join()
    assert found <= {b"text"}
