"""Operators see what budgets leave, and give them back."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cortex_policy.core.model import RATE_LIMITED, GrantError, StateError, UsageError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.manage.budgets import (
    BudgetStatus,
    list_budgets,
    read_budgets_of_grant,
    remove_local_rate_state_of_root,
    reset_budgets,
)
from cortex_policy.state import Root
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.state.grants import read_grant
from tests.support.command import PROGRAM, result_of, run_command
from tests.support.terminal import Terminal


@pytest.fixture
def used(root: Path) -> Root:
    """Use a budget three times."""
    found = Root(str(root), trusts_owner=False)
    for _ in range(3):
        assert resolve_paths_decide_and_take_hit(read_grant(found, "git"), "tree", {})
    return found


def files(state: Path) -> list[Path]:
    """Return the state files of budgets."""
    return [path for path in state.rglob("*") if not path.name.startswith(".") and path.parent != state]


def tree(root: Root) -> BudgetStatus:
    """Return how `git tree` stands."""
    return next(one for one in list_budgets(root, "git") if one.action == "tree")


run = partial(result_of, "rate")


def test_each_action_of_each_grant_has_its_own_budget(used: Root) -> None:
    """Used, left and limit, for every action there is."""
    left = {(one.id, one.action): one.budget.remaining for one in list_budgets(used) if one.budget is not None}
    assert left == {
        ("git", "tree"): 27, ("git", "snippet"): 30, ("git", "search"): 30, ("model-gateway", "chat"): 60,
    }  # fmt: skip


def test_an_unreadable_grant_is_listed_with_its_problem(used: Root) -> None:
    """Its problem is told, and the others are still there."""
    Path(used.tools_path, "broken.json").write_text("{")
    broken, *others = list_budgets(used)
    assert (broken.id, broken.budget) == ("broken", None)
    assert broken.problem
    assert len(others) == 4


def test_a_reset_gives_back_one_action_or_all(used: Root) -> None:
    """And says which of them had hits."""
    assert reset_budgets(used, "git", "snippet") == ()
    assert reset_budgets(used, "git") == ("tree",)
    assert tree(used).budget == list_budgets(used, "git")[1].budget
    with pytest.raises(UsageError, match="`push` is not an action of `git`"):
        reset_budgets(used, "git", "push")


def test_damage_is_shown_until_it_is_repaired(used: Root, state: Path) -> None:
    """The one that notices says so, later ones say how long it is closed, and a reset opens it."""
    (file,) = files(state)
    os.truncate(file, 10)
    assert "damaged" in tree(used).problem
    closed = tree(used)
    assert closed.problem == "closed after damage"
    assert closed.budget is not None
    assert closed.budget.retry_after_seconds
    reset_budgets(used, "git", "tree")
    assert tree(used).problem == ""


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "fifo"])
def test_a_wrong_kind_of_object_stays_until_a_purge(used: Root, state: Path, kind: str) -> None:
    """A reset does not touch it, a purge removes it, and nothing behind it."""
    (file,) = files(state)
    other = state / "other"
    file.rename(other)
    match kind:
        case "link":
            file.symlink_to(other)
        case "hard link":
            file.hardlink_to(other)
        case "directory":
            (file / "inner").mkdir(parents=True)
        case _:
            os.mkfifo(file)
    with pytest.raises(StateError):
        reset_budgets(used, "git", "tree")
    assert tree(used).budget is None
    assert remove_local_rate_state_of_root(used) == 1
    assert tree(used).problem == ""
    assert other.exists()
    assert remove_local_rate_state_of_root(used) == 0


def test_a_purge_drops_every_budget_of_this_root_alone(used: Root, state: Path) -> None:
    """Nothing is left in its directory, and its siblings are not looked at."""
    sibling = state / ("0" * 32)
    sibling.mkdir(parents=True)
    (sibling / "x").write_text("kept")
    assert remove_local_rate_state_of_root(used) == 1
    assert files(state) == [sibling / "x"]


def test_show_prints_lines_or_json(used: Root) -> None:
    """A line an action in a pipe; one object for programs."""
    assert run("show", "git").stdout.splitlines()[0] == "git\ttree\t3\t30\t27\tnow\tok"
    shown = json.loads(run("show", "git", "--json").stdout)
    assert shown["root"] == used.path
    assert shown["budgets"][0] == {
        "id": "git", "tool": "git-map", "action": "tree", "limit": 30, "used": 3, "remaining": 27,
        "retry_after_seconds": 0.0, "problem": None,
    }  # fmt: skip
    missing = run("show", "gti")
    assert missing.returncode == 20
    assert "did you mean `git`?" in missing.stderr


@pytest.mark.parametrize("words", [("reset", "git"), ("purge",)])
def test_no_budget_is_reset_without_consent(used: Root, words: tuple[str, ...]) -> None:
    """Without a terminal only `--yes` is a yes; nothing else changes anything."""
    refused = run(*words)
    assert refused.returncode == 3
    assert "--yes" in refused.stderr
    assert tree(used).budget == list_budgets(used, "git")[0].budget
    assert run(*words, "--yes", "--json").returncode == 0


@pytest.mark.parametrize(
    ("said", "code", "left"), [("y", 0, 30), ("n", 3, 27), ("", 3, 27), ("\x04", 3, 27), ("\x03", 130, 27)]
)
def test_a_reset_asks_on_a_terminal(used: Root, said: str, code: int, left: int) -> None:
    """Only a yes is a yes: not a return, not the end of input, not Ctrl-C."""
    terminal = Terminal("rate", "reset", "git", "tree")
    terminal.expect("forget the hits of git tree? [y/N]:")
    terminal.press(said if said in {"\x03", "\x04"} else f"{said}\r")
    assert terminal.end()[0] == code
    budget = tree(used).budget
    assert budget is not None
    assert budget.remaining == left


def test_a_watch_in_a_pipe_prints_each_change_until_its_reader_goes_away(used: Root) -> None:
    """One line for each change; it ends with its reader."""
    with subprocess.Popen([*PROGRAM, "rate", "watch", "git"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert [watch.stdout.readline().strip() for _ in range(3)] == [
            "git tree: 3 of 30 used", "git snippet: 0 of 30 used", "git search: 0 of 30 used",
        ]  # fmt: skip
        assert resolve_paths_decide_and_take_hit(read_grant(used, "git"), "snippet", {})
        assert watch.stdout.readline() == "git snippet: 1 of 30 used\n"
        watch.stdout.close()
        assert watch.wait(timeout=20) == 0


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
@pytest.mark.usefixtures("used")
def test_a_watch_on_a_terminal_ends_with_a_key(key: str, code: int) -> None:
    """The terminal is as it was before."""
    terminal = Terminal("rate", "watch", columns=100)
    terminal.expect("3/30")
    terminal.press(key)
    assert terminal.end()[0] == code


@pytest.mark.usefixtures("used")
def test_an_interrupted_watch_exits_with_130() -> None:
    """In a pipe too, without a traceback."""
    with subprocess.Popen(
        [*PROGRAM, "rate", "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=20) == 130
        assert watch.stderr is not None
        (line,) = watch.stderr.read().splitlines()
        assert line.startswith("budgets of ")


def test_an_unsafe_grant_is_shown_with_what_is_wrong(used: Root) -> None:
    """Only `check` refuses it: its budgets are known, of all grants and of the one."""
    Path(used.tools_path, "git.json").chmod(0o666)
    for seen in (list_budgets(used), list_budgets(used, "git")):
        one = next(one for one in seen if one.action == "tree")
        assert one.budget is not None
        assert "writable by everyone" in one.problem
    told = run("show", "git")
    assert (told.returncode, "chmod go-w" in told.stderr) == (0, True)


def test_a_root_that_is_gone_is_reported(used: Root) -> None:
    """It is told as such."""
    Path(used.path).rename(f"{used.path}-away")
    with pytest.raises(GrantError, match="no policy root"):
        list_budgets(used)
    Path(f"{used.path}-away").rename(used.path)


def test_damage_to_one_budget_hides_no_other(used: Root, state: Path) -> None:
    """`show` tells of each action by itself, and when the damaged one opens."""
    (file,) = files(state)
    os.truncate(file, 10)
    first = read_budgets_of_grant(used, "git").budgets
    assert [one.problem for one in first][1:] == ["", ""]
    assert "damaged" in first[0].problem
    shown = run_command("show", "git")
    assert "tree: closed after damage, opens in" in shown.stdout
    assert "snippet: 30 of 30 left" in shown.stdout


def test_a_question_that_nobody_can_answer_means_no(used: Root) -> None:
    """A closed input is no terminal and no yes."""
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(PROGRAM)} rate reset git <&-"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "--yes" in done.stderr) == (3, True)
    assert tree(used).budget is not None


@pytest.mark.usefixtures("used")
def test_a_watch_on_a_dumb_terminal_prints_lines() -> None:
    """It could not draw."""
    terminal = Terminal("rate", "watch", TERM="dumb")
    terminal.expect("git tree: 3 of 30 used")
    terminal.press("\x03")
    assert terminal.end()[0] == 130


def test_a_denial_after_damage_says_so(used: Root, state: Path) -> None:
    """It is no full budget."""
    (file,) = files(state)
    os.truncate(file, 10)
    tree(used)
    decision = resolve_paths_decide_and_take_hit(read_grant(used, "git"), "tree", {})
    assert (decision.reason, decision.retryable) == (RATE_LIMITED, True)
    assert "closed for a minute after damage" in decision.message


def test_show_prints_what_is_left_of_each_action(root: Path) -> None:
    """And takes nothing itself."""
    enforce(load_grant("git"), "tree", {"path": "docs/x"})
    seen = read_budgets_of_grant(Root(str(root), trusts_owner=True), "git")
    left = {one.action: one.budget.remaining for one in seen.budgets if one.budget is not None}
    assert left == {"tree": 29, "snippet": 30, "search": 30}
    assert seen.row.state == "unstamped"


def test_unreadable_state_is_reported_without_an_error(root: Path, state: Path) -> None:
    """An operator still sees the grant."""
    state.chmod(0o755)
    seen = read_budgets_of_grant(Root(str(root), trusts_owner=True), "git")
    assert [one.budget for one in seen.budgets] == [None] * 3
    assert all("open to others" in one.problem for one in seen.budgets)


def test_a_missing_grant_is_reported_with_the_existing_ids(root: Path) -> None:
    """With a guess at what was meant."""
    with pytest.raises(GrantError) as caught:
        read_budgets_of_grant(Root(str(root), trusts_owner=True), "gti")
    assert caught.value.exit_code == 20
    assert "did you mean `git`" in caught.value.hint


def test_show_prints_a_broken_grant_with_its_problem(root: Path) -> None:
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
