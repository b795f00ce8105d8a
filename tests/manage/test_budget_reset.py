"""One grant, looked at from all sides."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.manage.budget_reset import grant_budgets
from cortex_policy.state import Root


def test_it_tells_what_is_left_of_each_action(root: Path) -> None:
    """And takes nothing itself."""
    enforce(load_grant("git"), "tree", {"path": "docs/x"})
    seen = grant_budgets(Root(str(root), named=True), "git")
    left = {one.action: one.budget.remaining for one in seen.budgets if one.budget is not None}
    assert left == {"tree": 29, "snippet": 30, "search": 30}
    assert seen.row.state == "unstamped"


def test_a_state_that_cannot_be_read_is_said_and_no_error(root: Path, state: Path) -> None:
    """An operator still sees the grant."""
    state.chmod(0o755)
    seen = grant_budgets(Root(str(root), named=True), "git")
    assert [one.budget for one in seen.budgets] == [None] * 3
    assert all("open to others" in one.problem for one in seen.budgets)


def test_a_grant_that_is_not_there_is_an_error_with_the_ids_there_are(root: Path) -> None:
    """With a guess at what was meant."""
    with pytest.raises(GrantError) as caught:
        grant_budgets(Root(str(root), named=True), "gti")
    assert caught.value.exit_code == 20
    assert "did you mean `git`" in caught.value.hint


def test_the_command_line(root: Path) -> None:
    """A broken grant is shown with its problem."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cortex_policy", "show", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=root,
        )

    assert "action  tree: 30 of 30 left" in run("git").stdout
    (root / ".cortex" / "policy" / "tools" / "broken.json").write_text("{")
    shown = json.loads(run("broken", "--json").stdout)
    assert (shown["state"], shown["tool"]) == ("invalid", None)
    assert run("nope").returncode == 20
