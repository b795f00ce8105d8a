"""A root is made once, where it is not ambiguous, and nothing in it is overwritten."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from cortex_policy.core.files_run_later import find_writable_files_run_later
from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.functions import load_grant
from cortex_policy.manage.init.pre_commit import PRE_COMMIT_HOOKS
from cortex_policy.manage.init.root import init_root
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.users import CALLER, by_caller


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
        founded = init_root()
    finally:
        os.umask(old)
    policy = empty / ".cortex" / "policy"
    made = ("tools", "tools/example.json", ".gitignore", "grant.schema.json")
    assert founded.created == tuple(str(policy / name) for name in made)
    assert json.loads((policy / "tools/example.json").read_text())["$schema"] == "../grant.schema.json"
    assert (policy / ".gitignore").read_text() == ".lock\n.edit-*\nstop\nhistory/\n.new-*\n"
    assert find_named_or_only_root() == founded.root
    grant = load_grant("example")
    assert grant.fs_scope
    assert find_writable_files_run_later(grant) == ()
    assert find_stamp_mismatches(founded.root) == ()


def test_init_twice_changes_nothing_the_second_time(empty: Path) -> None:
    """The second time nothing is missing."""
    init_root()
    file = empty / ".cortex/policy/tools/example.json"
    file.write_text("mine")
    assert init_root().created == ()
    assert file.read_text() == "mine"


def test_init_makes_only_what_is_missing(empty: Path) -> None:
    """Grants that stand there want no example."""
    (empty / ".cortex/policy/tools").mkdir(parents=True)
    (empty / ".cortex/policy/tools/mine.json").write_text("{}")
    (empty / ".cortex/policy/.gitignore").write_text("stamp.json\n")
    (empty / ".cortex/policy/grant.schema.json").write_text("mine")
    assert init_root().created == ()
    assert (empty / ".cortex/policy/.gitignore").read_text() == "stamp.json\n"
    (empty / ".cortex/policy/tools/mine.json").unlink()
    assert init_root().created == (str(empty / ".cortex/policy/tools/example.json"),)


def test_init_below_a_root_makes_none(root: Path) -> None:
    """Not by its name either: it would be ambiguous."""
    with pytest.raises(NotDoneError, match="is a root already"):
        init_root(str(root / "docs"))
    assert list((root / "docs").glob(".cortex")) == []
    policy = root / ".cortex/policy"
    assert init_root().created == (str(policy / ".gitignore"), str(policy / "grant.schema.json"))


def test_a_directory_above_that_cannot_be_examined_counts_as_a_root(own: Path) -> None:
    """As for a check, which could not tell which one is meant."""
    (own / "docs").mkdir()
    os.chown(own / "docs", CALLER, CALLER)
    (own / ".cortex").chmod(0)
    with by_caller(), pytest.raises(NotDoneError, match="cannot be examined"):
        init_root(str(own / "docs"))
    assert list((own / "docs").iterdir()) == []


def test_the_named_directory_wins(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every command: the option, then the environment."""
    for name in ("a", "b"):
        (empty / name).mkdir()
    monkeypatch.setenv("CORTEX_POLICY_ROOT", str(empty / "a"))
    assert init_root("b").root == Root(str(empty / "b"), trusts_owner=True)
    assert init_root().root.path == str(empty / "a")
    monkeypatch.setenv("CORTEX_POLICY_ROOT", "a")
    with pytest.raises(GrantError, match="not absolute"):
        init_root()


@pytest.mark.parametrize("name", ["missing", "file", "\0"])
def test_a_root_must_be_a_directory(empty: Path, name: str) -> None:
    """It is named."""
    (empty / "file").touch()
    with pytest.raises(GrantError):
        init_root(name)


