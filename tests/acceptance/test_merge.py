"""Branches that changed grants are merged, rebased and picked by a real git, with the merge driver and without it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from tests.support.command import run_command as run
from tests.support.roots import grant_file

DRIVERS = pytest.mark.parametrize("driven", [True, False], ids=["driver", "no driver"])


class Repository:
    """A root in a repository of its own, whose branches `main` and `one` begin with the same four grants."""

    def __init__(self, top: Path) -> None:
        self.top, self.root = top, Root(str(top), trusts_owner=False)

    def git(self, *words: str, code: int = 0) -> str:
        """Run git as a committer who configured nothing else; it must answer this code."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-C", str(self.top), "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "core.editor=true", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env=kept | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def set_rates(self, **rates: int) -> None:
        """Change grants by the program, each in a commit."""
        for grant_id, rate in rates.items():
            run("set", grant_id, "--rate", str(rate), "--allow-widening")
            self.commit()

    def both(self, ours: dict[str, int], theirs: dict[str, int]) -> None:
        """Change grants on both branches, and stand on `main`."""
        self.set_rates(**ours)
        self.git("checkout", "-q", "one")
        self.set_rates(**theirs)
        self.git("checkout", "-q", "main")

    def rates(self) -> dict[str, int]:
        """Return the rate of each grant."""
        files = Path(self.root.tools_path).glob("*.json")
        return {file.stem: json.loads(file.read_text())["rate"]["perMinute"] for file in files}

    def version(self) -> int:
        """Return the version of the stamp, which belongs to the grants."""
        run("stamp", "verify")
        stamp = stamps.read_stamp(self.root)
        assert stamp is not None
        return stamp.version

    @property
    def stamp(self) -> Path:
        """The file of the stamp."""
        return Path(stamps.make_stamp_path(self.root.path))


BASE = 5  # the version that both branches begin with


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the repository that each test copies."""
    top = tmp_path_factory.mktemp("merge")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        patch.setenv("CORTEX_POLICY_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        made = Repository(top)
        made.git("init", "-q", "-b", "main")
        run("init")
        for name in "abcd":
            run("new", name, "--allow", "x", "--rate", "5", "--scope", "docs", "--allow-widening")
        made.commit()
        made.git("branch", "one")
    return top


@pytest.fixture
def repository(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Copy the repository, and stand in it."""
    top = tmp_path / "repository"
    shutil.copytree(template, top)
    monkeypatch.chdir(top)
    return Repository(top)


def drive(repository: Repository, driven: bool) -> None:
    """Install the merge driver on both branches, or none."""
    if driven:
        run("init", "--git")
        repository.commit()
        repository.git("branch", "-f", "one")


@DRIVERS
def test_branches_that_changed_different_grants_merge(repository: Repository, driven: bool) -> None:
    """Without a conflict, or with one that `stamp merge` solves; neighbours too."""
    drive(repository, driven)
    repository.both({"a": 6, "c": 7}, {"b": 8, "d": 9})
    repository.git("merge", "-q", "one", "-m", "m", code=0 if driven else 1)
    if not driven:
        text = repository.stamp.read_text()
        (conflict,) = (part.partition("=======")[0] for part in text.split("<<<<<<< HEAD\n")[1:])
        assert [line.split('"')[1] for line in conflict.splitlines()] == ["checksum"]
        assert "b\trate\twidened\t5 becomes 8 a minute\n" in run("stamp", "merge").stdout
        repository.commit()
    assert repository.rates() == {"a": 6, "b": 8, "c": 7, "d": 9, "example": 30}
    assert repository.version() == BASE + 3
    run("undo", "c", "--allow-widening")
    assert repository.rates()["c"] == 5


@DRIVERS
@pytest.mark.parametrize("way", ["rebase", "cherry-pick"])
def test_commits_are_applied_to_another_branch(repository: Repository, driven: bool, way: str) -> None:
    """One after the other, each with a version after both."""
    drive(repository, driven)
    repository.both({"a": 6, "b": 7}, {"c": 8, "d": 9})
    if way == "rebase":
        repository.git("checkout", "-q", "one")
    words = ("rebase", "-q", "main") if way == "rebase" else ("cherry-pick", "main..one")
    repository.git(*words, code=0 if driven else 1)
    for last in (False, True) if not driven else ():
        run("stamp", "merge")
        repository.git("add", "-A")
        repository.git(way, "--continue", code=0 if last else 1)
    assert repository.rates() == {"a": 6, "b": 7, "c": 8, "d": 9, "example": 30}
    assert repository.version() == BASE + 4


