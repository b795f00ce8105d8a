"""Claude Code before 2.1.295 does not know `onFailure`."""

from pathlib import Path

import pytest

from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING
from cortex_policy.manage.hooks.claude_version import examine_claude_version


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a directory the only one on PATH, and return where `claude` would be."""
    directory = tmp_path / "bin"
    directory.mkdir(mode=0o755)
    monkeypatch.setenv("PATH", str(directory))
    return directory / "claude"


def write_program(file: Path, output: str) -> None:
    """Write a program that prints this."""
    file.write_text(f"#!/bin/sh\necho '{output}'\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ("2.1.332 (Claude Code)", OK),
        ("2.1.295 (Claude Code)", OK),
        ("2.1.294 (Claude Code)", PROBLEM),
        ("2.0.999 (Claude Code)", PROBLEM),
        ("3.0.0 (Claude Code)", OK),
        ("hello", WARNING),
    ],
)
def test_a_version_that_lets_calls_run_is_a_problem(program: Path, output: str, status: str) -> None:
    """It ignores the switch without a word."""
    write_program(program, output)
    result = examine_claude_version()
    assert (result.status, result.tried) == (status, "claude --version")


def test_a_missing_program_is_only_doubtful(program: Path) -> None:
    """It may be on the PATH of another terminal."""
    assert not program.exists()
    assert examine_claude_version().status == WARNING


def test_a_program_that_others_can_replace_is_not_run(program: Path) -> None:
    """Whoever can write there would be run by us."""
    write_program(program, "2.1.332")
    program.parent.chmod(0o777)
    result = examine_claude_version()
    assert (result.status, result.tried) == (WARNING, "")
