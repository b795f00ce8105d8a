"""`doctor` finds hooks that are incomplete or do not run."""

import os
import subprocess
from pathlib import Path

import pytest

from cortex_policy.manage.doctor.pre_commit import examine_pre_commit_hooks
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING
from cortex_policy.manage.init.pre_commit import CONFIGURATION
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import run_command


@pytest.fixture
def repository(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the root a repository with all hooks, and a `pre-commit` that runs."""
    subprocess.run(["git", "init", "-q"], check=True)
    run_command("init", "--pre-commit")
    place = tmp_path / "bin"
    place.mkdir()
    (place / "pre-commit").write_text("#!/bin/sh\necho pre-commit 4.0\n")
    (place / "pre-commit").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return root


def install(root: Path) -> None:
    """Install the hook as `pre-commit install` does."""
    hook = root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.touch(mode=0o755)
    hook.chmod(0o755)


def test_hooks_run_once_they_are_installed(repository: Path) -> None:
    """Git says where hooks are."""
    one = examine_pre_commit_hooks(find_named_or_only_root())
    assert (one.status, one.command) == (WARNING, "pre-commit install")
    assert one.tried.endswith("rev-parse --git-path hooks")
    install(repository)
    assert examine_pre_commit_hooks(find_named_or_only_root()).status == OK


def test_a_hook_that_the_configuration_lacks_is_named(repository: Path) -> None:
    """None at all is no fault."""
    file = repository / CONFIGURATION
    file.write_text(file.read_text().replace("id: cortex-policy-test", "id: another"))
    one = examine_pre_commit_hooks(find_named_or_only_root())
    assert (one.status, "lacks cortex-policy-test" in one.message) == (WARNING, True)
    assert one.command == "cortex-policy init --pre-commit"
    file.unlink()
    assert examine_pre_commit_hooks(find_named_or_only_root()).status == OK


def test_a_program_that_is_missing_or_does_not_run_is_reported(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit would fail, or check nothing."""
    (tmp_path / "bin/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    assert examine_pre_commit_hooks(find_named_or_only_root()).status == PROBLEM
    (tmp_path / "bin/pre-commit").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    one = examine_pre_commit_hooks(find_named_or_only_root())
    assert (one.status, one.command) == (WARNING, "pip install pre-commit")
    assert repository.is_dir()


@pytest.mark.usefixtures("root")
def test_a_root_outside_of_a_repository_has_no_hooks() -> None:
    """It is no fault."""
    assert examine_pre_commit_hooks(find_named_or_only_root()).status == OK
