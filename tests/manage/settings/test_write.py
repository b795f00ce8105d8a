"""Settings are written whole or not at all, with the comments of those who wrote before."""

import fcntl
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import PROJECT, SYSTEM, USER, flatten_settings_document
from cortex_policy.manage.diff.grants import GrantDiff
from cortex_policy.manage.editing.edit_loop import DIFF, EDIT, ENDED_AT_ONCE, EXIT, SAVE
from cortex_policy.manage.settings.editor_session import edit_settings_file_in_editor
from cortex_policy.manage.settings.effective import resolve_settings
from cortex_policy.manage.settings.toml_edit import format_toml_literal, set_or_unset_setting_in_text
from cortex_policy.manage.settings.write import (
    SettingsFile,
    remove_setting_from_file,
    replace_settings_text,
    write_setting_to_file,
)
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, hold_writer_lock
from tests.support.stamps import agree

MINE = SettingsFile(USER)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drafts_place: Path) -> Path:
    """Name the user's file, which is not there yet."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    assert drafts_place.is_dir()
    return tmp_path / "config/cortex-policy/config.toml"


def test_a_home_that_is_not_absolute_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Checks do not read it, and other programs would put the file into the working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "somewhere")
    with pytest.raises(NotDoneError, match="on this platform their directory is"):
        write_setting_to_file(MINE, "history.keep", "30", agree)
    assert not os.listdir()


def test_a_setting_makes_its_file_and_is_unset_again(mine: Path) -> None:
    """Nobody else may read it, and the second time there is nothing to do."""
    assert write_setting_to_file(MINE, "history.keep", "30", agree)
    assert write_setting_to_file(MINE, "require_path", "true", agree)
    assert not write_setting_to_file(MINE, "require_path", "1", agree)
    assert mine.read_text() == "require_path = true\n\n[history]\nkeep = 30\n"
    assert mine.stat().st_mode & 0o777 == 0o600
    assert mine.parent.stat().st_mode & 0o777 == 0o700
    assert remove_setting_from_file(MINE, "history.keep", agree)
    assert not remove_setting_from_file(MINE, "history.keep", agree)
    assert tomllib.loads(mine.read_text()) == {"require_path": True, "history": {}}
    assert sorted(os.listdir(mine.parent)) == ["config.toml", "history"]


def test_the_files_of_system_and_project_can_be_read_by_all(mine: Path, root: Path, tmp_path: Path) -> None:
    """Others go by them too."""
    assert not mine.exists()
    for target in (SettingsFile(SYSTEM), SettingsFile(PROJECT, Root(str(root), trusts_owner=True))):
        assert write_setting_to_file(target, "sensitive", "deny", agree)
        assert Path(target.file).stat().st_mode & 0o777 == 0o644
    assert [
        one.effective.place
        for one in resolve_settings(find_named_or_only_root(None))
        if one.setting.name == "sensitive"
    ] == [SYSTEM]
    assert (tmp_path / "etc").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("sensitve", "ask", "did you mean `sensitive`?"), ("sensitive", "no", "`deny`"), ("history.keep", "many", "whole number"),
        ("require_path", "", "true or false"), ("state_dir", "here", "absolute"), ("validate.select", "key", "project"), ("locked", "x", "settings are"),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_a_usage_error_and_makes_no_file(mine: Path, name: str, text: str, error: str) -> None:
    """And makes no file."""
    with pytest.raises(UsageError) as caught:
        write_setting_to_file(MINE, name, text, agree)
    assert error in caught.value.hint
    assert not mine.exists()


def test_a_project_takes_what_tightens_and_what_is_for_validate(root: Path) -> None:
    """Rules must be known; a table has no single value."""
    target = SettingsFile(PROJECT, Root(str(root), trusts_owner=True))
    assert write_setting_to_file(target, "validate.ignore", "key, scope-absent", agree)
    assert write_setting_to_file(target, "validate.ignore", "key", agree)
    assert Path(target.file).read_text() == '[validate]\nignore = ["key"]\n'
    for name, text in (("validate.select", "keys"), ("editor", "vi"), ("validate.suppress", "x")):
        with pytest.raises(UsageError):
            write_setting_to_file(target, name, text, agree)


def test_a_file_that_is_wrong_is_left_as_it_is(mine: Path) -> None:
    """What cannot be believed cannot be changed but by hand."""
    mine.parent.mkdir(parents=True)
    for text in ("sensitive = 'no'\n", "x", "locked = []\n"):
        mine.write_text(text)
        with pytest.raises(GrantError):
            write_setting_to_file(MINE, "stamp", "require", agree)
        assert mine.read_text() == text


def test_a_lock_cannot_lose_what_it_locks(mine: Path) -> None:
    """The lock would be one of nothing; another value is no less locked."""
    assert not mine.exists()
    target = SettingsFile(SYSTEM)
    write_setting_to_file(target, "stamp", "require", agree)
    file = Path(target.file)
    file.write_text('locked = ["stamp"]  # ours\n' + file.read_text())
    with pytest.raises(NotDoneError, match="`stamp` is locked in") as caught:
        remove_setting_from_file(target, "stamp", agree)
    assert caught.value.hint == "take it out of `locked` with `cortex-policy config edit --system`"
    assert write_setting_to_file(target, "stamp", "off", agree)
    assert file.read_text() == 'locked = ["stamp"]  # ours\nstamp = "off"\n'


def test_another_write_in_between_is_noticed(mine: Path) -> None:
    """What was written meanwhile is not lost."""
    write_setting_to_file(MINE, "stamp", "require", agree)
    before = mine.read_bytes()
    write_setting_to_file(MINE, "sensitive", "ask", agree)
    with pytest.raises(NotDoneError, match="changed in the meantime"):
        replace_settings_text(MINE, before, b"")
    with pytest.raises(NotDoneError, match="changed in the meantime"):
        replace_settings_text(MINE, None, b"")
    assert b"sensitive" in mine.read_bytes()
    assert sorted(os.listdir(mine.parent)) == ["config.toml", "history"]


def test_writers_exclude_each_other(mine: Path, root: Path) -> None:
    """The user's directory is locked meanwhile; the project's file has the lock of the grants."""
    write_setting_to_file(MINE, "stamp", "require", agree)
    descriptor = os.open(mine.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(NotDoneError, match="another process is writing"):
        write_setting_to_file(MINE, "stamp", "off", agree)
    told: list[str] = []
    with pytest.raises(NotDoneError, match="another process is writing"):
        remove_setting_from_file(MINE, "stamp", agree, LockWait(0.1, told.append))
    assert told == [f"another process is writing `{mine}`; waiting at most 0.1 seconds"]
    patience = LockWait(30, lambda _: os.close(descriptor))  # they end once they are waited for
    assert write_setting_to_file(MINE, "stamp", "off", agree, patience)
    here = Root(str(root), trusts_owner=True)
    with hold_writer_lock(here), pytest.raises(NotDoneError, match="writing grants"):
        write_setting_to_file(SettingsFile(PROJECT, here), "stamp", "require", agree, NO_WAIT)


def test_a_link_is_not_written_through(mine: Path, tmp_path: Path) -> None:
    """It is not believed in the first place."""
    mine.parent.mkdir(parents=True)
    (tmp_path / "other").write_text("")
    mine.symlink_to(tmp_path / "other")
    with pytest.raises(GrantError, match="link"):
        write_setting_to_file(MINE, "stamp", "require", agree)
    assert (tmp_path / "other").read_text() == ""


COMMENTED = """# who may do what
sensitive = "allow"  # for now

