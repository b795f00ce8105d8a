"""A file is replaced whole or not at all."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.state.atomic_write import create_file_atomically, replace_file_atomically
from cortex_policy.state.inherited_attributes import find_allowed_mode


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
    replace_file_atomically(directory, "x", b"one", 0o600)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one", 0o600)
    file.chmod(0o640)
    replace_file_atomically(directory, "x", b"two")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o640)


def test_a_file_that_everyone_could_write_is_closed(directory: int, file: Path) -> None:
    """No check believes one; what else its mode says is kept."""
    file.write_bytes(b"one")
    file.chmod(0o666)
    replace_file_atomically(directory, "x", b"two")
    assert file.stat().st_mode & 0o777 == find_allowed_mode(0o664, file.stat().st_uid, file.stat().st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a group away")
def test_the_group_is_kept_where_the_directory_gives_its_own(directory: int, file: Path) -> None:
    """In a setgid directory a new file has its group, whoever writes."""
    file.write_bytes(b"one")
    os.chown(file.parent, 0, 12345)
    file.parent.chmod(0o2755)
    replace_file_atomically(directory, "x", b"two")
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
        replace_file_atomically(directory, "x", b"new")
    assert (caught.value.errno, caught.value.filename) == (28, "x")
    assert file.read_bytes() == b"old"
    assert names(file) == ["x"]


def test_a_write_after_the_rename_is_never_reported_as_not_done(
    directory: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that cannot be flushed comes after the rename."""
    flush = os.fsync

    def failing(descriptor: int) -> None:
        if descriptor == directory:
            raise OSError(5, "input/output error")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    replace_file_atomically(directory, "x", b"new")
    assert file.read_bytes() == b"new"


