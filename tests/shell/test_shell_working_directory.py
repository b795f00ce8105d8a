"""What the co-process keeps of the directory of its shell lasts until any of it changes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cortex_policy.shell.shell_working_directory as module
from cortex_policy.shell.shell_working_directory import ShellDirectory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no co-process elsewhere")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a program and a directory three levels below this one, and go there; nothing is examined again by time."""
    monkeypatch.setattr(module, "MAX_AGE_NS", 1 << 60)
    monkeypatch.setattr(module, "_RETRY_NS", 0)
    (tmp_path / "program").touch()
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/.cortex").mkdir()
    monkeypatch.chdir(tmp_path / "a/b/c")
    return tmp_path


def watching(place: Path) -> ShellDirectory:
    """Return the context of this process, which are watched, and were examined since."""
    context = ShellDirectory(os.getpid(), str(place / "program"))
    assert not context.enter_directory()
    context.watch()
    assert not context.enter_directory()
    return context


def is_kept(context: ShellDirectory) -> bool:
    """Whether two questions in a row find the same; other tests make files in directories above, which ends a watch."""
    for _ in range(1000):
        context.watch()
        if context.enter_directory() and context.enter_directory():
            return True
    return False


def _replace_directory(top: Path) -> None:
    (top / "a").rename(top / "other")
    (top / "a/b/c").mkdir(parents=True)
    os.chdir(top / "a/b/c")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a root in the directory": lambda top: (top / "a/b/c/.cortex/policy").mkdir(parents=True),
    "a root above": lambda top: (top / "a/b/.cortex/policy").mkdir(parents=True),
    "a policy in a holder that was there": lambda top: (top / "a/.cortex/policy").mkdir(),
    "a link to a policy": lambda top: (top / "a/.cortex/policy").symlink_to("/nowhere"),
    "a holder that is moved to": lambda top: (top / "a/.cortex").rename(top / "a/b/.cortex"),
    "a holder that is gone": lambda top: (top / "a/.cortex").rmdir(),
    "the mode of a holder": lambda top: (top / "a/.cortex").chmod(0o700),
    "the mode of a directory above": lambda top: (top / "a").chmod(0o700),
    "the name of the directory": lambda top: (top / "a/b/c").rename(top / "a/b/d"),
    "the name of a directory above": lambda top: (top / "a").rename(top / "other"),
    "another directory of that name": _replace_directory,
    "another directory": os.chdir,
    "the program written": lambda top: (top / "program").write_text("new"),
    "the program touched": lambda top: os.utime(top / "program"),
    "the program replaced": lambda top: (top / "a/b/c/x").rename(top / "program"),
    "the program gone": lambda top: (top / "program").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_seen_by_the_next_question(place: Path, change: Callable[[Path], object]) -> None:
    """Before anything was examined again, nothing is the same."""
    (place / "a/b/c/x").touch()
    context = watching(place)
    assert is_kept(context)
    change(place)
    assert not context.enter_directory()
    assert not context.enter_directory()
    assert os.path.samestat(Path().stat(), Path("/proc/self/cwd").stat())


def test_after_a_change_it_is_watched_again(place: Path) -> None:
    """In the directory where the shell is then."""
    context = watching(place)
    os.chdir(place)
    assert not context.enter_directory()
    assert is_kept(context)
    (place / ".cortex").mkdir()
    assert not context.enter_directory()


def test_what_changed_between_two_questions_before_it_was_watched_is_examined(place: Path) -> None:
    """The first question after the watch began finds nothing kept."""
    context = ShellDirectory(os.getpid(), str(place / "program"))
    context.enter_directory()
    (place / "a/b/.cortex/policy").mkdir(parents=True)
    context.watch()
    assert not context.enter_directory()


def test_a_holder_that_is_a_link_is_never_kept(place: Path) -> None:
    """Where it leads could change unseen."""
    (place / "a/b/.cortex").symlink_to(place)
    context = watching(place)
    assert not context.enter_directory()


def test_a_name_that_says_that_its_directory_is_gone_is_never_kept(place: Path) -> None:
    """The kernel gives the same name to a directory that is gone: a shell may still be there."""
    (place / "a/b/x (deleted)").mkdir()
    os.chdir(place / "a/b/x (deleted)")
    context = watching(place)
    assert not context.enter_directory()


def test_a_program_that_is_installed_again_is_noticed(place: Path) -> None:
    """Also if it is gone."""
    context = watching(place)
    assert not context.is_program_replaced()
    os.utime(place / "program", (1, 1))
    assert context.is_program_replaced()
    (place / "program").unlink()
    assert context.is_program_replaced()


def test_a_shell_that_has_ended_is_an_error(place: Path) -> None:
    """Nothing is answered then."""
    with pytest.raises(OSError):  # noqa: PT011 - no such file or process
        ShellDirectory(1 << 22, str(place / "program"))
