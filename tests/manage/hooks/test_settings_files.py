"""Settings files of agents are written atomically, and never through what another user could change."""

import os
import stat
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks import settings_files
from cortex_policy.manage.hooks.settings_files import read_agent_settings_file, replace_agent_settings_file
from tests.support.acls import USER, granting, put_acl
from tests.support.users import CALLER

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def test_missing_directories_are_made(tmp_path: Path) -> None:
    """And a new file has the mode that is asked for, whatever the umask."""
    file = tmp_path / "a/b/settings.json"
    replace_agent_settings_file(read_agent_settings_file(str(file)), b"{}", 0o600)
    assert file.read_bytes() == b"{}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_was_changed_since_it_was_read_is_not_replaced(tmp_path: Path) -> None:
    """The agent itself writes its settings, too."""
    file = tmp_path / "settings.json"
    file.write_text("{}")
    read = read_agent_settings_file(str(file))
    file.write_text('{"a": 1}')
    for data in (b"new", None):
        with pytest.raises(NotDoneError, match="was changed at the same time"):
            replace_agent_settings_file(read, data, 0o600)
    assert file.read_text() == '{"a": 1}'


def test_a_file_that_appeared_since_is_not_replaced(tmp_path: Path) -> None:
    """Nobody has seen what is in it."""
    file = tmp_path / "settings.json"
    read = read_agent_settings_file(str(file))
    file.write_text('{"a": 1}')
    with pytest.raises(NotDoneError, match="was changed at the same time"):
        replace_agent_settings_file(read, b"new", 0o600)
    assert file.read_text() == '{"a": 1}'


@pytest.mark.parametrize("kind", ["directory", "fifo", "binary", "huge"])
def test_a_file_that_is_not_a_text_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither hangs nor reads without an end."""
    file = tmp_path / "settings.json"
    {
        "directory": file.mkdir,
        "fifo": lambda: os.mkfifo(file),
        "binary": lambda: file.write_bytes(b"\xff"),
        "huge": lambda: file.write_bytes(b" " * 2000),
    }[kind]()
    monkeypatch.setattr(settings_files, "MAX_BYTES", 1000)
    with pytest.raises(NotDoneError):
        _ = read_agent_settings_file(str(file)).text


@needs_root
def test_a_link_that_another_user_can_change_is_not_followed(tmp_path: Path) -> None:
    """It could lead to any file of the caller."""
    theirs, real = tmp_path / "theirs", tmp_path / "real.json"
    theirs.mkdir()
    real.write_text("{}")
    (theirs / "settings.json").symlink_to(real)
    os.chown(theirs, CALLER, CALLER)
    with pytest.raises(NotDoneError, match="another user can change the target"):
        read_agent_settings_file(str(theirs / "settings.json"))


@needs_root
def test_the_owner_of_a_file_stays(tmp_path: Path) -> None:
    """Root may install the hook for a user."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, CALLER, CALLER)
    for name in ("old.json", "new.json"):
        file = home / name
        if name == "old.json":
            file.write_text("{}")
            os.chown(file, CALLER, CALLER)
        replace_agent_settings_file(read_agent_settings_file(str(file)), b"{ }", 0o600)
        assert (file.stat().st_uid, file.read_bytes()) == (CALLER, b"{ }")


def test_the_access_control_list_of_a_file_stays(tmp_path: Path) -> None:
    """Another user whom it lets read can read on."""
    file = tmp_path / "settings.json"
    file.write_text("{}")
    put_acl(file, granting((USER, 4, CALLER)))
    before = os.getxattr(file, "system.posix_acl_access")
    replace_agent_settings_file(read_agent_settings_file(str(file)), b"{ }", 0o600)
    assert os.getxattr(file, "system.posix_acl_access") == before
