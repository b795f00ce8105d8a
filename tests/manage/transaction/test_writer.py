"""A write leaves the old grant or the new one, whole, and a stamp that knows which."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.history.writes import find_entries_that_led_to_stamp
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction import writer as transaction_writer
from cortex_policy.manage.transaction.version_after_write import STAMP_REFUSED, Version
from cortex_policy.manage.transaction.writer import GrantWriter
from cortex_policy.state import Root, atomic_write, history
from cortex_policy.state import stamp as stamps
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.policy_files import make_file_path_below_policy_directory
from tests.support.crashes import die_at
from tests.support.failing_calls import fail_at, full_disk, patch_writes
from tests.support.roots import grant_file
from tests.support.stamps import stamp_grants, stamp_version


def changed(data: bytes) -> bytes:
    """Return other bytes of the same grant."""
    return data.replace(b"30", b"31") + b"\n"


def put(writer: GrantWriter) -> Version:
    """Change a grant."""
    old = writer.grants.read("git")
    assert old is not None
    return writer.write("git", old, changed(old))


def test_the_first_write_stamps_every_grant(found_root: Root) -> None:
    """As version 1; each write after it adds one."""
    with transaction_writer.open_grants_for_write(found_root) as writer:
        assert put(writer) == 1
        assert stamp_version(found_root) == 1
        assert put(writer) == 2
    assert stamp_version(found_root) == 2


def test_a_grant_is_made_renamed_and_removed(found_root: Root) -> None:
    """Each is one version, and no other grant is looked at again."""
    stamp_grants(found_root)
    with transaction_writer.open_grants_for_write(found_root) as writer:
        data = b'{"tool": "t", "actions": [], "rate": {"perMinute": 1}}'
        assert writer.write("new", None, data) == 2
        assert writer.rename("new", "other", data) == 3
        assert (writer.grants.read("new"), writer.grants.read("other")) == (None, data)
        assert stamp_version(found_root) == 3
        assert writer.remove("other", data) == 4
    assert stamp_version(found_root) == 4
    assert not grant_file(found_root, "other").exists()


def test_mode_is_kept(found_root: Root) -> None:
    """An operator's choice survives a write."""
    grant_file(found_root, "git").chmod(0o640)
    with transaction_writer.open_grants_for_write(found_root) as writer:
        put(writer)
    assert grant_file(found_root, "git").stat().st_mode & 0o777 == 0o640


def test_a_grant_that_differs_from_its_stamp_is_not_written(found_root: Root) -> None:
    """A hand edit is looked at first; another grant's is in nobody's way."""
    stamp_grants(found_root)
    grant_file(found_root, "model-gateway").write_bytes(grant_file(found_root, "model-gateway").read_bytes() + b" ")
    with transaction_writer.open_grants_for_write(found_root) as writer:
        assert put(writer) == 2
        assert [finding.id for finding in find_stamp_mismatches(found_root)] == ["model-gateway"]
        grant_file(found_root, "git").write_bytes(grant_file(found_root, "git").read_bytes() + b" ")
        before = Path(stamps.make_stamp_path(found_root.path)).read_bytes()
        with pytest.raises(GrantError) as caught:
            put(writer)
    assert caught.value.exit_code == 23
    assert Path(stamps.make_stamp_path(found_root.path)).read_bytes() == before


def test_bytes_that_somebody_changed_meanwhile_are_never_overwritten(found_root: Root) -> None:
    """Nor is a grant that is there already, or was removed."""
    old = grant_file(found_root, "git").read_bytes()
    with transaction_writer.open_grants_for_write(found_root) as writer:
        for wrong in (None, old + b" "):
            with pytest.raises(NotDoneError):
                writer.write("git", wrong, b"{}")
        with pytest.raises(NotDoneError):
            writer.rename("git", "model-gateway", old)
        with pytest.raises(NotDoneError):
            writer.remove("missing", b"{}")
    assert grant_file(found_root, "git").read_bytes() == old


