"""`init --git` lets git merge stamps by this program, shows what it sets, and changes nothing twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.init.root import init_root
from tests.support.command import run_command as run

DRIVER = "merge.cortex-policy-stamp.driver"
LINE = "stamp.json merge=cortex-policy-stamp"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty repository."""
    top = tmp_path / "top"
    top.mkdir()
    monkeypatch.chdir(top)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    subprocess.run(["git", "init", "-q"], check=True)
    return top


def setting(top: Path, name: str = DRIVER) -> str:
    """Return a setting of the repository."""
    done = subprocess.run(
        ["git", "-C", str(top), "config", "--local", name], capture_output=True, text=True, check=False
    )
    return done.stdout.removesuffix("\n")


def test_the_attribute_and_the_settings_are_written_once(top: Path) -> None:
    """The file is for everybody, the settings for this clone; both are shown."""
    said = run("init", "--git").stdout
    file = top / ".cortex/policy/.gitattributes"
    assert file.read_text() == f"{LINE}\n"
    assert f"made {file}\n" in said
    assert f"  {DRIVER}={setting(top)}\n" in said
    assert setting(top).endswith(" -I -m cortex_policy stamp merge-files %O %A %B")
    before = (top / ".git/config").read_bytes()
    assert "nothing to do: git already merges the stamp with this program\n" in run("init", "--git").stdout
    done = json.loads(run("init", "--git", "--json").stdout)
    assert (done["changed"], done["git"]["status"], done["git"]["settings"][DRIVER]) == (
        False,
        "complete",
        setting(top),
    )
    assert (top / ".git/config").read_bytes() == before
    run("validate")


def test_attributes_that_are_there_are_kept(top: Path) -> None:
    """And the line that they lack is printed; a link is not followed."""
    init_root()
    file = top / ".cortex/policy/.gitattributes"
    file.write_text("*.json text\n")
    assert f"kept {file} as it is; add this line to it:\n  {LINE}\n" in run("init", "--git").stdout
    assert file.read_text() == "*.json text\n"
    file.write_text(f"*.json text\n  {LINE}\n")
    assert "nothing to do: git already merges" in run("init", "--git").stdout
    file.unlink()
    file.symlink_to("elsewhere")
    assert "kept " in run("init", "--git").stdout
    assert not (top / ".cortex/policy/elsewhere").exists()


def test_a_program_whose_path_needs_quotes_is_found(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git takes the setting as a line of a shell, in which % has a meaning of its own."""
    monkeypatch.setattr(sys, "executable", "/a b/100%/python")
    run("init", "--git")
    assert setting(top) == "'/a b/100%%/python' -I -m cortex_policy stamp merge-files %O %A %B"


def test_outside_of_a_repository_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3, before the root is created."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotDoneError, match="not a git repository"):
        init_root(with_driver=True)
    assert not (tmp_path / ".cortex").exists()
