"""A scratch root is made inside its temporary directory and nowhere else, and is gone afterwards."""

import os
import tempfile
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.cases.temporary_file_tree import FileTree, open_temporary_file_tree

HOSTILE = [
    FileTree(directories=("/etc/x",)),
    FileTree(directories=("../x",)),
    FileTree(directories=("a/../../x",)),
    FileTree(directories=(".",)),
    FileTree(directories=("",)),
    FileTree(directories=("a\0b",)),
    FileTree(files=("a/",)),
    FileTree(files=("a", "a/b")),
    FileTree(files=("a", "a")),
    FileTree(files=("a//b",)),
    FileTree(links=(("a", "/srv"), ("a/x", "y"))),
    FileTree(directories=("a/b",), links=(("a", "/srv"),)),
    FileTree(files=("a/b",), links=(("a", "/srv"),)),
    FileTree(files=("a",), links=(("a", "/srv"),)),
    FileTree(links=(("a", "b\0c"),)),
    FileTree(links=(("../a", "b"),)),
    FileTree(directories=("/".join(["a"] * 201),)),  # Python removes it by a function that calls itself
    FileTree(files=tuple(f"a/{number}" for number in range(5_001))),
    FileTree(files=("a" * 4_001,)),
]


@pytest.mark.parametrize("tree", HOSTILE, ids=repr)
def test_a_tree_that_could_leave_its_directory_is_refused(tree: FileTree) -> None:
    """Absolute, with `..`, with NUL, twice, or below a link."""
    assert list(tree.find_errors())


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary directories made where they are seen."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def test_a_tree_has_the_described_files_and_is_removed(temporary: Path) -> None:
    """Links keep the text of their target."""
    tree = FileTree(("docs/a/", "empty"), ("src/x.py",), (("docs/out", "../../outside"), ("etc", "/etc")))
    assert not list(tree.find_errors())
    with open_temporary_file_tree(tree) as root:
        top = Path(root.path)
        assert top.is_relative_to(temporary)
        assert (top / "docs" / "a").is_dir()
        assert (top / "src" / "x.py").read_bytes() == b""
        assert (top / "docs" / "out").readlink() == Path("../../outside")
        assert (top / "etc").is_symlink()
        assert (top / ".cortex" / "policy" / "tools").is_dir()
        assert root.start_directory("docs/a") == f"{root.path}/docs/a"
        assert str(temporary) not in root.mask_path(f"`{root.path}/x` and `{top.parent}`")
    assert not list(temporary.iterdir())


def test_a_tree_is_removed_after_an_interrupt(temporary: Path) -> None:
    """Whatever ends it."""
    with pytest.raises(KeyboardInterrupt), open_temporary_file_tree(FileTree(("a",), ("b/c",))):
        raise KeyboardInterrupt
    assert not list(temporary.iterdir())


def test_a_name_that_the_disk_refuses_is_reported(temporary: Path) -> None:
    """And leaves nothing."""
    with pytest.raises(NotDoneError, match="the tree cannot be made"), open_temporary_file_tree(FileTree(("x" * 300,))):
        pass
    assert not list(temporary.iterdir())


def test_a_missing_temporary_directory_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nobody's fault but the machine's."""
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path / "gone"))
    with pytest.raises(NotDoneError, match="no temporary directory"), open_temporary_file_tree(FileTree()):
        pass
