"""A file is replaced whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.state.files import replace


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """Open a directory."""
    (tmp_path / "d").mkdir()
    descriptor = os.open(tmp_path / "d", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def file(directory: int, tmp_path: Path) -> Path:
    """Name a file in it."""
    assert directory
    return tmp_path / "d" / "x"


def names(file: Path) -> list[str]:
    """Return what stands beside a file, and the file."""
    return [path.name for path in file.parent.iterdir()]


def test_owner_and_mode_are_kept(directory: int, file: Path) -> None:
    """A new file gets the mode it is given."""
    replace(directory, "x", b"one", 0o600)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one", 0o600)
    file.chmod(0o640)
    replace(directory, "x", b"two")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o640)


def test_a_file_that_everyone_could_write_is_closed(directory: int, file: Path) -> None:
    """No check believes one; what else its mode says is kept."""
    file.write_bytes(b"one")
    file.chmod(0o666)
    replace(directory, "x", b"two")
    assert file.stat().st_mode & 0o777 == 0o664


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a group away")
def test_the_group_is_kept_where_the_directory_gives_its_own(directory: int, file: Path) -> None:
    """In a setgid directory a new file has its group, whoever writes."""
    file.write_bytes(b"one")
    os.chown(file.parent, 0, 12345)
    file.parent.chmod(0o2755)
    replace(directory, "x", b"two")
    assert (file.stat().st_uid, file.stat().st_gid) == (0, 0)


def test_a_write_that_fails_leaves_the_old_bytes_and_no_other_file(
    directory: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk; the error names the file, not its stand-in."""
    file.write_bytes(b"old")

    def full(*_: object) -> int:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="no space") as caught:
        replace(directory, "x", b"new")
    assert (caught.value.errno, caught.value.filename) == (28, "x")
    assert file.read_bytes() == b"old"
    assert names(file) == ["x"]


def test_what_is_done_is_never_called_undone(directory: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be flushed comes after the rename."""
    flush = os.fsync

    def failing(descriptor: int) -> None:
        if descriptor == directory:
            raise OSError(5, "input/output error")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    replace(directory, "x", b"new")
    assert file.read_bytes() == b"new"


def test_an_interrupt_after_the_rename_stays_one(directory: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no error about a name that is gone."""
    rename = os.rename

    def interrupted(*names: object, **descriptors: object) -> None:
        rename(*names, **descriptors)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(directory, "x", b"new")
    assert names(file) == ["x"]


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_only_a_file_is_replaced(directory: int, file: Path, kind: str) -> None:
    """What somebody put in its place is somebody's."""
    if kind == "link":
        file.symlink_to("elsewhere")
    else:
        file.mkdir()
    with pytest.raises(FileExistsError, match="is not a regular file"):
        replace(directory, "x", b"new")
    assert names(file) == ["x"]