@DRIVERS
def test_a_grant_that_both_sides_changed_stays_a_hand_edit(repository: Repository, driven: bool) -> None:
    """Git mixes both texts without a conflict of the grant: nobody had stamped that, and somebody has to accept it."""
    drive(repository, driven)
    run("set", "a", "--rate", "6", "--allow-widening")
    repository.commit()
    repository.git("checkout", "-q", "one")
    run("set", "a", "--allow", "y", "--allow-widening")
    repository.commit()
    repository.git("checkout", "-q", "main")
    said = repository.git("merge", "one", "-m", "m", code=1)
    assert ("stamp.json: both sides changed `a`" in said) is driven
    assert "a: neither side had stamped it as it is now" in run("stamp", "merge", code=1).stderr
    assert "a\tactions\twidened\tadds y\n" in run("stamp", "write", code=3).stdout
    run("stamp", "write", "--allow-widening")
    assert repository.version() == BASE + 3
    assert run("stamp", "merge").stdout.startswith("nothing to do: version 8, ")
    repository.commit()
    run("undo")
    assert json.loads(grant_file(repository.root, "a").read_text())["actions"] == ["x"]


@DRIVERS
def test_a_conflict_in_a_grant_is_resolved_first(repository: Repository, driven: bool) -> None:
    """What was one side's is accepted then, and can be undone."""
    drive(repository, driven)
    repository.both({"a": 6}, {"a": 7})
    repository.git("merge", "-q", "one", "-m", "m", code=1)
    said = run("stamp", "merge", code=21).stderr
    assert "hint: resolve it, then run `cortex-policy stamp merge` again\n" in said
    repository.git("checkout", "-q", "--theirs", str(grant_file(repository.root, "a")))
    run("stamp", "merge")
    repository.commit()
    assert repository.version() == BASE + 2
    run("undo", "--allow-widening")
    assert repository.rates()["a"] == 6


@DRIVERS
def test_a_grant_that_one_side_renamed_and_the_other_changed_is_accepted(repository: Repository, driven: bool) -> None:
    """As git has it: under the new id, with the other text."""
    drive(repository, driven)
    run("rename", "a", "z")
    repository.commit()
    repository.git("checkout", "-q", "one")
    repository.set_rates(a=7)
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "one", "-m", "m", code=1)
    run("stamp", "merge")
    assert repository.rates() == {"b": 5, "c": 5, "d": 5, "example": 30, "z": 7}
    assert repository.version() == BASE + 2


@DRIVERS
def test_grants_that_were_added_and_removed_are_merged(repository: Repository, driven: bool) -> None:
    """On either side."""
    drive(repository, driven)
    run("new", "m", "--allow", "x", "--rate", "1", "--scope", "docs", "--allow-widening")
    repository.commit()
    repository.git("checkout", "-q", "one")
    run("new", "n", "--allow", "x", "--rate", "1", "--scope", "docs", "--allow-widening")
    run("remove", "a", "--yes")
    repository.commit()
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "one", "-m", "m", code=0 if driven else 1)
    if not driven:
        run("stamp", "merge")
    assert set(repository.rates()) == {"b", "c", "d", "example", "m", "n"}
    assert repository.version() == BASE + 3


@pytest.mark.parametrize("way", ["-X ours", "union", "checkout --ours", "committed", "no program"])
def test_a_stamp_with_a_wrong_resolution_is_repaired(repository: Repository, way: str) -> None:
    """By an option of git, by its own driver, by hand and staged, by hand and committed, by a driver that is gone."""
    repository.both({"a": 6, "b": 7}, {"c": 8})
    attributes = Path(repository.root.policy_path, ".gitattributes")
    if way == "union":
        attributes.write_text("stamp.json merge=union\n")
    if way == "no program":
        attributes.write_text("stamp.json merge=gone\n")
        repository.git("config", "merge.gone.driver", "/nowhere/gone %O %A %B")
    words = ("-X", "ours") if way == "-X ours" else ()
    repository.git("merge", "-q", *words, "one", "-m", "m", code=0 if way in {"-X ours", "union"} else 1)
    if way in {"checkout --ours", "committed"}:
        repository.git("checkout", "-q", "--ours", str(repository.stamp))
        repository.git("add", "-A")
    if way == "committed":
        repository.git("commit", "-q", "-m", "m")
    run("stamp", "verify", code=1)
    run("stamp", "merge")
    assert repository.version() == BASE + 3
    assert repository.rates() == {"a": 6, "b": 7, "c": 8, "d": 5, "example": 30}
    run("undo", "b", "--allow-widening")
    assert repository.rates()["b"] == 5


def test_a_clone_without_the_settings_has_an_ordinary_conflict(repository: Repository, tmp_path: Path) -> None:
    """The attribute alone names a driver that git does not know there; `init --git` in the clone makes it known."""
    drive(repository, driven=True)
    repository.both({"a": 6}, {"b": 7})
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "-q", str(repository.top), str(clone.top))
    clone.git("merge", "-q", "origin/one", "-m", "m", code=1)
    clone.git("merge", "--abort")
    said = run("init", "--git", cwd=clone.top).stdout
    assert "set in the settings of this clone:\n  merge.cortex-policy-stamp.name=" in said
    clone.git("merge", "-q", "origin/one", "-m", "m")
    run("stamp", "verify", cwd=clone.top)
