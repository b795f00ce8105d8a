"""A root is made once, where it is not ambiguous, and nothing in it is overwritten."""

import os
from pathlib import Path

import pytest
from conftest import CALLER, by_caller

from cortex_policy.core.escalation import escalations
from cortex_policy.core.model import GrantError
from cortex_policy.manage import stamping
from cortex_policy.manage.founding import found
from cortex_policy.state.enforcement import load_grant
from cortex_policy.state.grants import Root, find_root
from cortex_policy.state.writers import NotDone


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory."""
    directory = tmp_path / "empty"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def test_a_root_is_made_with_a_harmless_example(empty: Path) -> None:
    """It is found, loads, is stamped, and lets its tool write nothing that others run."""
    old = os.umask(0)
    try:
        founded = found()
    finally:
        os.umask(old)
    assert founded.made == (str(empty / ".cortex/policy/tools"), str(empty / ".cortex/policy/tools/example.json"))
    assert find_root() == founded.root
    grant = load_grant("example")
    assert grant.fs_scope
    assert escalations(grant) == ()
    assert stamping.verify(founded.root) == ()


def test_twice_is_once(empty: Path) -> None:
    """The second time nothing is missing."""
    found()
    file = empty / ".cortex/policy/tools/example.json"
    file.write_text("mine")
    assert found().made == ()
    assert file.read_text() == "mine"


def test_only_what_is_missing_is_made(empty: Path) -> None:
    """Grants that stand there want no example."""
    (empty / ".cortex/policy/tools").mkdir(parents=True)
    (empty / ".cortex/policy/tools/mine.json").write_text("{}")
    assert found().made == ()
    (empty / ".cortex/policy/tools/mine.json").unlink()
    assert found().made == (str(empty / ".cortex/policy/tools/example.json"),)


def test_below_a_root_none_is_made(root: Path) -> None:
    """Not by its name either: it would be ambiguous."""
    with pytest.raises(NotDone, match="is a root already"):
        found(str(root / "docs"))
    assert list((root / "docs").glob(".cortex")) == []
    assert found().made == ()


def test_a_directory_above_that_cannot_be_examined_counts_as_a_root(own: Path) -> None:
    """As for a check, which could not tell which one is meant."""
    (own / "docs").mkdir()
    os.chown(own / "docs", CALLER, CALLER)
    (own / ".cortex").chmod(0)
    with by_caller(), pytest.raises(NotDone, match="cannot be examined"):
        found(str(own / "docs"))
    assert list((own / "docs").iterdir()) == []


def test_the_named_directory_wins(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every command: the option, then the environment."""
    for name in ("a", "b"):
        (empty / name).mkdir()
    monkeypatch.setenv("CORTEX_POLICY_ROOT", str(empty / "a"))
    assert found("b").root == Root(str(empty / "b"), named=True)
    assert found().root.path == str(empty / "a")
    monkeypatch.setenv("CORTEX_POLICY_ROOT", "a")
    with pytest.raises(GrantError, match="not absolute"):
        found()


@pytest.mark.parametrize("name", ["missing", "file", "\0"])
def test_what_is_no_directory_is_no_root(empty: Path, name: str) -> None:
    """It is named."""
    (empty / "file").touch()
    with pytest.raises(GrantError):
        found(name)


@pytest.mark.parametrize("link", [".cortex", ".cortex/policy", ".cortex/policy/tools"])
def test_nothing_is_made_through_a_link(empty: Path, tmp_path: Path, link: str) -> None:
    """Wherever it stands on the way."""
    (tmp_path / "elsewhere").mkdir()
    (empty / link).parent.mkdir(parents=True, exist_ok=True)
    (empty / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises((NotDone, GrantError)):
        found()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_disk_that_refuses_is_told(empty: Path) -> None:
    """A file stands in the way."""
    (empty / ".cortex").touch()
    with pytest.raises(NotDone, match="not a directory"):
        found()
