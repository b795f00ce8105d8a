"""A root with scoped grants is told what its settings let pass unchecked, and by which command that is denied."""

import shlex
from pathlib import Path

import pytest

from tests.support.command import run_command as run
from tests.support.roots import grant_file

CODES = ["--select", "scope-no-path,arg-undeclared"]


def notes(*words: str) -> str:
    """Return what `validate` prints of both rules."""
    return run("validate", *CODES, *words).stdout


def test_unchecked_calls_are_noted_once_for_all_grants_of_a_root(root: Path) -> None:
    """With the names of the first; a grant without scopes is not among them."""
    assert "a call that names no path is allowed, whatever `fsScope` says: `git` [scope-no-path]" in notes()
    assert (
        "arguments that `args` does not declare are allowed, and only names tell which are paths: `git` [arg-undeclared]"
        in notes()
    )
    for name in "abcd":
        grant_file(root, name).write_bytes(grant_file(root).read_bytes())
    assert "`a`, `b`, `c` and 2 more [scope-no-path]" in notes()


@pytest.mark.usefixtures("root")
def test_the_suggested_commands_end_the_notes() -> None:
    """Each its own."""
    run(*shlex.split("config set require_path true --project"))
    assert "config set require_path true --project" not in notes()
    assert "hint: deny them with `cortex-policy config set undeclared_args deny --project`" in notes()
    run(*shlex.split("config set undeclared_args deny --project"))
    assert notes() == "2 files are valid\n"


def test_a_hint_names_a_root_that_is_elsewhere(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that the command works from here."""
    monkeypatch.chdir(tmp_path)
    assert f"undeclared_args deny --project --root {root}`" in notes("--root", str(root))


def test_single_files_and_roots_without_scopes_get_no_note(root: Path) -> None:
    """The settings belong to the root."""
    assert "scope-no-path" not in notes(str(grant_file(root)))
    grant_file(root).unlink()
    assert "scope-no-path" not in notes()
