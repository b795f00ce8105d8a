"""`doctor` finds what is wrong in a root, with the command that fixes it: each command is run, and fixes it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from cortex_policy.manage import unsafe_files
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult
from cortex_policy.manage.doctor.root import examine_root
from cortex_policy.manage.doctor.state_and_audit_log import examine_state_and_audit_log
from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.settings import read_uncached_settings
from tests.support.command import run_command
from tests.support.users import CALLER

POLICY = Path(".cortex/policy")


@pytest.fixture(autouse=True)
def here(root: Path, tmp_path: Path) -> Iterator[Path]:
    """Stand in a stamped root, with the program on PATH; what a test sets in the environment goes again."""
    program = tmp_path / "bin/cortex-policy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m cortex_policy "$@"\n')
    program.chmod(0o755)
    run_command("stamp", "write", "--allow-widening")
    with patch.dict(os.environ, PATH=f"{program.parent}:{os.environ['PATH']}"):
        yield root


def results() -> dict[str, CheckResult]:
    """Return what is found in the root, by the id of the check; of several the last."""
    root = find_named_or_only_root()
    found = list(examine_root(root, find_global_denials(root)))
    if not any(one.id == "settings" and one.status == PROBLEM for one in found):
        found += examine_state_and_audit_log(read_uncached_settings(root.path), find_global_denials(root))
    return {one.id: one for one in found}


def _stop() -> None:
    (POLICY / "stop").touch()


def _modes() -> None:
    (POLICY / "tools").chmod(0o777)


def _settings() -> None:
    (POLICY / "config.toml").touch()
    (POLICY / "config.toml").chmod(0o666)


def _stamp() -> None:
    (POLICY / "stamp.json").unlink()
    (POLICY / "config.toml").write_text('stamp = "require"\n')


def _log() -> None:
    os.environ["CORTEX_AUDIT_LOG"] = str(Path.cwd().parent / "logs/audit.jsonl")


def _state() -> None:
    Path(os.environ["CORTEX_POLICY_STATE_DIR"]).chmod(0o755)


WRONG: dict[str, Callable[[], None]] = {
    "stop": _stop, "permissions": _modes, "settings": _settings, "stamp": _stamp, "audit-log": _log, "state": _state,
}  # fmt: skip


def test_a_root_in_order_is_ok() -> None:
    """In everything that is looked at."""
    found = results()
    assert list(found) == [
        "root", "stop", "settings", "permissions", "members", "grants", "stamp", "state", "lock", "remove-ipc", "audit-log",
    ]  # fmt: skip
    assert {one.status for one in found.values()} == {OK}


@pytest.mark.parametrize(("name", "wrong"), WRONG.items(), ids=WRONG)
def test_a_denial_of_every_check_is_a_problem_that_its_command_fixes(name: str, wrong: Callable[[], None]) -> None:
    """Typed in a shell, as it is printed."""
    wrong()
    assert {check for check, one in results().items() if one.status == PROBLEM} - {"grants"} == {name}
    command = results()[name].command
    if name == "stamp":
        command += " --allow-widening"  # there is nobody to ask
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert {one.status for one in results().values()} == {OK}


def test_a_hint_that_is_more_than_a_command_is_in_the_message() -> None:
    """Else it would be lost."""
    os.environ["CORTEX_POLICY_FOO"] = "1"
    one = results()["settings"]
    said = "`CORTEX_POLICY_FOO`: unknown setting; unset the variable; `cortex-policy config list` shows all settings"
    assert (one.status, one.message, one.command) == (PROBLEM, said, "")


def test_grants_that_checks_refuse_are_named() -> None:
    """With the command that says why; a root without grants too."""
    (POLICY / "tools/git.json").write_text("{")
    one = results()["grants"]
    assert (one.status, one.message, one.command) == (PROBLEM, "checks refuse git (invalid)", "cortex-policy validate")
    shutil.rmtree(POLICY / "tools")
    assert results()["grants"].command == "cortex-policy new ID"


def test_a_hand_edit_is_a_warning() -> None:
    """No check denies it unless settings require the stamp."""
    grant = POLICY / "tools/git.json"
    grant.write_text(grant.read_text().replace("30", "31"))
    one = results()["stamp"]
    assert (one.status, one.message) == (WARNING, "1 grant differ from it: git")
    done = subprocess.run(["sh", "-c", one.command], check=True, capture_output=True, text=True)
    assert "git" in done.stdout
    (POLICY / "stamp.json").unlink()
    assert (results()["stamp"].status, results()["stamp"].message) == (OK, "there is no stamp")


def test_a_root_inside_another_is_a_warning(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check there is denied unless it names one."""
    inner = root / "worktree"
    shutil.copytree(root / ".cortex", inner / ".cortex")
    monkeypatch.chdir(inner)
    found = find_named_or_only_root(str(inner))
    one = next(examine_root(found, find_global_denials(found)))
    assert (one.status, one.command) == (WARNING, f"export CORTEX_POLICY_ROOT={inner}")
    monkeypatch.setenv("CORTEX_POLICY_ROOT", str(inner))
    assert next(examine_root(found, find_global_denials(found))).status == OK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a group away")
def test_other_members_of_the_owners_group_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check looks them up."""
    grant = POLICY / "tools/git.json"
    os.chown(grant, CALLER, CALLER)
    grant.chmod(0o664)
    monkeypatch.setattr(
        unsafe_files, "find_names_of_group_members", lambda gid: {"mallory"} if gid == CALLER else set()
    )
    one = results()["members"]
    assert (one.status, "`mallory` can change the file" in one.message, one.command.startswith("chmod go-w ")) == (
        WARNING,
        True,
        True,
    )
