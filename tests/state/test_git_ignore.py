"""Git takes nothing from a policy directory that writers keep there for themselves."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.settings import PROJECT
from cortex_policy.manage.editing.operations import edit_grant
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.init.root import init_root
from cortex_policy.manage.settings.write import SettingsFile, write_setting_to_file
from cortex_policy.state import Root
from cortex_policy.state.git_ignore import IGNORED_NAMES, find_unignored_names
from cortex_policy.state.writer_lock import hold_writer_lock
from tests.support.stamps import agree, stamp_grants

SAMPLES = {".lock": ".lock", ".edit-*": ".edit-git-1.json", "stop": "stop", "history/": "history/00000001-v2.json"}


WRITES: dict[str, Callable[[Root], object]] = {
    "set": lambda root: edit_grant(root, "git", GrantEdit(per_minute=7), agree),
    "stamp write": stamp_grants,
    "config set --project": lambda root: write_setting_to_file(SettingsFile(PROJECT, root), "sensitive", "ask", agree),
    "init": lambda root: init_root(root.path),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("other", ["none", "text", "link"])
def test_the_first_writer_makes_the_gitignore(root: Path, write: str, other: str) -> None:
    """One that exists is never changed, nor is what a link names."""
    file = root / ".cortex" / "policy" / ".gitignore"
    if other == "text":
        file.write_text("mine\n")
    elif other == "link":
        file.symlink_to("elsewhere")
    WRITES[write](Root(str(root), trusts_owner=False))
    if other == "none":
        assert file.read_text() == ".lock\n.edit-*\nstop\nhistory/\n.new-*\n"
    elif other == "text":
        assert file.read_text() == "mine\n"
    else:
        assert file.is_symlink()
        assert not file.exists()


def test_a_reader_makes_no_gitignore(root: Path) -> None:
    """A look takes the lock as well."""
    with hold_writer_lock(Root(str(root), trusts_owner=False)):
        pass
    assert not (root / ".cortex" / "policy" / ".gitignore").exists()


@pytest.mark.parametrize(
    "text",
    [
        "", "*\n", ".lock\n.edit-*\n.new-*\n", "/.lock\r\n/stop\n", "**/stop\nhistory/**\n", "history\n", "history/*\n", "# stop\n",
        ".*\n", "stop*\n", ".loc[k]\n", "!stop\n", "sto\n", "hist*/\n",
    ],
)  # fmt: skip
def test_names_that_git_would_add_are_reported(tmp_path: Path, text: str) -> None:
    """Git itself is asked."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(text)
    (tmp_path / "history").mkdir()
    for sample in SAMPLES.values():
        (tmp_path / sample).touch()
    words = ["git", "-C", tmp_path, "ls-files", "-o", "--exclude-standard"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert find_unignored_names(text) == tuple(name for name in IGNORED_NAMES if SAMPLES[name] in listed)