Act = Callable[[GrantWriter], object]
RULES = b'format = 1\n\n[[rule]]\ntools = ["Read"]\ndecide = "pass"\n'


def files(root: Root) -> dict[str, bytes]:
    """Return the bytes of each grant and of `hooks.toml`, by name."""
    hooks = Path(root.policy_path, HOOKS_TOML)
    found = {path.stem: path.read_bytes() for path in Path(root.tools_path).iterdir()}
    return {**found, HOOKS_TOML: hooks.read_bytes()} if hooks.exists() else found


def restore(root: Root, before: dict[str, bytes]) -> None:
    """Make the files what they were, by hand."""
    for name in {*files(root), *before}:
        file = Path(root.policy_path, make_file_path_below_policy_directory(name))
        file.write_bytes(before[name]) if name in before else file.unlink()


def make_hooks(writer: GrantWriter) -> object:
    """Write the first rules of hooks."""
    return writer.write(HOOKS_TOML, None, RULES)


def put_hooks(writer: GrantWriter) -> object:
    """Change the rules of hooks."""
    return writer.write(HOOKS_TOML, RULES, RULES.replace(b"Read", b"Grep"))


def remove_hooks(writer: GrantWriter) -> object:
    """Remove the rules of hooks."""
    return writer.remove(HOOKS_TOML, RULES)


def rename(writer: GrantWriter) -> object:
    """Rename a grant."""
    return writer.rename("git", "other", writer.grants.read("git") or b"")


def remove(writer: GrantWriter) -> object:
    """Remove a grant."""
    return writer.remove("git", writer.grants.read("git") or b"")


def make(writer: GrantWriter) -> object:
    """Make a grant."""
    return writer.write("other", None, writer.grants.read("git") or b"")


@pytest.mark.forks
@pytest.mark.parametrize(
    ("act", "stamped"),
    [
        (put, True), (put, False), (rename, True), (put_hooks, True),
        *(pytest.param(act, True, marks=pytest.mark.storm) for act in (remove, make, make_hooks, remove_hooks)),
        *(pytest.param(act, False, marks=pytest.mark.storm) for act in (rename, remove, make, make_hooks)),
    ],
)  # fmt: skip
def test_a_kill_between_any_two_steps_leaves_a_whole_state(found_root: Root, act: Act, stamped: bool) -> None:
    """The next writer finishes or drops it by what stands there; no hand edit is hidden, and no file left."""
    if act in (put_hooks, remove_hooks):
        Path(found_root.policy_path, HOOKS_TOML).write_bytes(RULES)
    if stamped:
        stamp_grants(found_root)
    for step in range(1, 160):
        before = files(found_root)
        last = stamps.read_stamp(found_root)
        child = os.fork()
        if child == 0:
            gc.disable()  # it would copy all that the tests hold
            die_at(step)
            with transaction_writer.open_grants_for_write(found_root) as writer:
                act(writer)
            os._exit(0)
        died = os.waitpid(child, 0)[1] != 0
        with transaction_writer.open_grants_for_write(found_root):
            after = files(found_root)
            assert not [
                path for path in Path(found_root.path).rglob("*") if path.name.startswith(atomic_write.TEMPORARY_PREFIX)
            ]
            stamp = stamps.read_stamp(found_root)
            if stamp is not None:
                assert find_stamp_mismatches(found_root) == ()
                assert stamp.version == (last.version if last else 0) + (after != before)
                assert replaced(found_root, stamp) == ({} if after == before else undone(before, after))
            else:
                assert not stamped
        if not died:
            return
        restore(found_root, before)
        stamp_grants(found_root) if stamped else Path(stamps.make_stamp_path(found_root.path)).unlink(missing_ok=True)
    raise AssertionError


