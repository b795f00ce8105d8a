"""A setting that would deny every check is refused before it is written."""

import os
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import PROJECT, SYSTEM, USER
from cortex_policy.manage.settings.consequences import find_new_global_denial_error_or_none
from cortex_policy.manage.settings.write import SettingsFile, remove_setting_from_file, write_setting_to_file
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.stamp import Stamp, encode_stamp
from tests.support.stamps import agree
from tests.support.terminal import Terminal
from tests.support.users import CALLER


@pytest.fixture
def mine(root: Path, tmp_path: Path) -> SettingsFile:
    """Stand in a root, as a user without settings."""
    assert root.is_dir()
    assert not (tmp_path / "config").exists()
    return SettingsFile(USER, find_named_or_only_root())


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("audit.file", "/nonexist/log", "its directory does not exist"), ("audit.file", "/dev/null", "it is a device"),
        ("audit.file", "/etc", "it is a directory"), ("state_dir", "/nonexist/state", "no such file or directory"),
        ("state_dir", "/etc/passwd", "is a link, or not a directory"), ("stamp", "require", "there is no stamp"),
    ],
)  # fmt: skip
def test_a_setting_that_would_deny_every_check_is_not_written(
    mine: SettingsFile, name: str, value: str, why: str
) -> None:
    """It is said why, and what helps."""
    with pytest.raises(NotDoneError, match=f"every check would answer 2[34]: .*{why}") as caught:
        write_setting_to_file(mine, name, value, agree)
    assert caught.value.hint
    assert not Path(mine.file).exists()


def test_settings_that_a_check_could_use_are_written(mine: SettingsFile, tmp_path: Path) -> None:
    """Nothing is made for it: neither the log nor the directory."""
    for name, path in (("audit.file", tmp_path / "log"), ("state_dir", tmp_path / "new")):
        assert write_setting_to_file(mine, name, str(path), agree)
        assert not path.exists()


def test_a_denial_that_was_there_before_keeps_nothing_from_being_set(mine: SettingsFile, tmp_path: Path) -> None:
    """Else the operator could fix one thing only after the other; what may fail denies nothing."""
    log = tmp_path / "directory/log"
    log.parent.mkdir()
    assert write_setting_to_file(mine, "audit.file", str(log), agree)
    log.parent.rmdir()
    assert write_setting_to_file(mine, "sensitive", "ask", agree)
    assert write_setting_to_file(mine, "audit.on_error", "ignore", agree)
    with pytest.raises(NotDoneError, match="its directory does not exist"):
        write_setting_to_file(mine, "audit.on_error", "deny", agree)
    with pytest.raises(NotDoneError, match="its directory does not exist"):
        remove_setting_from_file(mine, "audit.on_error", agree)
    assert remove_setting_from_file(mine, "audit.file", agree)


def test_the_environment_of_this_shell_hides_nothing(mine: SettingsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next shell does not have it."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_FILE", "/tmp/log")  # noqa: S108 - never made
    with pytest.raises(NotDoneError, match="its directory does not exist"):
        write_setting_to_file(mine, "audit.file", "/nonexist/log", agree)


def test_a_project_may_require_an_existing_stamp(mine: SettingsFile) -> None:
    """Not before."""
    root = find_named_or_only_root()
    project = SettingsFile(PROJECT, root)
    with pytest.raises(NotDoneError, match="there is no stamp") as caught:
        write_setting_to_file(project, "stamp", "require", agree)
    assert "`cortex-policy stamp write`" in caught.value.hint
    Path(root.tools_path).with_name("stamp.json").write_bytes(encode_stamp(Stamp(1, {}, {})))
    assert write_setting_to_file(project, "stamp", "require", agree)
    assert mine.root == root


@pytest.mark.usefixtures("root")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_sets_a_log_of_another_user_for_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What that user may write root cannot tell; what nobody can write root can."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    log = tmp_path / "log"
    log.touch(mode=0o600)
    os.chown(log, CALLER, CALLER)
    theirs, nobodys = (f'[audit]\nfile = "{name}"\n'.encode() for name in (log, "/nonexist/log"))
    assert find_new_global_denial_error_or_none(SYSTEM, find_named_or_only_root(), None, theirs) is None
    assert "its directory does not exist" in str(
        find_new_global_denial_error_or_none(SYSTEM, find_named_or_only_root(), None, nobodys)
    )


@pytest.mark.usefixtures("drafts_place")
def test_an_edited_text_that_would_deny_every_check_is_not_saved(mine: SettingsFile) -> None:
    """The editor is offered again."""
    editor = """sh -c 'echo "[audit]" > "$1"; echo "file = \\"/nonexist/log\\"" >> "$1"' editor"""
    terminal = Terminal("config", "edit", columns=250, EDITOR=editor)
    terminal.expect(
        "every check would answer 24: audit log `/nonexist/log`: its directory does not exist; make it with "
    )
    terminal.expect("(e)dit again (d)iff e(x)it: ")
    terminal.press("x")
    assert terminal.end()[0] == 3
    assert not Path(mine.file).exists()
