"""Where a write happens: masks, groups, other users, directories that are swapped, interrupts at any instant."""

import gc
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from cortex_policy.core.model import GRANT_NOT_FOUND, GrantError
from cortex_policy.manage.history import undo
from cortex_policy.manage.history.writes import read_writes_newest_first
from cortex_policy.manage.stamp.verify import find_stamp_mismatches, find_unsafe_stamp_error_or_none
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import TEMPORARY_PREFIX
from cortex_policy.state.grants import read_grant
from tests.support.stamps import stamp_grants
from tests.support.users import CALLER, by_caller

DATA = b'{"tool": "t", "actions": [], "rate": {"perMinute": 1}}'


@contextmanager
def masked(mask: int) -> Iterator[None]:
    """Have another umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def bare(tmp_path: Path) -> Root:
    """Make a root without tools."""
    policy = tmp_path / "bare" / ".cortex" / "policy"
    policy.mkdir(parents=True)
    for directory in (policy.parent.parent, policy.parent, policy):
        directory.chmod(0o755)
    return Root(str(tmp_path / "bare"), trusts_owner=False)


@pytest.mark.parametrize(("mask", "expected"), [(0o077, 0o700), (0o000, 0o755), (0o022, 0o755)])
def test_new_files_are_trusted_under_any_umask(tmp_path: Path, mask: int, expected: int) -> None:
    """Nobody else can write to the directory, a grant, the stamp or the lock."""
    root = bare(tmp_path)
    with masked(mask), open_grants_for_write(root) as writer:
        assert writer.write("t", None, DATA) == 1
    assert stat.S_IMODE(Path(root.tools_path).stat().st_mode) == expected
    assert stat.S_IMODE(Path(root.tools_path, "t.json").stat().st_mode) == 0o644
    assert read_grant(root, "t").tool == "t"
    assert find_unsafe_stamp_error_or_none(root) is None


def test_a_directory_made_for_nothing_allows_nothing(tmp_path: Path) -> None:
    """Empty tools are no grant, and no stamp."""
    root = bare(tmp_path)
    with open_grants_for_write(root):
        pass
    with pytest.raises(GrantError) as caught:
        read_grant(root, "t")
    assert caught.value.reason is GRANT_NOT_FOUND
    assert stamps.read_stamp(root) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a group away")
def test_a_directory_that_hands_its_group_down_makes_grants_of_that_group(own: Path) -> None:
    """A grant that has another one keeps it."""
    root = Root(str(own), trusts_owner=False)
    os.chown(root.tools_path, CALLER, CALLER + 1)
    Path(root.tools_path).chmod(0o2755)
    with by_caller(), open_grants_for_write(root) as writer:
        writer.write("t", None, DATA)
        old = writer.grants.read("git") or b""
        writer.write("git", old, old + b" ")
    groups = [Path(root.tools_path, f"{grant_id}.json").stat().st_gid for grant_id in ("t", "git")]
    assert groups == [CALLER + 1, CALLER]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_files_of_another_user_stop_no_write(own: Path) -> None:
    """In a sticky directory it cannot be removed."""
    root = Root(str(own), trusts_owner=False)
    left = Path(root.tools_path, f"{TEMPORARY_PREFIX}1-2")
    left.write_text("half")
    Path(root.tools_path).chmod(0o1755)
    os.chown(root.tools_path, 0, CALLER)
    Path(root.tools_path).chmod(0o1775)
    with by_caller(), open_grants_for_write(root) as writer:
        assert writer.write("t", None, DATA) == 1
    assert left.exists()
    with open_grants_for_write(root):  # its owner can
        assert not left.exists()


def put(root: Root) -> None:
    """Change a grant."""
    with open_grants_for_write(root) as writer:
        old = writer.grants.read("git") or b""
        writer.write("git", old, old + b" ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_the_owner_can_undo_what_sudo_wrote(own: Path) -> None:
    """The history belongs to whom the root belongs to, whoever writes in it."""
    root = Root(str(own), trusts_owner=False)
    with by_caller():
        stamp_grants(root)  # a lock and a stamp of theirs
    before = Path(root.tools_path, "git.json").read_bytes()
    put(root)
    with by_caller():
        assert [one.author.uid for one in read_writes_newest_first(root).entries] == [0, CALLER]
        undo.undo_writes(root, undo.UndoRequest(), lambda _: None)
    assert Path(root.tools_path, "git.json").read_bytes() == before
    assert {path.stat().st_uid for path in (own / ".cortex" / "policy").rglob("history*")} == {CALLER}


def rename(root: Root) -> None:
    """Rename a grant."""
    with open_grants_for_write(root) as writer:
        writer.rename("git", "other", writer.grants.read("git") or b"")


@pytest.mark.forks
@pytest.mark.parametrize("stride", [61, pytest.param(7, marks=pytest.mark.storm)])
@pytest.mark.parametrize("act", [put, rename])
def test_an_interrupt_at_any_line_leaves_a_whole_state(root: Path, act: Callable[[Root], None], stride: int) -> None:
    """The next writer finishes or drops what was begun; nothing is called a hand edit, and no file is left."""
    found = Root(str(root), trusts_owner=False)
    stamp_grants(found)
    texts = {path: path.read_bytes() for path in Path(found.tools_path).iterdir()}
    step, ended = 0, False
    while not ended:
        step += stride  # each takes a process of its own
        child = os.fork()
        if child == 0:
            gc.disable()  # it would copy all that the tests hold
            interrupt_at(step)
            try:
                act(found)
                os._exit(0)
            except KeyboardInterrupt:
                os._exit(1)
            finally:
                os._exit(2)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in {0, 1}
        ended = code == 0
        assert find_stamp_mismatches(found) == (), step
        with open_grants_for_write(found):
            assert find_stamp_mismatches(found) == (), step
        assert not [path for path in root.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]
        for path in Path(found.tools_path).iterdir():
            path.unlink()
        for path, data in texts.items():
            path.write_bytes(data)
        stamp_grants(found)
    assert step > 300


def interrupt_at(step: int) -> None:
    """Raise KeyboardInterrupt in our own code at the line of that number."""
    import sys  # noqa: PLC0415 - in the child alone

    left = [step]

    def trace(frame: FrameType, event: str, _: object) -> object:
        if "cortex_policy/" not in frame.f_code.co_filename:
            return None
        left[0] -= event == "line"
        if left[0] == 0 and event == "line":
            left[0] = -1
            signal.raise_signal(signal.SIGINT)
        return trace

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.settrace(trace)  # type: ignore[arg-type]
