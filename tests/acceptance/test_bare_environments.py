"""Where little is there: no home, no working directory, the directory of cron."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.state import find_system_and_user_settings_directories, settings_errors
from cortex_policy.state.enforcement import load_effective_settings
from tests.support.users import CALLER, by_caller

USED_LATER = settings_errors  # the caller may not be able to read our modules


def check(*words: str, at: Path) -> "subprocess.CompletedProcess[str]":
    """Run a check somewhere."""
    command = [sys.executable, "-I", "-m", "cortex_policy", "check", *words]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def test_a_relative_path_says_from_where_it_was_read(root: Path) -> None:
    """As of a job of cron, which starts elsewhere."""
    done = check("git", "tree", "--root", str(root), "--path", "docs/x", at=Path("/"))
    assert done.returncode == 12
    assert "`docs/x` is `/docs/x` from the working directory, which is in no scope" in done.stderr


def test_a_deleted_working_directory_is_reported_with_a_useful_hint(root: Path, tmp_path: Path) -> None:
    """A relative path cannot be judged there, an absolute one can."""
    program = (
        "import os, subprocess, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone');"
        "sys.exit(subprocess.run([sys.executable, '-I', '-m', 'cortex_policy', 'check', *sys.argv[1:]]).returncode)"
    )
    words = ["git", "tree", "--root", str(root), "--path"]
    for path, code in (("docs/x", 12), (str(root / "docs/x"), 0)):
        command = [sys.executable, "-I", "-c", program, *words, path]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert code == 0 or "hint: name a path that can be followed: an absolute one" in done.stderr


@pytest.mark.parametrize("home", ["somewhere", None])
def test_without_a_home_the_working_directory_holds_no_settings(
    root: Path, home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout may hold a directory `~`, or one of the name that HOME is."""

    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    for name in ("~", "somewhere"):
        file = root / name / ".config/cortex-policy/config.toml"
        file.parent.mkdir(parents=True)
        file.write_text('sensitive = "deny"\n')
    assert all(directory.startswith("/") for directory in find_system_and_user_settings_directories())
    assert load_effective_settings(None).sensitive == "allow"


def test_a_home_of_another_user_is_named_in_the_error(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `sudo -E` leaves it."""
    assert own.is_dir()
    theirs = own / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 4321, 4321)
    with by_caller(), pytest.raises(GrantError) as caught:  # noqa: PT012 - the variable is the caller's
        monkeypatch.setenv("XDG_CONFIG_HOME", str(theirs))
        load_effective_settings(None)
    assert caught.value.exit_code == 27
    assert f"set HOME or XDG_CONFIG_HOME to a directory of user {CALLER}, or " in caught.value.hint
    assert tmp_path.is_dir()


def test_modules_beside_the_program_are_not_imported(tmp_path: Path) -> None:
    """A directory of programs is no place to import from."""
    program = shutil.copy(Path(sys.executable).with_name("cortex-policy"), tmp_path)
    (tmp_path / "cortex_policy.py").write_text("raise SystemExit('another module answers')")
    done = subprocess.run([sys.executable, program, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