@pytest.mark.forks
@pytest.mark.parametrize("now", [b"by hand", None])
def test_a_kill_while_a_hand_edit_is_undone_loses_no_byte_and_never_lets_it_pass(
    found_root: Root, now: bytes | None
) -> None:
    """At each step the grant is the edit or what was stamped, no reader accepts the edit, and the edit is kept."""
    stamp_grants(found_root)
    file = grant_file(found_root, "git")
    stamped = file.read_bytes()
    for step in range(1, 160):
        file.unlink(missing_ok=True) if now is None else file.write_bytes(now)
        last = stamps.read_stamp(found_root)
        child = os.fork()
        if child == 0:
            gc.disable()  # it would copy all that the tests hold
            die_at(step)
            with transaction_writer.open_grants_for_write(found_root) as writer:
                writer.undo_hand_edit("git", now, stamped)
            os._exit(0)
        died = os.waitpid(child, 0)[1] != 0
        stamp = stamps.read_stamp(found_root)
        assert stamp is not None
        assert last is not None
        edit = None if now is None else stamps.compute_content_digest(now)
        assert not stamp.accepts("git", edit)
        with transaction_writer.open_grants_for_write(found_root) as writer:
            found = writer.grants.read("git")
            is_back = found == stamped
            assert is_back or found == now
        stamp = stamps.read_stamp(found_root)
        assert stamp is not None
        assert (stamp.version, stamp.pending) == (last.version + is_back, {})
        assert [finding.id for finding in find_stamp_mismatches(found_root)] == ([] if is_back else ["git"])
        if is_back:
            (newest, *_) = find_entries_that_led_to_stamp(
                stamp, history.iterate_entries_newest_first(found_root, stamp)
            )
            assert [(one.data, one.old, one.is_hand_edit) for one in newest.changes] == [(now, edit, True)]
        if not died:
            return
    raise AssertionError


def replaced(root: Root, stamp: stamps.Stamp) -> dict[str, bytes | None]:
    """Return the bytes that a write replaced which the history knows to have led to this version."""
    assert not list(Path(root.path).rglob("pending.json"))
    found = list(history.iterate_entries_newest_first(root, stamp))
    assert not [one for one in found if not isinstance(one, HistoryEntry)]
    last = [
        one
        for one in find_entries_that_led_to_stamp(stamp, found)
        if one.version == stamp.version and one.command == "write"
    ]
    return {one.id: one.data for entry in last for one in entry.changes}


def undone(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes | None]:
    """Return what has to come back, None for what has to go."""
    return {name: before.get(name) for name in {*before, *after} if before.get(name) != after.get(name)}


def test_a_hand_edit_after_an_interrupted_write_is_reported_as_one(found_root: Root) -> None:
    """The pending digests hide nothing that is neither of them."""
    stamp_grants(found_root)
    stamp = stamps.read_stamp(found_root)
    assert stamp is not None
    pending = stamps.Stamp(1, stamp.grant_digests, {"git": (stamp.grant_digests["git"], "sha256:other")})
    Path(stamps.make_stamp_path(found_root.path)).write_bytes(stamps.encode_stamp(pending))
    grant_file(found_root, "git").write_bytes(b"{}")
    with transaction_writer.open_grants_for_write(found_root):
        pass
    assert [finding.id for finding in find_stamp_mismatches(found_root)] == ["git"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_disk_that_refuses_changes_nothing_or_leaves_it_to_the_next_write(
    found_root: Root, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The first step or the grant refused: nothing is changed. The last refused: the next write finishes it."""
    stamp_grants(found_root)
    before = grant_file(found_root, "git").read_bytes()
    refusing = fail_at(step, atomic_write.replace_file_atomically, full_disk())
    with monkeypatch.context() as patch:
        patch_writes(patch, refusing)
        if step < 3:
            with (
                pytest.raises(NotDoneError, match="no space left"),
                transaction_writer.open_grants_for_write(found_root) as writer,
            ):
                put(writer)
            assert grant_file(found_root, "git").read_bytes() == before
            assert stamp_version(found_root) == 1
        else:
            with transaction_writer.open_grants_for_write(found_root) as writer:
                assert put(writer) is STAMP_REFUSED
            assert find_stamp_mismatches(found_root) == ()
    with transaction_writer.open_grants_for_write(found_root):
        assert stamp_version(found_root) == (1 if step < 3 else 2)
