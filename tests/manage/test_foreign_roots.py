"""Root writes in the root of another user: it is all that user's afterwards, and nothing that the user planted is used."""

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import PROJECT, USER
from cortex_policy.manage import emergency_stop
from cortex_policy.manage.cases.first_cases import write_first_cases
from cortex_policy.manage.cases.regeneration import update_cases
from cortex_policy.manage.editing import operations
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.history import undo
from cortex_policy.manage.history.undo import UndoRequest, undo_writes
from cortex_policy.manage.history.writes import read_grant_at_version
from cortex_policy.manage.init import root as init_root
from cortex_policy.manage.settings.write import SettingsFile, write_setting_to_file
from cortex_policy.manage.stamp.merge import write_stamp_after_merge
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.writer_lock import hold_writer_lock
from tests.support.roots import grant_file
from tests.support.stamps import agree, stamp_grants
from tests.support.users import CALLER, by_caller

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes in the root of another user")
GIVES = '{"tool": "t", "actions": [], "rate": {"perMinute": 1}}\n'


@pytest.fixture
def theirs(own: Path) -> Root:
    """Name the root of the caller, as root does."""
    return find_named_or_only_root(str(own))


def modes(root: Root) -> dict[str, int]:
    """Return the permission bits of all files; each must be the caller's."""
    files = [path for path in Path(root.path).rglob("*") if not path.is_symlink()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(CALLER, CALLER)}
    return {path.name: path.stat().st_mode & 0o7777 for path in files if path.is_file()}


def remember(root: Root, grant_id: str, data: bytes, mode: int) -> None:
    """Write, as the caller, a history that ends with the removal of a file."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    kept = {"id": grant_id, "old": digest, "new": None, "mode": mode, "base64": base64.b64encode(data).decode()}
    entry = {
        "format": 1, "version": 2, "written_at": "2026-01-01T00:00:00Z", "user": "x", "uid": CALLER, "sudo_user": None,
        "command": "remove", "verdict": "narrowed", "widened": "", "blind": False, "grants": [kept],
    }  # fmt: skip
    policy = Path(root.tools_path).parent
    with by_caller():
        (policy / "history").mkdir(mode=0o700)
        (policy / "history" / "00000001-v2.json").write_text(json.dumps(entry))
        now = {"git": stamps.compute_content_digest(grant_file(root).read_bytes())}
        (policy / "stamp.json").write_bytes(stamps.encode_stamp(stamps.Stamp(2, now, {})))


WRITES: dict[str, Callable[[Root], object]] = {
    "set": lambda root: operations.edit_grant(root, "git", GrantEdit(per_minute=7), agree),
    "new": lambda root: operations.create_grant(root, "new", GIVES, agree),
    "copy": lambda root: operations.copy_grant(root, "git", "copy", agree),
    "rename": lambda root: operations.rename_grant(root, "git", "renamed"),
    "remove": lambda root: operations.remove_grant(root, "git", agree),
    "fmt": lambda root: list(operations.format_and_write_each_grant(root, ())),
    "undo": lambda root: (operations.remove_grant(root, "git", agree), undo_writes(root, UndoRequest(), agree)),
    "stamp write": stamp_grants,
    "init": lambda root: (shutil.rmtree(f"{root.path}/.cortex"), init_root.init_root(root.path)),
    "init --pre-commit": lambda root: init_root.init_root(root.path, with_hooks=True),
    "test --init": lambda root: write_first_cases(root, "git"),
    "test --init --update": lambda root: (
        write_first_cases(root, "git"),
        operations.edit_grant(root, "git", GrantEdit(per_minute=7), agree),
        update_cases(root, "git"),
    ),
    "stamp merge": lambda root: (
        stamp_grants(root),
        Path(stamps.make_stamp_path(root.path)).write_bytes(
            Path(stamps.make_stamp_path(root.path)).read_bytes().replace(b'"version": 1', b'"version": 1, "version": 2')
        ),
        write_stamp_after_merge(root),
    ),
    "config set --project": lambda root: write_setting_to_file(SettingsFile(PROJECT, root), "sensitive", "ask", agree),
}


@pytest.mark.parametrize("write", WRITES)
def test_files_that_root_writes_belong_to_the_owner_of_the_root(theirs: Root, write: str) -> None:
    """Directories, the lock and the history too: they can write next."""
    with by_caller():
        (Path(theirs.path) / ".git").mkdir()
    WRITES[write](theirs)
    assert {name for name, mode in modes(theirs).items() if mode & ~0o644} == set()
    with by_caller():
        operations.create_grant(find_named_or_only_root(theirs.path), "next", GIVES, agree)


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1644, 0o777, 0o100644])
def test_an_entry_with_a_mode_that_no_write_records_is_corrupt(theirs: Root, mode: int) -> None:
    """No set-user-ID program comes back."""
    remember(theirs, "x", GIVES.encode(), mode)
    with pytest.raises(NotDoneError, match="the history does not know"):
        undo_writes(theirs, UndoRequest(), agree)
    assert not grant_file(theirs, "x").exists()


@pytest.mark.parametrize(("mode", "kept"), [(0o755, 0o644), (0o664, 0o664), (0o600, 0o600), (0o775, 0o664)])
def test_a_grant_that_comes_back_belongs_to_the_owner_and_is_not_executable(theirs: Root, mode: int, kept: int) -> None:
    """The owner's own group may write, as a check allows; nobody may execute."""
    remember(theirs, "x", GIVES.encode(), mode)
    undo_writes(theirs, UndoRequest(), agree)
    assert modes(theirs)["x.json"] == kept
    assert grant_file(theirs, "x").read_text() == GIVES


