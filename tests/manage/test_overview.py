"""What the page of `serve` shows of a root."""

import json
import os
from pathlib import Path

import pytest

from cortex_policy.manage import overview
from cortex_policy.manage.budgets import read_budgets_of_grants
from cortex_policy.manage.listing import read_all_grant_rows
from cortex_policy.manage.overview import read_overview
from cortex_policy.state import Root
from tests.support.command import run_command
from tests.support.roots import grant_file


@pytest.fixture
def found_root(root: Path) -> Root:
    """Name the root as the server does."""
    return Root(str(root), trusts_owner=False)


def test_nothing_is_made(found_root: Root, state: Path, tmp_path: Path) -> None:
    """Neither a log nor requests nor budgets."""
    before = sorted(tmp_path.rglob("*"))
    seen = read_overview(found_root)
    assert [one.row.id for one in seen.grants] == ["git", "model-gateway"]
    assert (seen.denied, seen.denied_problem) == ((), "the audit log is off")
    assert (seen.requests, seen.requests_problem) == ((), "")
    made = set(tmp_path.rglob("*")) - set(before)
    assert all(path.is_dir() and state in path.parents for path in made), made


def test_a_budget_shows_what_was_counted(found_root: Root) -> None:
    """And only the first actions of a grant with many."""
    run_command("check", "git", "tree", "--path", "docs/a")
    budgets = {one.action: one.budget for one in read_overview(found_root).grants[0].budgets}
    assert budgets["tree"] is not None
    assert budgets["tree"].used == 1
    grant = {"tool": "git", "actions": [f"a{number}" for number in range(500)], "rate": {"perMinute": 1}}
    grant_file(found_root).write_text(json.dumps(grant))
    assert len(read_overview(found_root).grants[0].budgets) == overview.MAX_ACTIONS


def test_budgets_that_take_too_long_are_unknown(found_root: Root) -> None:
    """A server that counts them may not answer."""
    (git, _) = read_budgets_of_grants(found_root, read_all_grant_rows(found_root), 5, 0.0)
    assert {one.problem for one in git.budgets} == {"not read in time"}


def test_what_waits_and_what_stops_is_seen(found_root: Root) -> None:
    """With the commands of an operator who is anywhere."""
    run_command("config", "set", "sensitive", "ask")
    grant = {"tool": "git", "actions": ["tree"], "rate": {"perMinute": 9}, "dataClass": "sensitive"}
    grant_file(found_root).write_text(json.dumps(grant))
    run_command("check", "git", "tree", code=13)
    run_command("stop", "--reason", "why")
    seen = read_overview(found_root)
    assert [(one.grant, one.action) for one in seen.requests] == [("git", "tree")]
    assert seen.denials.stops[0].reason == "why"
    assert f"cortex-policy resume --root {found_root.path}" in seen.denials.hints[0]


def test_what_cannot_be_read_is_said(found_root: Root) -> None:
    """The rest is shown."""
    run_command("config", "set", "audit.file", f"{found_root.path}/../audit.jsonl")
    grant_file(found_root).write_text("{")
    seen = read_overview(found_root, "GIT")
    assert [(one.row.id, one.row.state, one.budgets) for one in seen.grants] == [("git", "invalid", ())]
    assert (seen.matching, seen.total, seen.denied_problem) == (1, 2, "")
    tools = found_root.tools_path
    os.rename(tools, f"{tools}-real")
    os.symlink(f"{tools}-real", tools)
    seen = read_overview(found_root)
    assert "is a link" in seen.unread
    assert seen.denials.errors
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "cortex-policy" / "config.toml"
    config.write_text("sensitive = 3\n")
    assert "settings" in read_overview(found_root).denied_problem