# how long
[history]
keep = 30 # enough

[audit]
# full = everything
args = "names"
"""


def test_comments_stay_where_they_were() -> None:
    """A value changes in its line; a new one joins its section."""
    text = set_or_unset_setting_in_text(COMMENTED, "sensitive", "ask")
    assert text == COMMENTED.replace('"allow"', '"ask"')
    text = set_or_unset_setting_in_text(text, "history.keep", 3)
    text = set_or_unset_setting_in_text(text, "audit.on_error", "deny")
    text = set_or_unset_setting_in_text(text, "stamp", "require")
    text = set_or_unset_setting_in_text(text, "audit.args", None)
    assert text == (
        '# who may do what\nsensitive = "ask"  # for now\nstamp = "require"\n\n# how long\n[history]\nkeep = 3 # enough\n\n'
        '[audit]\n# full = everything\non_error = "deny"\n'
    )


@pytest.mark.parametrize(
    "change", [("sensitive", "ask"), ("history.keep", 3), ("stamp", "require"), ("audit.args", None), ("rate.x", 1)]
)
def test_each_line_keeps_its_ending(change: tuple[str, Any]) -> None:
    """As a file from Windows has them; a new line ends as the one before it."""
    wanted = set_or_unset_setting_in_text(COMMENTED, *change)
    assert set_or_unset_setting_in_text(COMMENTED.replace("\n", "\r\n"), *change) == wanted.replace("\n", "\r\n")
    assert (
        set_or_unset_setting_in_text(COMMENTED.replace("\n", "\r\n").removesuffix("\r\n"), *change).count("\n")
        >= wanted.count("\n") - 1
    )


def test_mixed_endings_stay_mixed() -> None:
    """Only the line that changes is written."""
    mixed = 'sensitive = "allow"\r\n# unix\n[history]\nkeep = 3\r\n'
    assert set_or_unset_setting_in_text(mixed, "sensitive", "ask") == mixed.replace("allow", "ask")
    assert set_or_unset_setting_in_text(mixed, "history.keep", None) == mixed.replace("keep = 3\r\n", "")
    assert set_or_unset_setting_in_text(mixed, "stamp", "off") == mixed.replace("# unix", 'stamp = "off"\r\n# unix')
    assert set_or_unset_setting_in_text("a = 1\r\nb = {c = 2}\r\n", "b.c", 3) == "a = 1\r\n\r\n[b]\r\nc = 3\r\n"
    assert (
        set_or_unset_setting_in_text("# \u2028 is no end of a line\r\nx = 1\r\n", "x", 2)
        == "# \u2028 is no end of a line\r\nx = 2\r\n"
    )


def test_comments_that_would_be_lost_are_not() -> None:
    """What is too tangled for a change of lines is left to an editor; without comments it is written anew."""
    tangled = "history = {keep = 3} # x\n"
    with pytest.raises(NotDoneError, match="the comments of the file would be lost"):
        set_or_unset_setting_in_text(tangled, "history.keep", 4)
    assert tomllib.loads(set_or_unset_setting_in_text("history = {keep = 3}\n", "history.keep", 4)) == {
        "history": {"keep": 4}
    }


lines = st.sampled_from([
    'sensitive = "ask"\n', "sensitive = 'ask' # c\n", '  stamp = "off"\n', "history.keep = 3\n", "[history]\n", "[audit]\n", "keep = 4\n", "keep=5#c\n",
    'args = "full"\n', "\n", "# c\n", 'audit.args = "names"\n', '[validate]\nignore = [\n  "key", # c\n]\n', "require_path = true", "[x]\n",
])  # fmt: skip
changes = st.sampled_from([
    ("sensitive", "deny"), ("sensitive", None), ("history.keep", 9), ("history.keep", None), ("audit.args", 'a"\\\n#b'), ("validate.ignore", ["a", "b"]),
    ("validate.ignore", None), ("require_path", False),
])  # fmt: skip


@given(st.lists(st.tuples(lines, st.sampled_from(["\n", "\r\n"])), max_size=8), changes)
def test_a_change_changes_one_setting_and_no_comment(parts: list[tuple[str, str]], change: tuple[str, Any]) -> None:
    """Whatever the file looks like: else it is refused."""
    text = "".join(line.replace("\n", ending) for line, ending in parts)
    try:
        before = flatten_settings_document(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return
    name, value = change
    try:
        after = set_or_unset_setting_in_text(text, name, value)
    except NotDoneError:
        return
    wanted = (
        {**before, name: value} if value is not None else {key: part for key, part in before.items() if key != name}
    )
    assert flatten_settings_document(tomllib.loads(after)) == wanted
    if value is not None:
        assert after.count("# c") == text.count("# c")
    if "\n" in text and "\n" not in text.replace("\r\n", ""):
        assert "\n" not in after.replace("\r\n", "")
    if "\r" not in text:
        assert "\r" not in after


@given(st.text() | st.integers(0) | st.booleans() | st.lists(st.text()))
def test_any_value_is_spelled_so_that_it_reads_the_same(value: object) -> None:
    """Quotes, control characters and all."""
    if json.dumps(value).encode().decode("unicode_escape", "replace").isascii():
        assert tomllib.loads(f"x = {format_toml_literal(value)}") == {"x": value}


class Screen:
    """An operator who types these texts and presses these keys."""

    def __init__(self, *steps: Any, keys: str) -> None:
        self._steps, self._keys, self.said, self.asked = list(steps), list(keys), "", ""
        self.agrees = [True]

    def run_editor(self, path: str, _: int) -> str:
        step = self._steps.pop(0)
        if callable(step):
            return step(Path(path))
        if step is not None:
            Path(path).write_text(step)
        return ""

    def ask_choice(self, choices: str) -> str:
        self.asked = choices
        return self._keys.pop(0)

    def show_sentence(self, sentence: str) -> None:
        self.said += sentence + "\n"

    def show_change(self, change: GrantDiff) -> None:
        self.said += "".join(f"{part.field}: {part.sentence}\n" for part in change.meaning.fields)

    def ask_consent(self, _: GrantDiff) -> bool:
        return self.agrees.pop(0)

    def show_diff(self, old: bytes, new: bytes) -> None:
        self.said += f"{old!r} -> {new!r}\n"


def test_a_text_is_saved_when_it_is_valid(mine: Path) -> None:
    """What is wrong is said, and can only be edited again."""
    screen: Any = Screen("sensitve = 1\n", "sensitive = \n", 'sensitive = "ask"\n', keys=EDIT + EDIT + DIFF + SAVE)
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "saved"
    assert mine.read_text() == 'sensitive = "ask"\n'
    assert "did you mean `sensitive`?" in screen.said
    assert "not TOML" in screen.said
    assert "left in" not in screen.said


def test_a_text_that_is_given_up_is_left_and_named(mine: Path) -> None:
    """The file is as before."""
    screen: Any = Screen("sensitve = 1\n", keys=EXIT)
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "cancelled"
    assert screen.asked == EDIT + DIFF + EXIT
    assert not mine.exists()
    left = Path(screen.said.partition("left in `")[2].partition("`")[0])
    assert left.read_text() == "sensitve = 1\n"
    assert left.parent.stat().st_mode & 0o777 == 0o700


def test_an_unchanged_text_writes_nothing(mine: Path) -> None:
    """And leaves nothing."""
    write_setting_to_file(MINE, "stamp", "require", agree)
    screen: Any = Screen(None, keys="")
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "unchanged"
    assert "left in" not in screen.said
    assert "require" in mine.read_text()


def test_an_editor_that_fails_or_removes_its_file_saves_nothing(mine: Path) -> None:
    """A link in its place is not followed."""

    def remove(path: Path) -> str:
        path.unlink()
        return ""

    def link(path: Path) -> str:
        path.unlink()
        path.symlink_to("/etc/hostname")
        return ""

    screen: Any = Screen(lambda _: "the editor ended with status 1", remove, link, keys=EDIT + EDIT + EXIT)
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "cancelled"
    assert not mine.exists()


def test_an_invalid_settings_file_can_be_repaired_in_an_editor(mine: Path) -> None:
    """That is what an editor is for."""
    mine.parent.mkdir(parents=True)
    mine.write_text("sensitive = ")
    screen: Any = Screen('sensitive = "ask"\n', keys=SAVE)
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "saved"


def test_settings_that_widen_are_shown_and_need_consent(mine: Path) -> None:
    """Who says no may go on, and still say yes; what tightens is saved unasked."""
    write_setting_to_file(MINE, "sensitive", "deny", agree)
    screen: Any = Screen('sensitive = "ask"\n', keys=SAVE + DIFF + SAVE)
    screen.agrees = [False, True]
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "saved"
    assert screen.said.startswith("sensitive: deny becomes ask\n")
    assert screen.agrees == []
    screen = Screen('sensitive = "deny"\n', keys=SAVE)
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "saved"
    assert (screen.said, screen.agrees) == ("", [True])
    screen = Screen("", keys=SAVE + EXIT)
    screen.agrees = [False]
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "cancelled"
    assert mine.read_text() == 'sensitive = "deny"\n'


def test_an_editor_that_goes_on_in_the_background_keeps_its_settings(mine: Path) -> None:
    """It changed nothing yet; one that is as fast and wrote is asked about as any other."""
    screen: Any = Screen(lambda _: ENDED_AT_ONCE, keys="")
    with pytest.raises(NotDoneError, match="the editor ended at once") as caught:
        edit_settings_file_in_editor(MINE, NO_WAIT, screen)
    assert "code --wait" in caught.value.hint
    left = Path(screen.said.partition("left in `")[2].partition("`")[0])
    assert left.read_text() == ""
    assert not mine.exists()

    def write(path: Path) -> str:
        path.write_text('sensitive = "ask"\n')
        return ENDED_AT_ONCE

    screen = Screen(write, keys=SAVE)
    assert edit_settings_file_in_editor(MINE, NO_WAIT, screen).status == "saved"
