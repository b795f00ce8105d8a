"""`remove` on a terminal."""

from pathlib import Path

import pytest

from tests.support.roots import grant_file
from tests.support.terminal import Terminal


@pytest.mark.parametrize(("line", "code"), [("y", 0), ("YES", 0), ("n", 3), ("", 3)])
def test_remove_asks_first(root: Path, line: str, code: int) -> None:
    """What it means stands above the question."""
    terminal = Terminal("remove", "git")
    terminal.answer("remove `git`? [y/N]: ", line)
    assert terminal.end()[0] == code
    assert "narrowed" in terminal.said
    assert grant_file(root, "git").exists() == (code != 0)