@pytest.mark.parametrize("link", [".cortex", ".cortex/policy", ".cortex/policy/tools"])
def test_init_makes_nothing_through_a_link(empty: Path, tmp_path: Path, link: str) -> None:
    """Wherever it stands on the way."""
    (tmp_path / "elsewhere").mkdir()
    (empty / link).parent.mkdir(parents=True, exist_ok=True)
    (empty / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises((NotDoneError, GrantError)):
        init_root()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_error_of_the_disk_is_reported(empty: Path) -> None:
    """A file stands in the way."""
    (empty / ".cortex").touch()
    with pytest.raises(NotDoneError, match="not a directory"):
        init_root()


@pytest.fixture
def repository(empty: Path) -> Path:
    """Stand in a git repository."""
    (empty / ".git").mkdir()
    return empty


def test_hooks_are_configured_once(repository: Path) -> None:
    """Beside the root, for nobody else to write; the second time nothing is missing."""
    old = os.umask(0)
    try:
        founded = init_root(with_hooks=True)
    finally:
        os.umask(old)
    file = repository / ".pre-commit-config.yaml"
    assert founded.created[-1] == str(file)
    assert (file.stat().st_mode & 0o777, "args" in file.read_text()) == (0o644, False)
    (hooked,) = yaml.safe_load(file.read_text())["repos"]
    assert [hook["id"] for hook in hooked["hooks"]] == [hook.id for hook in PRE_COMMIT_HOOKS]
    again = init_root(with_hooks=True)
    assert (again.created, again.hooks and again.hooks.status) == ((), "complete")


@pytest.mark.parametrize("around", ["", "  ", "    "])
def test_a_configuration_that_is_there_is_kept(repository: Path, around: str) -> None:
    """The hooks to put into it are as far in as its own; once they are there, nothing is missing."""
    file = repository / ".pre-commit-config.yaml"
    text = f"repos:\n{around}- repo: local\n{around}  hooks: []\n"
    file.write_text(text)
    hooks = init_root(with_hooks=True).hooks
    assert hooks is not None
    assert (hooks.status, file.read_text()) == ("kept", text)
    file.write_text(text + hooks.block)
    assert len(yaml.safe_load(file.read_text())["repos"]) == 2
    again = init_root(with_hooks=True).hooks
    assert again is not None
    assert again.status == "complete"


def test_a_link_or_directory_in_place_of_a_configuration_is_kept(repository: Path, tmp_path: Path) -> None:
    """A link that leads nowhere is not followed, and a directory is left."""
    file = repository / ".pre-commit-config.yaml"
    file.symlink_to(tmp_path / "nowhere")
    kept = init_root(with_hooks=True).hooks
    assert (kept and kept.status, (tmp_path / "nowhere").exists()) == ("kept", False)
    file.unlink()
    file.mkdir()
    kept = init_root(with_hooks=True).hooks
    assert kept
    assert kept.status == "kept"


@pytest.mark.parametrize("name", ["a", "2024", "-x", "true", 'a "b"\\', "a: #b", "\x1b\x85", "\udcff", "\U0001f600"])
def test_a_root_below_is_named_in_the_hooks_of_its_repository(repository: Path, name: str) -> None:
    """Whatever it is called; the hook that is given files is told by them."""
    (repository / name).mkdir()
    hooks = init_root(name, with_hooks=True).hooks
    assert hooks is not None
    told = yaml.safe_load(hooks.block)[0]["hooks"]
    assert [hook.get("args") for hook in told] == [None] + [["--root", name]] * 4
    other = repository / "other"
    other.mkdir()
    hooks = init_root("other", with_hooks=True).hooks
    assert hooks is not None
    assert hooks.status == "kept"


def test_without_a_repository_no_hook_is_configured(empty: Path) -> None:
    """Its hooks would be looked for by nobody."""
    with pytest.raises(NotDoneError, match="not in a git repository"):
        init_root(with_hooks=True)
    assert list(empty.iterdir()) == []


def test_if_the_configuration_cannot_be_written_no_root_is_made(own: Path) -> None:
    """Neither the root below nor the configuration."""
    shutil.rmtree(own / ".cortex")
    (own / ".git").mkdir()
    (own / "docs").mkdir()
    os.chown(own, 0, 0)
    os.chown(own / "docs", CALLER, CALLER)
    with by_caller(), pytest.raises(NotDoneError, match="cannot be written to"):
        init_root(str(own / "docs"), with_hooks=True)
    assert list((own / "docs").iterdir()) == []
