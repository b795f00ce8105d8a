"""What stands in the way of a write: it is named rightly, and no write pretends that nothing changed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction import writer as transaction_writer
from cortex_policy.manage.transaction.version_after_write import STAMP_REFUSED
from cortex_policy.state import Root, atomic_write, writer_lock
from cortex_policy.state import stamp as stamps
from tests.support.failing_calls import patch_writes
from tests.support.roots import grant_file
from tests.support.stamps import stamp_grants

NEW = b'{"tool": "t", "actions": [], "rate": {"perMinute": 1}}'


def differing(root: Root) -> list[str]:
    """Return the grants that differ from their stamp."""
    return [finding.id for finding in find_stamp_mismatches(root)]


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, word: str, error: OSError | None = None) -> Iterator[None]:
    """Let a call of the system fail once the pending stamp stands."""
    real: Callable[..., object] = getattr(os, word)

    def call(*args: object, **named: object) -> object:
        if b"pending" in Path(stamps.make_stamp_path(os.getcwd())).read_bytes():
            raise error or OSError(5, "Input/output error", *args[:1])
        return real(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, word, call)
        yield


@pytest.mark.parametrize("act", ["write", "remove", "rename"])
def test_a_hand_edit_between_two_steps_is_not_overwritten(
    found_root: Root, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """The grant is looked at again just before it is replaced; the edit is told as one afterwards."""
    stamp_grants(found_root)
    old, real = grant_file(found_root, "git").read_bytes(), atomic_write.replace_file_atomically

    def edited(directory: int, name: str, *rest: object, **named: object) -> None:
        real(directory, name, *rest, **named)  # type: ignore[arg-type]
        if b"pending" in Path(stamps.make_stamp_path(found_root.path)).read_bytes():
            grant_file(found_root, "git").write_bytes(old + b" ")

    patch_writes(monkeypatch, edited)
    with (
        transaction_writer.open_grants_for_write(found_root) as writer,
        pytest.raises(NotDoneError, match="changed by hand in the meantime"),
    ):
        writer.write("git", old, NEW) if act == "write" else getattr(writer, act)(
            "git", *["x"] * (act == "rename"), old
        )
    assert grant_file(found_root, "git").read_bytes() == old + b" "
    assert differing(found_root) == ["git"]
    assert sorted(os.listdir(found_root.tools_path)) == ["git.json", "model-gateway.json"]


def test_a_grant_made_by_hand_meanwhile_is_not_overwritten(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a new one nor by one that is renamed."""
    stamp_grants(found_root)
    old, real = grant_file(found_root, "git").read_bytes(), atomic_write.replace_file_atomically

    def made(*args: object, **named: object) -> None:
        real(*args, **named)  # type: ignore[arg-type]
        if b"pending" in Path(stamps.make_stamp_path(found_root.path)).read_bytes():
            grant_file(found_root, "other").write_bytes(b"{}")

    patch_writes(monkeypatch, made)
    for act in ("write", "rename"):
        with (
            transaction_writer.open_grants_for_write(found_root) as writer,
            pytest.raises(NotDoneError, match="exists already"),
        ):
            writer.write("other", None, NEW) if act == "write" else writer.rename("git", "other", old)
        assert (grant_file(found_root, "git").read_bytes(), grant_file(found_root, "other").read_bytes()) == (
            old,
            b"{}",
        )
        grant_file(found_root, "other").unlink()


