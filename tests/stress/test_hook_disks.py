"""A disk that hangs or is full below the rate state: an agent gets its denial in time, and its pipes back."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hook_server import running
from tests.support.hooks import Answer, Scene, assert_allowed, assert_denied, make_scene

Mount = Callable[..., None]


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root in which agents may write below `docs`."""
    return make_scene(root, tmp_path)


@pytest.fixture
def mount(scene: Scene) -> Iterator[Mount]:
    """Return what mounts a disk in the place of the rate state."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")

    def mount(*words: str) -> None:
        done = subprocess.run(["mount", *words, scene.state], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        scene.state.chmod(0o700)

    yield mount
    subprocess.run(["umount", "-l", scene.state], capture_output=True, check=False)


def mount_disk(mount: Mount, image: Path) -> None:
    """Mount a disk of its own, which can be frozen; skip the test if there is none."""
    if not (shutil.which("mkfs.ext4") and shutil.which("fsfreeze")):
        pytest.skip("no disk can be frozen here")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mount("-o", "loop", str(image))


def test_a_disk_that_hangs_is_denied_at_the_deadline(scene: Scene, mount: Mount, tmp_path: Path) -> None:
    """No signal reaches the child then, not even a kill: it must hold nothing that the agent waits for."""
    mount_disk(mount, tmp_path / "image")
    scene.words = ["--deadline", "2"]
    try:
        assert_allowed(scene.ask("claude"))
        subprocess.run(["fsfreeze", "-f", scene.state], check=True)
        process = scene.start("claude")
        out, err = process.communicate(timeout=30)  # to the end of both pipes
        assert "within 2 s;" in assert_denied(Answer(process.returncode, out, err), "claude")
    finally:
        subprocess.run(["fsfreeze", "-u", scene.state], check=False)
    assert_allowed(scene.ask("claude"))


def test_a_resident_hook_denies_at_the_deadline_what_a_disk_holds_up(
    scene: Scene, mount: Mount, tmp_path: Path
) -> None:
    """Its workers cannot even be killed; it answers all the same, and decides again once the disk is back."""
    mount_disk(mount, tmp_path / "image")
    with running(scene, "claude", "--deadline", "2") as server:
        try:
            assert_allowed(server.ask(scene.payload("claude")))
            subprocess.run(["fsfreeze", "-f", scene.state], check=True)
            assert "within 2 s;" in assert_denied(server.ask(scene.payload("claude")), "claude")
            for _ in range(2):  # the first one holds the lock of the budget
                assert_denied(server.ask(scene.payload("claude")), "claude")
        finally:
            subprocess.run(["fsfreeze", "-u", scene.state], check=False)
        assert_allowed(server.ask(scene.payload("claude")))


@pytest.mark.parametrize("left", range(3))
def test_a_disk_without_room_denies(scene: Scene, mount: Mount, left: int) -> None:
    """With a few pages left some of the files are made, and no call is allowed without its hit."""
    mount("-t", "tmpfs", "-o", "size=256k,mode=700", "none")
    filler = scene.state / "filler"
    filler.write_bytes(b"")
    room = os.statvfs(scene.state).f_bfree - 4 * left
    filler.write_bytes(b"x" * (4096 * room))
    answer = scene.ask("codex")
    if answer.code:
        assert_denied(answer, "codex")
    else:
        assert scene.used() == 1
    if left == 0:
        assert answer.code == 2