@pytest.mark.parametrize("data", [b"\x7fELF\0", b"#!/bin/sh\n", b"{}"])
def test_only_a_valid_grant_comes_back(theirs: Root, data: bytes) -> None:
    """Neither by undo nor by a look at the past; the owner, who could write it anyway, gets what was there."""
    remember(theirs, "x", data, 0o644)
    for ask in (
        lambda: undo_writes(theirs, UndoRequest(), agree),
        lambda: undo.preview_undo(theirs, UndoRequest()),
        lambda: read_grant_at_version(theirs, "x", 1),
    ):
        with pytest.raises(NotDoneError, match="is not valid"):
            ask()
    assert not grant_file(theirs, "x").exists()
    with by_caller():
        undo_writes(find_named_or_only_root(theirs.path), UndoRequest(), agree)
    assert grant_file(theirs, "x").read_bytes() == data


def test_a_file_that_only_root_reads_does_not_get_into_the_history(theirs: Root, tmp_path: Path) -> None:
    """The owner linked to it; a link that is root's is read as a grant is."""
    secret = Path(theirs.path).parent / f"secret-{os.getpid()}"
    secret.write_text("root:$6$secret\n")
    secret.chmod(0o600)
    try:
        os.link(secret, grant_file(theirs, "x"))
        operations.edit_grant(theirs, "git", GrantEdit(per_minute=7), agree)  # the first write stamps every file
        operations.remove_grant(theirs, "x", agree)
        assert secret.read_text() == "root:$6$secret\n"
    finally:
        secret.unlink()
    assert not [path for path in Path(theirs.path).rglob("*") if path.is_file() and b"$6$" in path.read_bytes()]
    assert list(tmp_path.rglob("x.json")) == []


def test_an_old_file_of_root_becomes_the_owners(theirs: Root) -> None:
    """With its set-user-ID bit gone, as for any."""
    os.chown(grant_file(theirs), 0, 0)
    grant_file(theirs).chmod(0o4755)
    operations.edit_grant(theirs, "git", GrantEdit(per_minute=7), agree)
    assert modes(theirs)["git.json"] == 0o644


