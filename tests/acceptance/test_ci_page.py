"""The page about CI says what works: its YAML is read, its commands are run."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cortex_policy.manage.init.pre_commit import PRE_COMMIT_HOOKS
from tests.support.checkout import page

PAGE = page("ci")
GITHUB, GITLAB, PRE_COMMIT = (
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
STEPS = GITHUB["jobs"]["grants"]["steps"]
TOOLS = Path(".cortex/policy/tools")


class Job:
    """A checkout of a change, in which a service would run the commands."""

    def __init__(self, directory: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT", "CI_"))}
        who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(directory), "PATH": path}
        self.environment = kept | who | alone
        self.checkout = directory / "checkout"
        origin = directory / "origin"
        origin.mkdir()
        for command in (
            "git init -q -b main",
            "cortex-policy init",
            "cortex-policy test --init example",
            "git add .cortex",
            "git commit -q -m x",
        ):
            self.must(command, origin)
        self.must(f"git clone -q {origin} {self.checkout}", directory)
        self.base = self.must("git rev-parse origin/main").strip()

    def run(self, command: str, at: Path | None = None, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as both services do: in a shell that ends with the first that fails."""
        words = ["bash", "-eo", "pipefail", "-c", command]
        return subprocess.run(
            words, cwd=at or self.checkout, env=self.environment | more, text=True, check=False, capture_output=True
        )

    def must(self, command: str, at: Path | None = None) -> str:
        """Run what must succeed."""
        done = self.run(command, at)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Check out a repository with a root."""
    return Job(tmp_path)


def ours(commands: list[str]) -> list[str]:
    """Return the commands that run this program."""
    return [command for command in commands if "cortex-policy " in command]


def by_github(job: Job) -> tuple[list[int], list[str], str]:
    """Run each step of a pull request; return exit codes, what was printed, and the summary."""
    summary = job.checkout.parent / "summary.md"
    variables = {"BASE": "main", "GITHUB_STEP_SUMMARY": str(summary)}
    done = [job.run(command, **variables) for command in ours([step.get("run", "") for step in STEPS])]
    return [one.returncode for one in done], [one.stdout for one in done], summary.read_text()


def by_gitlab(job: Job, **variables: str) -> list[int]:
    """Run each line of the script; return the exit codes."""
    return [job.run(command, **variables).returncode for command in ours(GITLAB["grants"]["script"])]


def test_a_valid_change_passes_ci(job: Job) -> None:
    """On both, and on the main branch, where GitLab has nothing to compare with."""
    codes, _, summary = by_github(job)
    assert (codes, summary.splitlines()[0]) == ([0, 0, 0, 0], "### Grants since `origin/main`: same")
    assert by_gitlab(job, CI_MERGE_REQUEST_DIFF_BASE_SHA=job.base) == [0, 0, 0, 0]
    assert by_gitlab(job) == [0, 0, 0, 0]


def test_an_invalid_change_fails_ci_and_leaves_its_reports(job: Job) -> None:
    """Each command for its own reason; annotations are printed, and reports lie where the service looks."""
    job.must("cortex-policy set example --allow write --allow-widening")
    grant = job.checkout / TOOLS / "example.json"
    grant.write_text(grant.read_text().replace('"public"', '"secret"'))
    (job.checkout / TOOLS / "more.json").write_text('{"tool": "x", "actions": ["a"], "rate": {"perMinute": 1}}')
    codes, printed, summary = by_github(job)
    assert codes == [1, 1, 1, 1]
    assert printed[0].startswith("::error file=.cortex/policy/tools/example.json,line=8,")
    assert "**widened**" in summary
    assert by_gitlab(job, CI_MERGE_REQUEST_DIFF_BASE_SHA=job.base) == [1, 1, 1, 1]
    (sarif,) = (step["with"]["sarif_file"] for step in STEPS if "upload-sarif" in step.get("uses", ""))
    reports = GITLAB["grants"]["artifacts"]["reports"]
    for name in (sarif, reports["codequality"], *reports["junit"]):
        assert "example.json" in (job.checkout / name).read_text(), name


def test_ci_steps_after_a_failure_run_too() -> None:
    """An upload above all: a step is left out after one that failed, unless it says so."""
    first = next(at for at, step in enumerate(STEPS) if "validate" in step.get("run", ""))
    assert all("!cancelled()" in step["if"] for step in STEPS[first + 1 :])


def test_ci_compares_with_a_revision_that_exists() -> None:
    """Both services clone without history unless they are asked for it."""
    assert STEPS[0]["with"]["fetch-depth"] == 0
    assert GITLAB["grants"]["variables"]["GIT_DEPTH"] == "0"


def test_the_table_names_commands_that_run(job: Job) -> None:
    """Each says yes to a root just made."""
    commands = re.findall(r"^\| `(cortex-policy [^`]+)` \|", PAGE, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        job.must(command.replace("REV", "HEAD"))


def test_every_hook_is_on_the_page() -> None:
    """By its id, as pre-commit wants it."""
    (repository,) = PRE_COMMIT["repos"]
    hooks: list[Any] = repository["hooks"]
    assert [hook["id"] for hook in hooks] == [hook.id for hook in PRE_COMMIT_HOOKS]
    assert repository["rev"]