def test_an_interrupt_after_the_rename_stays_one(directory: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no error about a name that is gone."""
    rename = os.rename

    def interrupted(*names: object, **descriptors: object) -> None:
        rename(*names, **descriptors)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file_atomically(directory, "x", b"new")
    assert names(file) == ["x"]


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_only_a_file_is_replaced(directory: int, file: Path, kind: str) -> None:
    """What somebody put in its place is somebody's."""
    if kind == "link":
        file.symlink_to("elsewhere")
    else:
        file.mkdir()
    with pytest.raises(FileExistsError, match="is not a regular file"):
        replace_file_atomically(directory, "x", b"new")
    assert names(file) == ["x"]


def xattrs(file: Path) -> dict[str, bytes]:
    """Return what the owner of a file noted on it."""
    return {name: os.getxattr(file, name) for name in os.listxattr(file) if name.startswith("user.")}


def note(file: Path, name: str, value: bytes) -> None:
    """Note something on a file, or skip the test where that cannot be."""
    try:
        os.setxattr(file, name, value)
    except (OSError, AttributeError):
        pytest.skip("this file system has no extended attributes")


def acl(file: Path, *entries: str) -> list[str]:
    """Set entries of an access control list, and return all that it has."""
    if shutil.which("setfacl") is None:
        pytest.skip("needs the tools of access control lists")
    for entry in entries:
        done = subprocess.run(["setfacl", "-m", entry, file], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this file system has no access control lists: {done.stderr}")
    listed = subprocess.run(["getfacl", "-cpn", file], capture_output=True, text=True, check=True).stdout
    return listed.splitlines()


def test_an_access_control_list_is_kept(directory: int, file: Path) -> None:
    """And by the list of its directory only where the old file had no other."""
    file.write_bytes(b"one")
    file.chmod(0o640)
    before = acl(file, "u:4711:r")
    replace_file_atomically(directory, "x", b"two")
    assert (acl(file), file.read_bytes()) == (before, b"two")
    assert "user:4711:r--" in before


def test_an_access_control_list_that_lets_others_write_is_restricted(directory: int, file: Path) -> None:
    """One that lets the caller or root write, whom a check trusts anyway, is kept whole."""
    if os.geteuid() != 0:
        pytest.skip("only root gives a group away")
    for entry, mask in (("u:0:rw", "mask::rw-"), ("u:4711:rw", "mask::r--"), ("g:4711:rw", "mask::r--")):
        file.unlink(missing_ok=True)
        file.write_bytes(b"one")
        file.chmod(0o644)
        os.chown(file, 0, 12345)
        acl(file, entry)
        replace_file_atomically(directory, "x", b"two")
        assert mask in acl(file)


def test_the_default_list_of_a_directory_applies_to_new_files(directory: int, file: Path) -> None:
    """A file that was without one stays without; a new one lets nobody else write."""
    file.write_bytes(b"one")
    before = acl(file)
    acl(file.parent, "d:u:4711:rw")
    replace_file_atomically(directory, "x", b"two")
    assert acl(file) == before
    replace_file_atomically(directory, "new", b"one", 0o644)
    assert "mask::r--" in acl(file.with_name("new"))


def test_extended_attributes_of_the_owner_are_kept(directory: int, file: Path) -> None:
    """Whatever its length; an empty note too."""
    file.write_bytes(b"one")
    notes = {"user.origin": b"https://example.org", "user.empty": b""}
    for name, value in notes.items():
        note(file, name, value)
    replace_file_atomically(directory, "x", b"two")
    assert xattrs(file) == notes


def test_attributes_that_cannot_be_kept_prevent_the_write(
    directory: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written then, and the note is named."""
    file.write_bytes(b"one")
    note(file, "user.origin", b"x")

    def refusing(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "setxattr", refusing)
    with pytest.raises(OSError, match=r"its attribute `user\.origin` cannot be kept: no space left") as caught:
        replace_file_atomically(directory, "x", b"two")
    assert caught.value.filename == "x"
    assert (file.read_bytes(), names(file)) == (b"one", ["x"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file capabilities")
def test_attributes_of_the_kernel_are_not_copied(directory: int, file: Path) -> None:
    """A capability goes with the bytes that it was for."""
    file.write_bytes(b"one")
    note(file, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    note(file, "trusted.x", b"1")
    replace_file_atomically(directory, "x", b"two")
    assert [name for name in os.listxattr(file) if name != "security.selinux"] == []


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, 0o777])
def test_no_written_file_is_executable_or_world_writable(directory: int, file: Path, mode: int) -> None:
    """Whether its mode is given or was there before."""
    replace_file_atomically(directory, "x", b"one", mode)
    assert file.stat().st_mode & 0o7777 & ~0o664 == 0
    file.chmod(mode)
    replace_file_atomically(directory, "x", b"two")
    assert file.stat().st_mode & 0o7777 & ~0o664 == 0


def test_a_group_may_write_where_it_is_the_owners_own(file: Path) -> None:
    """Or root's, for a caller who is in it; no other: a check would refuse the file."""
    assert file.parent.is_dir()
    assert find_allowed_mode(0o664, 1000, 1000) == 0o664
    assert find_allowed_mode(0o664, 1000, 100) == 0o644
    assert find_allowed_mode(0o664, 1000, 0) == (0o664 if os.getegid() == 0 else 0o644)


def test_a_new_file_is_complete_and_replaces_none(directory: int, file: Path) -> None:
    """Not even that of a link which leads nowhere."""
    create_file_atomically(directory, "x", b"one", 0o600)
    assert (file.read_bytes(), file.stat().st_mode & 0o777, file.stat().st_nlink) == (b"one", 0o600, 1)
    with pytest.raises(FileExistsError) as caught:
        create_file_atomically(directory, "x", b"two")
    file.unlink()
    file.symlink_to("elsewhere")
    with pytest.raises(FileExistsError):
        create_file_atomically(directory, "x", b"two")
    assert (caught.value.filename, names(file)) == ("x", ["x"])


def test_a_link_in_the_place_of_a_new_file_is_not_followed(
    directory: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write there could swap it before it gets its name: root would give them a name of any file."""
    other = file.parent.parent / "other"
    other.write_text("kept")

    def swap(descriptor: int) -> None:
        for path in file.parent.glob(".new-*"):
            path.unlink()
            path.symlink_to(other)
        assert descriptor

    monkeypatch.setattr(os, "fsync", swap)
    create_file_atomically(directory, "x", b"one")
    assert other.stat().st_nlink == 1
