"""`doctor` runs what a user's shell would find, if nobody else could have put it there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.manage.doctor import program_shell_and_editor, result
from cortex_policy.manage.doctor.program_shell_and_editor import examine_program_shell_and_editor
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.users import CALLER, by_caller

COMPLETIONS = Path(__file__).resolve().parents[3] / "completions"


@pytest.fixture
def place(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an installation whose script runs this program, first on PATH, for a user without any start-up file."""
    assert root.is_dir()
    place = tmp_path / "bin"
    place.mkdir()
    program(place, "cortex-policy", f'exec {sys.executable} -I -m cortex_policy "$@"')
    monkeypatch.setattr(program_shell_and_editor.sysconfig, "get_path", lambda _: str(place))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.delenv("VISUAL", raising=False)
    return place


def program(place: Path, name: str, text: str) -> Path:
    """Write a program for the shell."""
    file = place / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def results() -> dict[str, CheckResult]:
    """Return what is found of the installation, by the id of the check."""
    return {one.id: one for one in examine_program_shell_and_editor(find_named_or_only_root())}


def test_the_program_on_the_path_is_run_and_decides_a_call(place: Path) -> None:
    """A call that counts nothing."""
    found = results()
    assert (found["program"].status, found["program"].tried) == (OK, "cortex-policy --version")
    assert (found["decision"].status, found["decision"].tried) == (
        OK,
        f"cortex-policy explain --root {Path.cwd()} -- git tree",
    )
    assert place.is_dir()


def test_a_call_that_is_not_decided_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A denial is decided; an error is not."""
    Path(".cortex/policy/stop").touch()
    assert results()["decision"].status == OK
    Path(".cortex/policy/stop").unlink()
    monkeypatch.setenv("CORTEX_POLICY_FOO", "1")
    one = results()["decision"]
    assert (one.status, "unknown setting" in one.message, one.command) == (PROBLEM, True, "cortex-policy status")
    assert place.is_dir()


def test_a_program_that_scripts_cannot_find_or_run_is_reported(place: Path, tmp_path: Path) -> None:
    """As in an environment whose path has a space; another installation, too, is named."""
    program(place, "cortex-policy", "exit 127")
    assert results()["program"].status == PROBLEM
    other = tmp_path / "other"
    other.mkdir()
    program(other, "cortex-policy", "exit 0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{other}:{os.environ['PATH']}")
        one = results()["program"]
        assert (one.status, one.command) == (WARNING, f'export PATH="{place}:$PATH"')
        assert f"`{other}/cortex-policy`" in one.message
    (place / "cortex-policy").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/bin:/bin")
        if shutil.which("cortex-policy") is None:
            assert "is not on PATH" in results()["program"].message


def test_a_program_that_another_user_can_replace_is_a_problem_and_not_run(place: Path, tmp_path: Path) -> None:
    """Nor is any other program that is found there, or relative to this directory."""
    place.chmod(0o777)
    program(place, "man", f"touch {tmp_path / 'ran'}")
    program(place, "cortex-policy", f"touch {tmp_path / 'ran'}")
    found = results()
    assert (found["program"].status, "can be replaced by another user" in found["program"].message) == (PROBLEM, True)
    (place / "cortex-policy").unlink()
    place.chmod(0o755)
    program(Path.cwd(), "man", f"touch {tmp_path / 'ran'}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f".:{os.environ['PATH']}")
        (place / "man").unlink()
        assert "can be replaced by another user" in results()["man"].message
    assert not (tmp_path / "ran").exists()


def shell_or_skip(name: str) -> str:
    """Return the path of a shell."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


def test_bash_is_asked_and_the_command_that_is_named_makes_it_complete(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the start-up files of the user, as in a new terminal."""
    monkeypatch.setenv("SHELL", shell_or_skip("bash"))
    one = results()["completions"]
    assert (one.status, one.tried.startswith("bash -ic ")) == (WARNING, True)
    subprocess.run(["bash", "-c", one.command], check=True)
    assert results()["completions"].status == OK
    assert place.is_dir()


@pytest.mark.parametrize(("name", "code"), [("zsh", 0), ("zsh", 1), ("fish", 0), ("fish", 1)])
def test_the_other_shells_are_asked_too(place: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Each in its own words."""
    program(place, name, f"exit {code}")
    monkeypatch.setenv("SHELL", f"/bin/{name}")
    one = results()["completions"]
    assert one.status == (WARNING if code else OK)
    assert (f"completions {name}" in one.command) == bool(code)


def test_a_start_up_file_that_does_not_end_is_ended(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that it has started."""
    monkeypatch.setenv("SHELL", shell_or_skip("bash"))
    monkeypatch.setattr(result, "TIMEOUT_SECONDS", 1)
    (tmp_path / "home/.bashrc").write_text("sleep 1000 & sleep 1000\n")
    assert results()["completions"].status == WARNING
    assert place.is_dir()


def test_the_start_up_files_of_another_user_are_not_run(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, whose HOME `sudo` may have left as it was."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a home away")
    monkeypatch.setenv("SHELL", shell_or_skip("bash"))
    (tmp_path / "home/.bashrc").write_text(f"touch {tmp_path / 'ran'}\n")
    os.chown(tmp_path / "home", CALLER, CALLER)
    assert results()["completions"].message == f"not tried: another user can change the home `{tmp_path}/home`"
    assert not (tmp_path / "ran").exists()
    with by_caller():
        assert os.geteuid() == CALLER
    assert place.is_dir()


@pytest.mark.parametrize(("code", "status"), [(0, OK), (16, WARNING)])
def test_man_is_asked_for_the_page(place: Path, code: int, status: str) -> None:
    """It knows its own paths."""
    program(place, "man", f"exit {code}")
    (place / "share/man/man1").mkdir(parents=True)
    one = results()["man"]
    assert (one.status, one.tried) == (status, "man -w cortex-policy")
    assert one.command == (f"export MANPATH={place}/share/man:" if code else "")


def test_an_editor_that_is_not_there_is_a_warning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its first word."""
    assert results()["editor"].status == OK
    monkeypatch.setenv("EDITOR", "no-such-editor --wait")
    one = results()["editor"]
    assert (one.status, one.message) == (WARNING, "the editor `no-such-editor` is not found")
    assert one.command.startswith("cortex-policy config set editor ")
    assert place.is_dir()
