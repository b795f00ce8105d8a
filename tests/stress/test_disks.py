"""A disk that is full, or read-only: nothing is changed, or the last step is left to the next write."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scribes import SET, text_of
from writes import made

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import TEMPORARY_PREFIX
from tests.support.stamps import stamp_version

PAGE = 4096


def mount(*words: str) -> str:
    """Mount something; return why it failed."""
    return subprocess.run(["mount", *words], capture_output=True, text=True, check=False).stderr


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a disk, and only Linux has a tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    why = mount("-t", "tmpfs", "-o", "size=128k", "none", str(disk))
    if why:
        pytest.skip(f"no disk can be mounted here: {why.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path, pages: int) -> None:
    """Fill a disk, but for so many pages."""
    filler = disk / "filler"
    filler.write_bytes(b"")
    status = os.statvfs(disk)
    with filler.open("wb", buffering=0) as file:
        for _ in range(status.f_bfree - pages):
            file.write(b"x" * PAGE)


def run(root: Root, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on a root."""
    command = [sys.executable, "-m", "cortex_policy", *words, "--root", root.path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("pages", range(12))
def test_a_full_disk_refuses_a_write_or_its_last_step(disk: Path, pages: int, stamped: bool) -> None:
    """Whichever file is the first that does not fit, it is named; the next write heals."""
    root = made(disk / "root")
    file = Path(root.tools_path, f"{SET[0]}.json")
    old, new = file.read_bytes(), text_of(SET[0], 7).encode() + b" " * 2 * PAGE
    if not stamped:
        Path(stamps.make_stamp_path(root.path)).unlink()
    fill(disk, pages)
    done, refused = None, ""
    try:
        with open_grants_for_write(root) as writer:
            done = writer.write(SET[0], old, new)
    except NotDoneError as error:
        refused = error.detail
    if refused:
        pending = str(Path(root.tools_path).parent / "history" / "pending.json")
        steps = [pending] if pages == 0 else [pending, stamps.make_stamp_path(root.path), str(file)]
        assert refused in [f"`{step}`: no space left on device" for step in steps]
        assert file.read_bytes() == old
    else:
        assert pages > 2
        assert file.read_bytes() == new
        assert done in ((2 if stamped else 1), None)
    if stamped:
        stamp_version(root)  # readers accept it as it stands
    assert not [path for path in disk.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]
    (disk / "filler").unlink()
    with open_grants_for_write(root):
        now = file.read_bytes()
    if stamped:
        assert stamp_version(root) == 1 + (now == new)


def test_a_full_disk_refuses_a_stamp(disk: Path) -> None:
    """The old one stands, and still tells what was edited."""
    root = made(disk / "root")
    file = Path(root.tools_path, f"{SET[0]}.json")
    file.write_bytes(file.read_bytes() + b" ")
    before = Path(stamps.make_stamp_path(root.path)).read_bytes()
    fill(disk, 0)
    done = run(root, "stamp", "write", "--allow-widening")
    assert done.returncode == 3
    assert f"`{Path(root.tools_path).parent}/history/pending.json`: no space left on device" in done.stderr
    assert Path(stamps.make_stamp_path(root.path)).read_bytes() == before
    assert not [path for path in disk.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]
    (disk / "filler").unlink()
    assert run(root, "stamp", "write", "--allow-widening").returncode == 0
    assert stamp_version(root) == 2


@pytest.mark.parametrize("locked", [True, False])
def test_a_read_only_disk_refuses_every_write(disk: Path, locked: bool) -> None:
    """The lock is the first file that is written, and is named."""
    root = made(disk / "root")
    lock = Path(root.tools_path).parent / ".lock"
    if not locked:
        lock.unlink()
    assert mount("-o", "remount,ro", str(disk)) == ""
    with pytest.raises(NotDoneError) as caught, open_grants_for_write(root):
        pass
    assert caught.value.detail == f"`{lock}`: read-only file system"
    done = run(root, "stamp", "write", "--allow-widening")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"`{lock}`: read-only file system" in done.stderr
    assert run(root, "stamp", "verify").returncode == 0
    assert stamp_version(root) == 1