def test_a_root_that_a_link_leads_to_by_now_is_not_written(theirs: Root, root: Path) -> None:
    """Its owner swapped a directory on the way, once the path was resolved; the other root is as it was."""
    top = Path(theirs.path)
    between = top / "between"
    between.mkdir()
    inner = Root(str(between / root.name), trusts_owner=True)
    between.rmdir()
    between.symlink_to(root.parent)
    emergency_stop.stop_root(find_named_or_only_root(str(root)))
    before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
    for write in (
        lambda: operations.edit_grant(inner, "git", GrantEdit(per_minute=7), agree),
        lambda: stamp_grants(inner),
        lambda: write_first_cases(inner, "git"),
        lambda: emergency_stop.resume_root_if_stopped(inner),
    ):
        with pytest.raises(NotDoneError, match="was replaced in between"):
            write()
    assert {path: path.lstat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_lock_with_another_name_is_never_written(theirs: Root) -> None:
    """The owner made it of a file that is not theirs, and took one of the names away once it was open."""
    other = Path(theirs.path).parent / f"precious-{os.getpid()}"
    other.write_text("precious\n")
    lock = Path(theirs.tools_path).parent / ".lock"
    try:
        os.link(other, lock)
        with pytest.raises(NotDoneError, match="more than one link"), hold_writer_lock(theirs):
            pass
        assert (other.read_text(), other.stat().st_uid) == ("precious\n", 0)
    finally:
        other.unlink()


def test_a_pipe_in_place_of_a_file_blocks_nothing(theirs: Root) -> None:
    """It is no lock, no grant and no configuration."""
    (Path(theirs.path) / ".git").mkdir()
    os.mkfifo(Path(theirs.path) / ".pre-commit-config.yaml")
    hooks = init_root.init_root(theirs.path, with_hooks=True).hooks
    assert hooks is not None
    assert hooks.status == "kept"
    grant_file(theirs).unlink()
    os.mkfifo(grant_file(theirs))
    (Path(theirs.tools_path).parent / ".lock").unlink()
    os.mkfifo(Path(theirs.tools_path).parent / ".lock")
    with pytest.raises(NotDoneError, match="is not a regular file"), hold_writer_lock(theirs):
        pass


@pytest.mark.parametrize("way", ["config", "link", "deeper/config"])
def test_root_s_own_settings_are_not_where_another_user_leads_them(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A home that was left over from `su`: what root sets for itself could become what the machine goes by."""
    system = tmp_path / "etc"
    system.mkdir()
    with by_caller():
        (own / "deeper").mkdir()
    (own / "link").symlink_to(system)
    os.chown(own / "link", CALLER, CALLER, follow_symlinks=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own / way))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotDoneError, match="another user decides where") as caught:
        write_setting_to_file(SettingsFile(USER), "sensitive", "ask", agree)
    assert "XDG_CONFIG_HOME" in caught.value.hint
    assert list(system.iterdir()) == []
    assert not (own / "config").exists()


@pytest.mark.parametrize(("mode", "group"), [(0o664, 4711), (0o666, CALLER), (0o666, 4711), (0o646, 4711)])
def test_a_grant_that_others_can_write_is_not_closed_by_a_write(theirs: Root, mode: int, group: int) -> None:
    """No check trusts it: a write would make it look safe. One command closes it for everybody at once."""
    os.chown(grant_file(theirs), CALLER, group)
    grant_file(theirs).chmod(mode)
    before = grant_file(theirs).read_bytes()
    (laid,) = operations.format_and_write_each_grant(theirs, ("git",))
    with pytest.raises(GrantError) as caught:
        WRITES["set"](theirs)
    for error in (laid.error, caught.value):
        assert error is not None
        assert (error.exit_code, f"`chmod go-w {grant_file(theirs)}`" in error.hint) == (22, True)
    assert (grant_file(theirs).read_bytes(), grant_file(theirs).stat().st_mode & 0o777) == (before, mode)
    os.chown(grant_file(theirs), CALLER, CALLER)
    grant_file(theirs).chmod(mode & ~0o002)
    operations.edit_grant(theirs, "git", GrantEdit(per_minute=7), agree)
