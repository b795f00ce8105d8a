"""A root inside another: what decides never chooses, what looks takes the inner one and says so, a stop stops both."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cortex_policy import load_grant
from cortex_policy.core.model import GrantError
from tests.support.command import result_of as run
from tests.support.users import by_caller


@pytest.fixture
def inner(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a root that allows more inside the other, as a worktree of a repository may lie."""
    inner = root / "worktrees" / "x"
    shutil.copytree(root / ".cortex", inner / ".cortex")
    (inner / "docs").mkdir()
    grant = inner / ".cortex/policy/tools/git.json"
    grant.write_text(grant.read_text().replace("30", "3000"))
    monkeypatch.chdir(inner)
    return inner


@pytest.mark.parametrize(
    "words",
    [("check", "git", "tree"), ("explain", "git", "tree")],
)
def test_an_ambiguous_root_names_both_roots_and_how_to_pin_each(
    inner: Path, root: Path, words: tuple[str, ...]
) -> None:
    """The inner one first; a nested directory never widens what an outer one allows."""
    done = run(*words, cwd=inner)
    assert done.returncode == 26
    said = " ".join((done.stdout + done.stderr).split())
    assert f"`{inner}` and `{root}`" in said
    assert f"name one with `--root {inner}` or `--root {root}`, or with CORTEX_POLICY_ROOT" in said
    for pinned in (inner, root):
        assert run(*words, "--root", str(pinned), cwd=inner).returncode == 0
        assert run(*words, cwd=inner, CORTEX_POLICY_ROOT=str(pinned)).returncode == 0


@pytest.mark.usefixtures("inner")
def test_a_program_that_names_no_root_is_answered_the_same() -> None:
    """It reads no standard error."""
    with pytest.raises(GrantError) as caught:
        load_grant("git")
    assert caught.value.exit_code == 26


LOOKS = [
    ("list",), ("show", "git"), ("validate",), ("log",), ("rate", "show"), ("config", "list"),
    ("fmt", "--check"), ("set", "git", "--rate", "9", "--dry-run"), ("stamp", "show"), ("test",), ("diff", "git", "git"),
    ("config", "get", "sensitive"), ("suggest",), ("undo", "git", "--dry-run"),
]  # fmt: skip


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_commands_that_read_take_the_inner_root_and_say_so(inner: Path, root: Path, words: tuple[str, ...]) -> None:
    """In one line on standard error, so that its output stays what it is."""
    note = f"note: the root is `{inner}`; name another with `--root`: `{root}`\n"
    done = run(*words, cwd=inner)
    assert done.stderr.count(note) == 1
    assert done.returncode != 26
    pinned = run(*words, "--root", str(inner), cwd=inner)
    assert note not in pinned.stderr
    assert (pinned.returncode, pinned.stdout) == (done.returncode, done.stdout)


def test_commands_that_write_take_the_inner_root(inner: Path, root: Path) -> None:
    """And leaves the outer one alone."""
    before = (root / ".cortex/policy/tools/git.json").read_bytes()
    assert run("set", "git", "--rate", "7", cwd=inner).returncode == 0
    assert json.loads((inner / ".cortex/policy/tools/git.json").read_text())["rate"] == {"perMinute": 7}
    assert (root / ".cortex/policy/tools/git.json").read_bytes() == before


def test_commands_that_name_files_need_no_root(inner: Path) -> None:
    """Nothing is said of any."""
    done = run("validate", ".cortex/policy/tools/git.json", cwd=inner)
    assert "note: the root" not in done.stderr
    assert done.returncode == 0


def test_a_stop_stops_every_root_on_the_way_up(inner: Path, root: Path) -> None:
    """It names them, with what ends each."""
    done = run("stop", "--reason", "the token leaked", cwd=inner)
    assert done.returncode == 0
    assert [line.rsplit(": ", 1)[1] for line in done.stdout.splitlines()] == [str(inner), str(root)]
    for one in (inner, root):
        assert f"`cortex-policy resume --root {one}`" in done.stderr
        assert run("check", "git", "tree", "--root", str(one), cwd=inner).returncode == 15
    again = json.loads(run("stop", "--json", cwd=inner).stdout)
    assert (again["root"], again["changed"], [one["root"] for one in again["others"]]) == (
        str(inner),
        False,
        [str(root)],
    )


def test_a_root_that_cannot_be_stopped_does_not_save_the_others(inner: Path, root: Path) -> None:
    """It is told, and the code says that not all is done."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    os.chown(inner / ".cortex/policy", 12345, 12345)
    for path in [inner, *inner.parents][:-2]:
        path.chmod(0o755)
    with by_caller():
        from cortex_policy.manage import emergency_stop  # noqa: PLC0415 - as the command does
        from cortex_policy.state.roots import find_named_root_or_all_above  # noqa: PLC0415

        first, second = find_named_root_or_all_above()
        assert emergency_stop.stop_root(first).is_changed
        with pytest.raises(Exception, match="permission denied"):
            emergency_stop.stop_root(second)
    assert (second.path, (root / ".cortex/policy/stop").exists()) == (str(root), False)


@pytest.mark.parametrize(
    "words",
    [("resume",), ("approve", "1f0c9a7e", "--yes"), ("deny", "1f0c9a7e"), ("rate", "reset", "git", "--yes"), ("rate", "purge", "--yes")],
    ids=" ".join,
)  # fmt: skip
def test_commands_that_give_back_budget_need_a_name(inner: Path, words: tuple[str, ...]) -> None:
    """It would be the wrong root's as easily."""
    assert run(*words, cwd=inner).returncode == 26
