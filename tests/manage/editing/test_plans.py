"""What a change would write is worked out without a lock, and nothing is written."""

import json
from pathlib import Path

import pytest

from cortex_policy.manage.editing import operations, plans
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import run_command
from tests.support.roots import grant_file

PREVIEWS = {
    "copy": (lambda root: plans.preview_copy_grant(root, "git", "git2"), lambda root: operations.copy_grant(root, "git", "git2", lambda _: None)),
    "remove": (lambda root: plans.preview_remove_grant(root, "git"), lambda root: operations.remove_grant(root, "git", lambda _: None)),
    "rename": (lambda root: plans.preview_rename_grant(root, "git", "git2"), lambda root: operations.rename_grant(root, "git", "git2")),
}  # fmt: skip


@pytest.mark.parametrize("name", PREVIEWS)
def test_a_preview_equals_the_result_of_the_write(root: Path, name: str) -> None:
    """The same meaning and the same diff; before it, no file has changed."""
    before = sorted(root.rglob("*"))
    look, write = PREVIEWS[name]
    here = find_named_or_only_root(str(root))
    planned = look(here)
    assert sorted(root.rglob("*")) == before
    written = write(here)
    assert (planned.change, planned.diff, planned.is_written) == (written.change, written.diff, False)


@pytest.mark.parametrize(
    "line", ["copy git model-gateway", "copy nope x", "rename git model-gateway", "rename nope x", "remove nope", "copy git a/b"]
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_a_preview_refuses_what_the_write_would_refuse(line: str) -> None:
    """With the same code and the same words."""
    dry = run_command(*line.split(), "--dry-run", code=code_of(line))
    real = run_command(*line.split(), "--allow-widening" if "copy" in line else "--json", code=code_of(line))
    assert dry.stderr == real.stderr.replace("not done, nothing was changed: ", "")  # a dry run changes nothing anyway


def code_of(line: str) -> int:
    """Return what such a line ends with."""
    return 2 if "a/b" in line else 20 if "nope" in line else 3


def test_a_dry_run_of_a_command_writes_nothing(root: Path) -> None:
    """It prints what would be done, also as JSON."""
    before = grant_file(root).read_bytes()
    assert run_command("rename", "git", "git2", "--dry-run").stdout == "`git` would be renamed to `git2`\n"
    assert "\n-" in run_command("remove", "git", "--dry-run").stdout
    assert "\n+" in run_command("copy", "git", "git2", "--dry-run").stdout
    for line in ("rename git git2", "remove git", "copy git git2"):
        assert json.loads(run_command(*line.split(), "--dry-run", "--json").stdout)["changed"] is False
    assert grant_file(root).read_bytes() == before
