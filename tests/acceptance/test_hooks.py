"""The hooks of pre-commit, run by a real one on a real repository: what they stop, and what they let through."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.manage.init.pre_commit import PRE_COMMIT_HOOKS
from tests.support.checkout import CHECKOUT
from tests.support.shared import build_once

TOOLS = Path(".cortex/policy/tools")
SUFFIXES = {hook.name: hook.id.removeprefix("cortex-policy-") for hook in PRE_COMMIT_HOOKS}
PASSED = dict.fromkeys(SUFFIXES.values(), "Passed")
BY_FILES = {"validate": "Skipped", "fmt": "Skipped"}
SEEN = "SKIP=cortex-policy-widen"
CONFIGURATION = """\
[user]
    name = n
    email = e@example.org
[init]
    defaultBranch = main
"""


class Place:
    """A machine of its own: nobody's git configuration, caches or variables, but the package index of this one."""

    def __init__(self, directory: Path, **more: str) -> None:
        self.directory = directory
        self.template = directory / "template"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT", "CORTEX_"))
        }
        kept.pop("SKIP", None)
        self.environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": str(directory / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PRE_COMMIT_HOME": str(directory / "pre-commit"),
            "VIRTUALENV_OVERRIDE_APP_DATA": str(directory / "virtualenv"),
            "PRE_COMMIT_COLOR": "never",
            **more,
        }

    def run(self, directory: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a program, and return what it said on either stream."""
        return subprocess.run(
            words, cwd=directory, env=self.environment | more, text=True, check=False, timeout=600,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def install(self) -> None:
        """Make the repository that each test copies: a root with two grants, stamped and committed, and its hooks."""
        (self.directory / "home").mkdir()
        (self.directory / "gitconfig").write_text(CONFIGURATION)
        tools = self.template / TOOLS
        tools.mkdir(parents=True)
        self._must(self.template, "git", "init", "-q")
        (self.template / ".pre-commit-config.yaml").write_text(self._published(self.directory / "published"))
        (self.template / ".gitignore").write_text(".lock\n")
        for name in ("git", "files"):
            grant = {"tool": name, "actions": ["tree"], "rate": {"perMinute": 30}, "fsScope": ["docs"]}
            (tools / f"{name}.json").write_text(json.dumps(grant))
        self._must(self.template, "cortex-policy", "fmt")
        self._must(self.template, "git", "add", "-A")
        self._must(self.template, "git", "commit", "-q", "-m", "x")
        self._must(self.template, "pre-commit", "install", "--install-hooks")

    def _must(self, directory: Path, *words: str) -> str:
        done = self.run(directory, *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _published(self, directory: Path) -> str:
        """Commit this working tree to a repository; return a configuration that refers to it."""
        names = self._must(CHECKOUT, "git", "ls-files", "-coz", "--exclude-standard").split("\0")
        for name in filter(None, names):
            if not name.startswith("tests/") and (CHECKOUT / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(CHECKOUT / name, directory / name)
        self._must(directory, "git", "init", "-q")
        self._must(directory, "git", "add", "-A")
        self._must(directory, "git", "commit", "-q", "-m", "x")
        revision = self._must(directory, "git", "rev-parse", "HEAD").strip()
        hooks = "".join(f"      - id: {hook.id}\n" for hook in PRE_COMMIT_HOOKS)
        return f"repos:\n  - repo: {directory}\n    rev: {revision}\n    hooks:\n{hooks}"


class Repository:
    """A repository whose commits the hooks look at."""

    def __init__(self, place: Place, directory: Path) -> None:
        self.place = place
        self.top = directory

    def run(self, *words: str, **more: str) -> str:
        """Run what must succeed."""
        done = self.place.run(self.top, *words, **more)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def commit(self, **more: str) -> tuple[dict[str, str], str]:
        """Stage all and try to commit it; return what each hook came to, and all that was said."""
        self.run("git", "add", "-A")
        return self.commit_staged(**more)

    def commit_staged(self, **more: str) -> tuple[dict[str, str], str]:
        """Try to commit what is staged; it is committed if, and only if, no hook failed."""
        before = self.place.run(self.top, "git", "rev-parse", "HEAD").stdout
        done = self.place.run(self.top, "git", "commit", "-m", "x", **more)
        came = outcomes(done.stdout)
        is_stopped = self.place.run(self.top, "git", "rev-parse", "HEAD").stdout == before
        assert is_stopped == (done.returncode != 0) == ("Failed" in came.values()), done.stdout
        return came, done.stdout

    def edit(self, name: str, **members: object) -> None:
        """Change members of a grant by hand, in the layout it has."""
        file = self.top / TOOLS / f"{name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | members, indent=2) + "\n")


def outcomes(said: str) -> dict[str, str]:
    """Return what each hook came to."""
    lines = re.findall(r"^(.+?)\.{3,}(?:\(no files to check\))?(Passed|Failed|Skipped)$", said, re.MULTILINE)
    return {SUFFIXES[name]: came for name, came in lines}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Install the hooks once, as the user who runs this: pip may need their settings. Then leave their home."""
    directory = build_once(tmp_path_factory, "hooks", lambda directory: Place(directory).install())
    home = str(directory / "home")
    return Place(directory, HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home)


@pytest.fixture
def repository(place: Place, tmp_path: Path) -> Repository:
    """Copy the repository with the hooks."""
    shutil.copytree(place.template, tmp_path / "repository", symlinks=True)
    return Repository(place, tmp_path / "repository")


def test_the_manifest_is_the_generated_one(place: Place) -> None:
    """As pre-commit reads it."""
    assert place.run(CHECKOUT, "pre-commit", "validate-manifest", ".pre-commit-hooks.yaml").returncode == 0


def test_a_change_by_the_program_that_allows_less_is_committed(repository: Repository) -> None:
    """All of them look at it."""
    repository.run("cortex-policy", "set", "git", "--rate", "20")
    assert repository.commit()[0] == PASSED


def test_a_commit_that_touches_no_grant_passes_the_hooks(repository: Repository) -> None:
    """What is filtered by files is skipped, and the rest finds nothing."""
    (repository.top / "x").write_text("x")
    assert repository.commit()[0] == PASSED | BY_FILES


def test_a_broken_grant_stops_the_commit_and_is_shown_where_it_broke(repository: Repository) -> None:
    """File, line and column, from the top of the repository on."""
    file = repository.top / TOOLS / "git.json"
    file.write_text(file.read_text().replace('"tree"]', '"tree",]'))
    came, said = repository.commit()
    assert came["validate"] == "Failed"
    assert re.search(r"^\.cortex/policy/tools/git\.json:3:\d+: ", said, re.MULTILINE), said


def test_a_grant_that_is_a_link_stops_the_commit(repository: Repository) -> None:
    """pre-commit counts a link as no file, unless it is asked to."""
    (repository.top / TOOLS / "link.json").symlink_to("git.json")
    came, said = repository.commit()
    assert came["validate"] == "Failed"
    assert "link.json" in said


def test_a_deleted_grant_is_reported_although_the_commit_has_no_files(repository: Repository) -> None:
    """By the stamp; removed by the program, it is as stamped."""
    repository.run("git", "rm", "-q", str(TOOLS / "git.json"))
    came, said = repository.commit_staged()
    assert came == PASSED | BY_FILES | {"stamp": "Failed"}
    assert "git: " in said
    assert "hint: see it with `cortex-policy diff --against stamp`; take it back with `cortex-policy undo`" in said
    repository.run("git", "reset", "-q", "--hard")
    repository.run("cortex-policy", "remove", "git", "--yes")
    came, _ = repository.commit()
    assert came == PASSED | BY_FILES


@pytest.mark.storm
def test_a_renamed_grant_is_reported(repository: Repository) -> None:
    """By the stamp, if git renamed it, and as one that was not there before: who asks for it had a no."""
    repository.run("git", "mv", str(TOOLS / "git.json"), str(TOOLS / "tig.json"))
    came, said = repository.commit_staged()
    assert came == PASSED | {"stamp": "Failed", "widen": "Failed"}
    assert "tig" in said
    repository.run("git", "reset", "-q", "--hard")
    repository.run("cortex-policy", "rename", "git", "tig")
    assert repository.commit()[0] == PASSED | {"widen": "Failed"}
    assert repository.commit(SKIP="cortex-policy-widen")[0] == PASSED | {"widen": "Skipped"}


def test_a_case_that_fails_stops_the_commit(repository: Repository) -> None:
    """And so does one whose grant is gone; a grant without cases does not."""
    repository.run("cortex-policy", "test", "--init", "git")
    assert repository.commit()[0] == PASSED | BY_FILES
    repository.run("cortex-policy", "set", "git", "--rate", "20")
    came, said = repository.commit()
    assert came == PASSED | {"test": "Failed"}
    assert "perMinute" in (repository.top / TOOLS / "git.json").read_text()
    assert re.search(
        r"expected `allowed`, got `rate_limited` in call 21 of 30\n  rate: .*tools/git\.json:\d+\]", said
    ), said
    repository.run("cortex-policy", "remove", "git", "--yes")
    came, said = repository.commit()
    assert came == PASSED | BY_FILES | {"test": "Failed"}
    assert "`git`: grant not found" in said


@pytest.mark.storm
def test_before_the_first_commit_nothing_was_allowed(repository: Repository) -> None:
    """Every grant is new; somebody must have seen it."""
    shutil.rmtree(repository.top / ".git" / "refs")
    (repository.top / ".git" / "refs").mkdir()
    came, said = repository.commit()
    assert came == PASSED | {"widen": "Failed"}
    assert "note: `HEAD` has no commit yet: compared with no grants at all" in said
    assert "2 added" in said
    assert repository.commit(SKIP="cortex-policy-widen")[0] == PASSED | {"widen": "Skipped"}


def test_a_widened_grant_stops_the_commit_until_it_is_accepted(repository: Repository) -> None:
    """What it allows more is shown, and how to go on."""
    repository.run("cortex-policy", "set", "git", "--allow", "push", "--allow-widening")
    came, said = repository.commit()
    assert came == PASSED | {"widen": "Failed"}
    assert "git\tactions\twidened\tadds push" in said
    assert SEEN in said
    assert repository.commit(SKIP="cortex-policy-widen")[0] == PASSED | {"widen": "Skipped"}


def test_only_staged_content_counts(repository: Repository) -> None:
    """Neither what was taken back since hides it, nor does a stamp help that stays behind."""
    repository.edit("git", actions=["tree", "push"])
    repository.run("git", "add", "-A")
    repository.edit("git", actions=["tree"])
    assert repository.commit_staged()[0]["widen"] == "Failed"
    repository.run("git", "reset", "-q", "--hard")
    repository.run("cortex-policy", "set", "git", "--rate", "20")
    repository.run("git", "add", str(TOOLS))
    came, said = repository.commit_staged()
    assert came == PASSED | {"stamp": "Failed"}
    assert "stamp.json, as staged" in said


def test_a_custom_layout_is_reported_and_not_rewritten(repository: Repository) -> None:
    """With the command that mends it."""
    file = repository.top / TOOLS / "git.json"
    file.write_text(json.dumps(json.loads(file.read_text())))
    before = file.read_bytes()
    repository.run("cortex-policy", "stamp", "write", "--allow-widening")
    came, said = repository.commit()
    assert came == PASSED | {"fmt": "Failed"}
    assert '+  "tool": "git",' in said
    assert "hint: format with `cortex-policy fmt`" in said
    assert file.read_bytes() == before


@pytest.mark.storm
def test_all_files_are_checked_on_demand(repository: Repository) -> None:
    """As in CI: what was committed past the hooks is found."""
    assert outcomes(repository.run("pre-commit", "run", "--all-files")) == PASSED
    repository.edit("git", rate={"perMinute": 0})
    repository.run("git", "commit", "-q", "-a", "--no-verify", "-m", "x")
    done = repository.place.run(repository.top, "pre-commit", "run", "--all-files")
    assert done.returncode == 1
    assert outcomes(done.stdout) == PASSED | {"validate": "Failed", "fmt": "Failed", "stamp": "Failed"}
    assert ".cortex/policy/tools/git.json:" in done.stdout


@pytest.fixture
def monorepo(repository: Repository) -> Repository:
    """Put the root two directories down."""
    (repository.top / "services" / "a").mkdir(parents=True)
    repository.run("git", "mv", ".cortex", "services/a/.cortex")
    repository.run("git", "commit", "-q", "--no-verify", "-m", "x")
    shutil.rmtree(repository.top / ".cortex", ignore_errors=True)
    return repository


def test_in_a_monorepo_a_hook_without_its_root_says_how_to_name_it(monorepo: Repository) -> None:
    """The grants of a commit tell theirs."""
    file = monorepo.top / "services" / "a" / TOOLS / "git.json"
    file.write_text(file.read_text().replace("30", "20"))
    came, said = monorepo.commit()
    assert came == dict.fromkeys(PASSED, "Failed") | {"validate": "Passed"}
    assert said.count("- exit code: 25") == 4
    hint = "hint: name the root of the hook in .pre-commit-config.yaml: `args: [--root, services/a]`"
    assert said.count(hint) == 4


def test_in_a_monorepo_hooks_work_with_their_root(monorepo: Repository) -> None:
    """It is told by `args`, and nothing of what the hooks ask for is lost by that."""
    configuration = monorepo.top / ".pre-commit-config.yaml"
    text = configuration.read_text()
    for name in ("fmt", "test", "stamp", "widen"):
        text = text.replace(f"-{name}\n", f"-{name}\n        args: [--root, services/a]\n")
    configuration.write_text(text)
    monorepo.run("cortex-policy", "set", "git", "--rate", "20", "--root", "services/a")
    assert monorepo.commit()[0] == PASSED
    file = monorepo.top / "services" / "a" / TOOLS / "git.json"
    file.write_text(file.read_text().replace("20", "40"))
    came, said = monorepo.commit()
    assert came == PASSED | {"stamp": "Failed", "widen": "Failed"}
    assert "`cortex-policy stamp write --root " in said


@pytest.mark.parametrize("below", [pytest.param(".", marks=pytest.mark.storm), "services/a b"])
def test_what_init_writes_works_unchanged(place: Place, tmp_path: Path, below: str) -> None:
    """Hooks that run cortex-policy as it is installed, for a root at the top or below it."""
    top = tmp_path / "made"
    (top / below).mkdir(parents=True)
    made = Repository(place, top)
    made.run("git", "init", "-q")
    made.run("cortex-policy", "init", "--pre-commit", "--root", below)
    made.run("pre-commit", "validate-config")
    made.run("pre-commit", "install")
    assert made.commit()[0] == PASSED | {"widen": "Failed"}
    assert made.commit(SKIP="cortex-policy-widen")[0] == PASSED | {"widen": "Skipped"}
    file = top / below / TOOLS / "example.json"
    file.write_text(file.read_text().replace("30", "31"))
    assert made.commit()[0] == PASSED | {"stamp": "Failed", "widen": "Failed"}


def test_an_existing_configuration_is_kept_and_the_lines_to_add_are_printed(place: Place, tmp_path: Path) -> None:
    """What is printed fits; what refers to the hooks already needs nothing."""
    kept = Repository(place, tmp_path)
    kept.run("git", "init", "-q")
    file = tmp_path / ".pre-commit-config.yaml"
    file.write_text("repos:\n- repo: meta\n  hooks:\n  - id: identity\n")
    before = file.read_text()
    made = json.loads(kept.run("cortex-policy", "init", "--pre-commit", "--json"))
    assert (made["hooks"]["file"], made["hooks"]["status"]) == (str(file), "kept")
    said = kept.run("cortex-policy", "init", "--pre-commit")
    assert f"kept {file} as it is; put this under its `repos:`\n\n{made['hooks']['block']}\n" in said
    assert file.read_text() == before
    file.write_text(before + made["hooks"]["block"])
    kept.run("pre-commit", "validate-config")
    assert "nothing to do: the hooks are in" in kept.run("cortex-policy", "init", "--pre-commit")
    shutil.copy(place.template / file.name, file)
    assert "nothing to do: the hooks are in" in kept.run("cortex-policy", "init", "--pre-commit")
