"""The program's own options."""

import re
from pathlib import Path

import pytest

from tests.support.command import result_of


def without_times(text: str) -> str:
    """Return an output without what it took."""
    return re.sub(r'"duration_us": \d+', "", text)


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "rate show",
        "rate show git --json",
        "check git tree --path docs/x --peek --json",
        "check git push",
        "check git -- push",
        "config get sensitive",
    ],
)
def test_the_root_may_come_before_the_command(root: Path, tmp_path: Path, line: str) -> None:
    """As with `git -C`: the same answer as behind it, in both spellings."""
    words = line.split(" ")
    before = [result_of(*option, *words, cwd=tmp_path) for option in (["--root", str(root)], [f"--root={root}"])]
    options = words.index("--") if "--" in words else len(words)
    after = result_of(*words[:options], "--root", str(root), *words[options:], cwd=tmp_path)
    for done in before:
        assert (done.returncode, done.stderr) == (after.returncode, after.stderr)
        assert without_times(done.stdout) == without_times(after.stdout)


@pytest.mark.parametrize(
    "line",
    [
        "--root x --help",
        "--root x",
        "--root x --root y list",
        "--root x --help check",
        "--root --help check",
        "--version=x",
    ],
)
def test_a_root_alone_does_nothing(line: str) -> None:
    """No command, no answer."""
    assert result_of(*line.split()).returncode == 2


def test_a_root_given_twice_to_a_check_is_an_error(root: Path) -> None:
    """Before it and behind it."""
    assert result_of("--root", str(root), "check", "git", "tree", "--root", str(root)).returncode == 2
