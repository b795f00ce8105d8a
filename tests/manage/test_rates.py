"""Operators see what budgets leave, and give them back."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from cortex_policy.core.model import StateError, UsageError
from cortex_policy.manage.rates import Standing, purge, reset, standings
from cortex_policy.state.enforcement import ask
from cortex_policy.state.grants import Root, read_grant

PROGRAM = [sys.executable, "-m", "cortex_policy"]


@pytest.fixture
def used(root: Path) -> Root:
    """Use a budget three times."""
    found = Root(str(root), named=False)
    for _ in range(3):
        assert ask(read_grant(found, "git"), "tree", {})
    return found


def files(state: Path) -> list[Path]:
    """Return the state files of budgets."""
    return [path for path in state.rglob("*") if not path.name.startswith(".") and path.parent != state]


def tree(root: Root) -> Standing:
    """Return how `git tree` stands."""
    return next(one for one in standings(root, "git") if one.action == "tree")


def run(*words: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run one command and return what came of it."""
    return subprocess.run(
        [*PROGRAM, "rate", *words], capture_output=True, text=True, check=False, timeout=30, **options
    )  # type: ignore[call-overload, no-any-return]


def test_each_action_of_each_grant_stands_alone(used: Root) -> None:
    """Used, left and limit, for every action there is."""
    left = {(one.id, one.action): one.budget.remaining for one in standings(used) if one.budget is not None}
    assert left == {
        ("git", "tree"): 27, ("git", "snippet"): 30, ("git", "search"): 30, ("model-gateway", "chat"): 60,
    }  # fmt: skip


def test_a_grant_that_cannot_be_read_is_a_standing(used: Root) -> None:
    """Its problem is told, and the others are still there."""
    Path(used.tools, "broken.json").write_text("{")
    broken, *others = standings(used)
    assert (broken.id, broken.budget) == ("broken", None)
    assert broken.problem
    assert len(others) == 4


def test_a_reset_gives_back_one_action_or_all(used: Root) -> None:
    """And says which of them had hits."""
    assert reset(used, "git", "snippet") == ()
    assert reset(used, "git") == ("tree",)
    assert tree(used).budget == standings(used, "git")[1].budget
    with pytest.raises(UsageError, match="`push` is not an action of `git`"):
        reset(used, "git", "push")


def test_damage_shows_until_it_is_healed(used: Root, state: Path) -> None:
    """The one that notices says so, later ones say how long it is closed, and a reset opens it."""
    (file,) = files(state)
    os.truncate(file, 10)
    assert "damaged" in tree(used).problem
    closed = tree(used)
    assert closed.problem == "closed after damage"
    assert closed.budget is not None
    assert closed.budget.retry_after_seconds
    reset(used, "git", "tree")
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
        reset(used, "git", "tree")
    assert tree(used).budget is None
    assert purge(used) == 1
    assert tree(used).problem == ""
    assert other.exists()
    assert purge(used) == 0


def test_a_purge_drops_every_budget_of_this_root_alone(used: Root, state: Path) -> None:
    """Nothing is left in its directory, and its siblings are not looked at."""
    sibling = state / ("0" * 32)
    sibling.mkdir(parents=True)
    (sibling / "x").write_text("kept")
    assert purge(used) == 1
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
def test_nothing_is_given_back_unasked(used: Root, words: tuple[str, ...]) -> None:
    """Without a terminal only `--yes` is a yes; nothing else changes anything."""
    refused = run(*words, stdin=subprocess.DEVNULL)
    assert refused.returncode == 3
    assert "--yes" in refused.stderr
    assert tree(used).budget == standings(used, "git")[0].budget
    assert run(*words, "--yes", "--json").returncode == 0


@pytest.mark.parametrize(
    ("said", "code", "left"), [("y", 0, 30), ("n", 3, 27), ("", 3, 27), ("\x04", 3, 27), ("\x03", 130, 27)]
)
def test_a_reset_asks_on_a_terminal(used: Root, said: str, code: int, left: int) -> None:
    """Only a yes is a yes: not a return, not the end of input, not Ctrl-C."""
    asked = pexpect.spawn(PROGRAM[0], [*PROGRAM[1:], "rate", "reset", "git", "tree"], encoding="utf-8", timeout=20)
    asked.expect_exact("forget the hits of git tree? [y/N]:")
    asked.send(said if said in {"\x03", "\x04"} else f"{said}\r")
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == code
    budget = tree(used).budget
    assert budget is not None
    assert budget.remaining == left


def test_a_watch_in_a_pipe_tells_each_change_until_nobody_reads(used: Root) -> None:
    """One line for each change; it ends with its reader."""
    with subprocess.Popen([*PROGRAM, "rate", "watch", "git"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert [watch.stdout.readline().strip() for _ in range(3)] == [
            "git tree: 3 of 30 used", "git snippet: 0 of 30 used", "git search: 0 of 30 used",
        ]  # fmt: skip
        assert ask(read_grant(used, "git"), "snippet", {})
        assert watch.stdout.readline() == "git snippet: 1 of 30 used\n"
        watch.stdout.close()
        assert watch.wait(timeout=20) == 0


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
def test_a_watch_on_a_terminal_ends_with_a_key(used: Root, key: str, code: int) -> None:
    """The terminal is as it was before."""
    assert used
    watch = pexpect.spawn(
        PROGRAM[0], [*PROGRAM[1:], "rate", "watch"], encoding="utf-8", timeout=20, dimensions=(24, 100)
    )
    watch.expect_exact("3/30")
    watch.send(key)
    watch.expect(pexpect.EOF)
    watch.close()
    assert watch.exitstatus == code


def test_a_watch_that_is_interrupted_answers_130(used: Root) -> None:
    """In a pipe too, without a traceback."""
    assert used
    with subprocess.Popen(
        [*PROGRAM, "rate", "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=20) == 130
        assert watch.stderr is not None
        assert watch.stderr.read() == ""
