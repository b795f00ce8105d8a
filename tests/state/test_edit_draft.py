"""A text that is edited lies where nobody else can put another in its place."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state import edit_draft
from cortex_policy.state.edit_draft import Draft, list_leftover_drafts_of_file
from cortex_policy.state.safe_directories import is_private_path
from tests.support.users import CALLER, by_caller

FILE = "/srv/repo/.cortex/policy/tools/git.json"


def test_a_copy_has_the_name_of_its_file_in_a_directory_of_its_own(drafts_place: Path) -> None:
    """So that an editor knows its kind; another session, or another root, has another."""
    draft, other = Draft(FILE, b"one", 9), Draft(FILE, b"two", 9)
    path = Path(draft.path)
    assert (path.name, path.parent.parent) == ("git.json", drafts_place)
    assert (path.read_bytes(), path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (
        b"one",
        0o600,
        0o700,
    )
    assert list_leftover_drafts_of_file(FILE) == sorted([draft.path, other.path])
    assert (
        list_leftover_drafts_of_file("/other/.cortex/policy/tools/git.json")
        == list_leftover_drafts_of_file("/srv/repo/.cortex/policy/tools/gi.json")
        == []
    )


def test_an_unchanged_or_empty_draft_is_removed_with_its_directory(drafts_place: Path) -> None:
    """An editor may have left a backup there."""
    for text in (b"old", b"new", b" \n", None):
        draft = Draft(FILE, b"text", 9)
        Path(draft.path + "~").write_bytes(b"backup")
        if text is None:
            Path(draft.path).unlink()
        else:
            Path(draft.path).write_bytes(text)
        assert not draft.keep_if_changed(b"old", b"new")
        assert list(drafts_place.iterdir()) == []
    assert Draft(FILE, b"text", 9).keep_if_changed(b"old", b"new")


@pytest.mark.parametrize("kind", ["link", "second name", "pipe", "directory"])
def test_a_draft_that_is_not_a_text_file_is_left_unread(drafts_place: Path, kind: str) -> None:
    """Nothing waits for a pipe either."""
    draft, other = Draft(FILE, b"text", 9), drafts_place / "other"
    other.write_bytes(b"other")
    path = Path(draft.path)
    path.unlink()
    if kind == "link":
        path.symlink_to(other)
    elif kind == "second name":
        path.hardlink_to(other)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(NotDoneError):
        draft.read_text(b"last")
    assert draft.keep_if_changed()
    assert path.lstat()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be fooled by a directory of another user")
def test_no_draft_is_made_where_another_user_could_change_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not theirs, nor below theirs, nor behind a link of theirs; the usual places are."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for directory in (theirs, ours, theirs / "below"):
        directory.mkdir()
    (theirs / "link").symlink_to(ours)
    os.chown(theirs, CALLER, CALLER)
    os.chown(theirs / "link", CALLER, CALLER, follow_symlinks=False)
    usual = [place for place in edit_draft.PLACES if Path(place).is_dir()]
    for place in (theirs, theirs / "below", theirs / "link", theirs / "link" / ".." / "ours", Path("relative")):
        monkeypatch.setenv("TMPDIR", str(place))
        draft = Draft(FILE, b"text", 9)
        assert draft.path.startswith(tuple(usual))
        draft.remove_files()


def test_without_a_safe_directory_nothing_is_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said how to name one."""
    monkeypatch.setattr(edit_draft, "PLACES", ())
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with pytest.raises(NotDoneError, match="no directory for a private copy") as caught:
        Draft(FILE, b"text", 9)
    assert "TMPDIR" in caught.value.hint


def test_a_directory_is_private_if_all_above_it_are_safe(tmp_path: Path) -> None:
    """The sticky bit protects a name in it; a link is followed."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    assert is_private_path(str(inner))
    assert is_private_path(str(tmp_path / "link" / "b"))
    assert not is_private_path(str(tmp_path / "loop" / "b"))
    assert not is_private_path(str(tmp_path / "missing"))
    for mode, expected in ((0o777, False), (0o1777, True), (0o757, False), (0o755, True)):
        (tmp_path / "a").chmod(mode)
        assert is_private_path(str(inner)) is expected
        assert is_private_path(str(tmp_path / "a")) is expected


def test_a_directory_of_another_user_is_not_private(tmp_path: Path) -> None:
    """Whatever its modes, and neither is what lies in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    inner = tmp_path / "other" / "inner"
    inner.mkdir(parents=True)
    assert is_private_path(str(inner))
    os.chown(inner.parent, CALLER, CALLER)
    assert not is_private_path(str(inner.parent))
    assert not is_private_path(str(inner))


def test_a_directory_that_cannot_be_listed_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy is made in it all the same; what others remove meanwhile is nobody's."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    os.chown(place, CALLER if os.geteuid() == 0 else -1, -1)
    place.chmod(0o300)
    monkeypatch.setenv("TMPDIR", str(place))
    try:
        with by_caller():
            draft = Draft(FILE, b"text", 9)
            assert draft.path.startswith(f"{place}/")
            assert draft.path not in list_leftover_drafts_of_file(FILE)
            draft.remove_files()
    finally:
        place.chmod(0o700)
        shutil.rmtree(place)


def test_the_copy_that_was_left_last_is_taken_again(drafts_place: Path) -> None:
    """Its bytes and its place; where there is none, that is said, and a link is not followed."""
    with pytest.raises(NotDoneError, match="no earlier session left a text"):
        Draft(FILE, None, 9)
    Draft(FILE, b"one", 9)
    last = Draft(FILE, b"two", 9)
    os.utime(last.path, ns=(1 << 62, 1 << 62))
    again = Draft(FILE, None, 9)
    assert (again.path, again.read_text(b"")) == (last.path, b"two")
    Path(last.path).unlink()
    Path(last.path).symlink_to(drafts_place / "secret")
    os.utime(last.path, ns=(1 << 62, 1 << 62), follow_symlinks=False)
    with pytest.raises(NotDoneError, match="is a link"):
        Draft(FILE, None, 9)