@pytest.mark.parametrize("act", ["write", "remove", "rename"])
def test_the_grant_is_named_where_the_disk_refuses_it(
    found_root: Root, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """By the path where it stands."""
    stamp_grants(found_root)
    old = grant_file(found_root, "git").read_bytes()
    word = "unlink" if act == "remove" else "rename"
    with (
        failing(monkeypatch, word),
        pytest.raises(NotDoneError) as caught,
        transaction_writer.open_grants_for_write(found_root) as writer,
    ):
        writer.write("git", old, NEW) if act == "write" else getattr(writer, act)(
            "git", *["x"] * (act == "rename"), old
        )
    assert f"`{grant_file(found_root, 'git')}`" in caught.value.detail
    assert grant_file(found_root, "git").read_bytes() == old


@pytest.mark.parametrize("act", ["write", "remove", "rename"])
def test_a_finished_write_is_never_reported_as_not_done(
    found_root: Root, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """A directory that cannot be fsynced leaves it open what a loss of power does, no more."""
    stamp_grants(found_root)
    old, real = grant_file(found_root, "git").read_bytes(), os.fsync

    def refusing(descriptor: int) -> None:
        if os.path.isdir(f"/dev/fd/{descriptor}"):
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    with transaction_writer.open_grants_for_write(found_root) as writer:
        done = (
            writer.write("git", old, NEW)
            if act == "write"
            else getattr(writer, act)("git", *["x"] * (act == "rename"), old)
        )
    assert done == 2
    assert differing(found_root) == []


def test_the_first_write_changes_nothing_where_another_grant_cannot_be_stamped(found_root: Root) -> None:
    """It looks at them before it writes."""
    old = grant_file(found_root, "git").read_bytes()
    grant_file(found_root, "link").symlink_to("git.json")
    with transaction_writer.open_grants_for_write(found_root) as writer, pytest.raises(GrantError):
        writer.write("git", old, NEW)
    assert grant_file(found_root, "git").read_bytes() == old


@pytest.mark.parametrize("name", ["\0", "../x", "a b", "x" * 300])
def test_a_pending_name_that_is_not_an_id_is_a_broken_stamp(found_root: Root, name: str) -> None:
    """Nothing outside of the grants is looked at, and nothing of it is carried over."""
    stamp_grants(found_root)
    stamp = stamps.read_stamp(found_root)
    assert stamp is not None
    Path(stamps.make_stamp_path(found_root.path)).write_bytes(
        stamps.encode_stamp(stamps.Stamp(1, stamp.grant_digests, {name: ("sha256:", None)}))
    )
    with pytest.raises(GrantError) as caught, transaction_writer.open_grants_for_write(found_root):
        pass
    assert caught.value.exit_code == 23
    assert stamp_grants(found_root).version == 2


@pytest.mark.parametrize("below", [".", "tools"])
def test_files_of_a_killed_writer_are_gone_after_the_next_stamp(found_root: Root, below: str) -> None:
    """A stamp is a write too; what cannot be removed is in nobody's way."""
    left = Path(found_root.tools_path, "..", below, f"{atomic_write.TEMPORARY_PREFIX}1-2")
    left.write_text("half")
    stamp_grants(found_root)
    assert not left.exists()
    left.mkdir()
    with transaction_writer.open_grants_for_write(found_root) as writer:
        assert writer.write("other", None, NEW) == 2


def test_a_removed_lock_file_does_not_block(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets the lock of a file that is gone takes the one that stands there."""
    lock = Path(found_root.tools_path).parent / ".lock"

    def gone(_: float) -> None:
        os.close(held.pop())

    held = [os.open(lock, os.O_RDWR | os.O_CREAT)]
    import fcntl  # noqa: PLC0415 - not everywhere

    fcntl.flock(held[0], fcntl.LOCK_EX)
    real = writer_lock._open_lock_file  # noqa: SLF001 - the instant between two steps

    def opened(policy: object) -> int:
        descriptor = real(policy)  # type: ignore[arg-type]
        if held:
            lock.unlink()
        return descriptor

    monkeypatch.setattr(writer_lock, "_open_lock_file", opened)
    monkeypatch.setattr(writer_lock, "sleep", gone)
    with writer_lock.hold_writer_lock(found_root, writer_lock.LockWait(5)):
        assert lock.exists()
        with (
            pytest.raises(NotDoneError, match="has been writing grants for"),
            writer_lock.hold_writer_lock(found_root),
        ):
            pass


def texts(root: Root) -> dict[str, bytes]:
    """Return what stands in the policy directory, but for its lock and the history of what was begun."""
    files = Path(root.path, ".cortex", "policy").rglob("*.json")
    return {str(path): path.read_bytes() for path in files if path.name != "pending.json"}


def removed(policy: Path) -> None:
    """Remove the lock, as `git clean -x` does."""
    (policy / ".lock").unlink()


def replaced(policy: Path) -> None:
    """Let another lock stand there."""
    (policy / ".lock").rename(policy / "old")
    (policy / ".lock").touch()


def swapped(policy: Path) -> None:
    """Put a copy of the whole directory there."""
    policy.rename(policy.with_name("old"))
    shutil.copytree(policy.with_name("old"), policy)


@pytest.mark.parametrize("happens", [removed, replaced, swapped])
@pytest.mark.parametrize("act", ["write", "remove", "rename"])
def test_a_writer_whose_lock_file_was_replaced_writes_nothing(
    found_root: Root, act: str, happens: Callable[[Path], None]
) -> None:
    """Another writer may hold the one that others find: both would write."""
    stamp_grants(found_root)
    old, before = grant_file(found_root, "git").read_bytes(), texts(found_root)
    with transaction_writer.open_grants_for_write(found_root) as writer:
        happens(Path(found_root.tools_path).parent)
        with pytest.raises(NotDoneError, match="while it was held"):
            writer.write("git", old, NEW) if act == "write" else getattr(writer, act)(
                "git", *["x"] * (act == "rename"), old
            )
    assert texts(found_root) == before


@pytest.mark.parametrize("happens", [removed, replaced, swapped])
def test_a_writer_without_its_lock_writes_no_stamp(
    found_root: Root, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], None]
) -> None:
    """Another writer may have made a later one."""
    stamp_grants(found_root)
    grant_file(found_root, "other").write_bytes(NEW)
    before, real = texts(found_root), stamps.encode_stamp

    def encoded(stamp: stamps.Stamp) -> bytes:
        happens(Path(found_root.tools_path).parent)
        return real(stamp)

    monkeypatch.setattr(stamps, "encode_stamp", encoded)
    with pytest.raises(NotDoneError, match="while it was held"):
        stamp_grants(found_root)
    assert texts(found_root) == before


def test_a_writer_without_its_lock_recovers_nothing(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds its lock gone in the midst of a write leaves everything as it stands by then."""
    stamp_grants(found_root)
    old, real, stamp = (
        grant_file(found_root, "git").read_bytes(),
        atomic_write.replace_file_atomically,
        Path(stamps.make_stamp_path(found_root.path)),
    )

    def overtaken(directory: int, name: str, *rest: object, **named: object) -> None:
        real(directory, name, *rest, **named)  # type: ignore[arg-type]
        removed(stamp.parent)
        stamp.write_bytes(stamp.read_bytes().replace(b'"git": [', b'"other": ['))

    patch_writes(monkeypatch, overtaken)
    with (
        pytest.raises(NotDoneError, match="while it was held"),
        transaction_writer.open_grants_for_write(found_root) as writer,
    ):
        writer.write("git", old, NEW)
    assert b'"other": [' in stamp.read_bytes()
    assert grant_file(found_root, "git").read_bytes() == old


def test_grants_are_not_looked_for_beside_another_lock(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is swapped between the lock and its grants is not written to, nor is anything in it removed."""
    policy, real = Path(found_root.tools_path).parent, writer_lock._write_holder  # noqa: SLF001 - the instant between two steps

    def signed(descriptor: int, command: str) -> None:
        real(descriptor, command)
        swapped(policy)
        (policy / "tools" / f"{atomic_write.TEMPORARY_PREFIX}1-2").write_text("of another writer")

    monkeypatch.setattr(writer_lock, "_write_holder", signed)
    with (
        pytest.raises(NotDoneError, match="was replaced while its lock was held"),
        transaction_writer.open_grants_for_write(found_root),
    ):
        pass
    assert (policy / "tools" / f"{atomic_write.TEMPORARY_PREFIX}1-2").exists()


def test_a_writer_that_lost_the_lock_leaves_the_stamp_to_the_next(
    found_root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the grant is written another writer finishes that, and writes more: its version does not go back."""
    stamp_grants(found_root)
    old, other = grant_file(found_root, "git").read_bytes(), grant_file(found_root, "model-gateway").read_bytes()

    def overtaken(_: int) -> None:
        monkeypatch.undo()
        removed(Path(found_root.tools_path).parent)
        with transaction_writer.open_grants_for_write(found_root) as second:
            assert second.write("model-gateway", other, NEW) == 3

    with transaction_writer.open_grants_for_write(found_root) as writer:
        monkeypatch.setattr(transaction_writer, "sync_directory", overtaken)
        assert writer.write("git", old, NEW) is STAMP_REFUSED
    stamp = stamps.read_stamp(found_root)
    assert stamp is not None
    assert (stamp.version, stamp.pending, differing(found_root)) == (3, {}, [])


@pytest.mark.parametrize("words", [("clean", "-fdxq"), ("checkout", "-q", "other"), ("stash", "-q", "-u")])
def test_a_lock_that_git_removed_or_replaced_is_lost(found_root: Root, words: tuple[str, ...]) -> None:
    """Its holder writes nothing any more; whoever comes next gets the new one."""

    def git(*command: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *identity, "-C", found_root.path, *command], check=True, capture_output=True)

    git("init", "-q")
    lock = Path(found_root.tools_path).parent / ".lock"
    if words[0] == "checkout":  # somebody committed one
        git("checkout", "-q", "-b", "other")
        lock.write_text("other")
        git("add", "-A")
        git("commit", "-q", "-m", "x")
        git("checkout", "-q", "-b", "here")
        lock.write_text("here")
        git("commit", "-q", "-a", "-m", "x")
    else:
        git("add", "-A")
        git("commit", "-q", "-m", "x")
    old = grant_file(found_root, "git").read_bytes()
    with transaction_writer.open_grants_for_write(found_root) as writer:
        git("checkout", "-q", "--", ".")
        git(*words)
        with transaction_writer.open_grants_for_write(found_root):
            pass
        with pytest.raises(NotDoneError, match="while it was held"):
            writer.write("git", old, NEW)
    assert grant_file(found_root, "git").read_bytes() == old
