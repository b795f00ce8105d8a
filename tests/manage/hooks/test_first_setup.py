"""`hook init` writes what is not there, each file whole, and never more than was shown."""

import gc
import os
from pathlib import Path

import pytest

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.history.undo import UndoRequest, undo_writes
from cortex_policy.manage.hooks import first_setup
from cortex_policy.manage.hooks.first_setup import find_installed_agents, preview_first_setup, write_first_setup
from cortex_policy.manage.transaction import writer as transaction_writer
from cortex_policy.state import Root
from cortex_policy.state.grants import read_grant
from cortex_policy.state.writer_lock import NO_WAIT
from tests.support.crashes import die_at
from tests.support.failing_calls import fail_at, full_disk
from tests.support.roots import grant_file
from tests.support.stamps import agree, stamp_version

NAMES = ["fs.read", "fs.write", "shell", "mcp", HOOKS_TOML]


def write(root: Root) -> first_setup.FirstSetup:
    """Write the first rules for one agent."""
    return write_first_setup(root, ("claude",), agree, NO_WAIT)


def texts(root: Root) -> dict[str, bytes]:
    """Return the bytes of all that is stamped."""
    files = [*Path(root.tools_path).glob("*.json"), Path(root.policy_path, HOOKS_TOML)]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def test_every_file_of_the_preview_is_written_and_can_be_undone(stamped_root: Root) -> None:
    """The rules last, so that they never name a grant that is not there."""
    before, preview = texts(stamped_root), preview_first_setup(stamped_root, ("claude",))
    assert texts(stamped_root) == before
    setup = write(stamped_root)
    assert [step.change.name for step in setup.steps] == NAMES
    assert [step.version for step in setup.steps] == [2, 3, 4, 5, 6]
    assert (setup.version, stamp_version(stamped_root)) == (1, 6)
    assert [step.diff for step in setup.steps] == [step.diff for step in preview.steps]
    for rule in decode_hooks_toml(Path(stamped_root.policy_path, HOOKS_TOML).read_bytes()).rules:
        assert not rule.grant or rule.action == "{tool}" or rule.action in read_grant(stamped_root, rule.grant).actions
    undo_writes(stamped_root, UndoRequest(version=setup.version), agree)
    assert texts(stamped_root) == before


def test_without_a_stamp_the_setup_can_be_undone_too(found_root: Root) -> None:
    """To the version before the first one."""
    before = texts(found_root)
    setup = write(found_root)
    assert (setup.version, setup.steps[0].version) == (0, 1)
    undo_writes(found_root, UndoRequest(version=0), agree)
    assert texts(found_root) == before


def test_nothing_is_overwritten(stamped_root: Root) -> None:
    """A grant that exists is named as it is; rules that exist are left alone."""
    own = grant_file(stamped_root, "git").read_bytes()
    grant_file(stamped_root, "fs.write").write_bytes(own)
    setup = write(stamped_root)
    assert "fs.write" not in [step.change.name for step in setup.steps]
    assert grant_file(stamped_root, "fs.write").read_bytes() == own
    for act in (write, lambda root: preview_first_setup(root, ("claude",))):
        with pytest.raises(NotDoneError, match="exists already") as caught:
            act(stamped_root)
        assert "hook edit" in caught.value.hint


def test_a_refusal_writes_nothing(stamped_root: Root) -> None:
    """What was shown is what is asked about."""
    before = texts(stamped_root)

    def refuse(setup: first_setup.FirstSetup) -> None:
        assert [step.change.name for step in setup.steps] == NAMES
        raise NotDoneError("cancelled")

    with pytest.raises(NotDoneError, match="cancelled"):
        write_first_setup(stamped_root, ("claude",), refuse, NO_WAIT)
    assert texts(stamped_root) == before


def test_a_full_disk_reports_what_was_written(stamped_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written stays, and the next run goes on."""
    refusing = fail_at(3, transaction_writer.GrantWriter.write, full_disk("tools/shell.json"))
    with monkeypatch.context() as patch:
        patch.setattr(transaction_writer.GrantWriter, "write", refusing)
        setup = write(stamped_root)
    assert setup.error is not None
    assert [step.change.name for step in setup.steps] == NAMES[:2]
    assert [step.change.name for step in write(stamped_root).steps] == NAMES[2:]


@pytest.mark.parametrize("stride", [37, pytest.param(1, marks=pytest.mark.storm)])
def test_a_kill_between_any_two_steps_leaves_whole_files(stamped_root: Root, stride: int) -> None:
    """And no rule that names a grant which is not there; the next run goes on."""
    before = texts(stamped_root)
    for step in range(1, 2000, stride):
        child = os.fork()
        if child == 0:
            gc.disable()  # it would copy all that the tests hold
            die_at(step)
            write(stamped_root)
            os._exit(0)
        died = os.waitpid(child, 0)[1] != 0
        now = texts(stamped_root)
        assert HOOKS_TOML not in now or {f"{name}.json" for name in NAMES[:4]} <= now.keys()
        if HOOKS_TOML not in now:
            write(stamped_root)
        with transaction_writer.open_grants_for_write(stamped_root):
            pass
        version = stamp_version(stamped_root)
        assert all(texts(stamped_root)[name] == text for name, text in now.items())
        undo_writes(stamped_root, UndoRequest(version=version - len(NAMES)), agree)
        assert texts(stamped_root) == before
        if not died:
            return
    raise AssertionError


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ((".claude/", ".copilot/"), ("claude", "copilot")),
        ((".codex/", ".gemini/", ".cursor/"), ("codex", "gemini", "cursor")),
        (("bin/claude", "bin/code"), ("claude", "vscode")),
        (("bin/cursor-agent",), ("cursor",)),
        ((".vscode/", "claude"), ()),
    ],
)
def test_agents_are_found_by_their_directory_or_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: tuple[str, ...], found: tuple[str, ...]
) -> None:
    """In the home directory and on the path, nowhere else."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in made:
        if name.endswith("/"):
            (home / name).mkdir()
        else:
            (home / name).touch(0o755)
    assert find_installed_agents({"PATH": str(home / "bin"), "HOME": str(home)}) == found


def test_a_directory_that_a_variable_names_is_looked_for_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names none finds nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    assert find_installed_agents({"CODEX_HOME": str(tmp_path / "elsewhere")}) == ("codex",)
    assert find_installed_agents({"CODEX_HOME": "elsewhere"}) == ()


def test_writing_is_allowed_where_nobody_runs_what_is_written(root: Path) -> None:
    """In real directories with names that a scope can have; in the usual ones if there is none."""
    policy = Root(str(root), trusts_owner=True)
    for name in (".github", "node_modules", "src", "a*b", "with space", "tools"):
        (root / name).mkdir()
    (root / "link").symlink_to("docs")
    (root / "Makefile").touch()
    assert first_setup.find_safe_write_scopes(policy) == ("docs", "packages", "src", "tools", "with space")
    for name in ("docs", "packages", "src", "tools", "with space"):
        (root / name).rename(root / f".{name}")
    assert first_setup.find_safe_write_scopes(policy) == first_setup.USUAL_SCOPES
