"""`doctor` writes and locks a file where budgets are, and finds what would lose budgets or lines of the log."""

import fcntl
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from cortex_policy.manage.doctor import state_and_audit_log as doctor_state
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult
from cortex_policy.manage.doctor.state_and_audit_log import examine_state_and_audit_log
from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.settings import read_uncached_settings
from tests.support.users import CALLER, by_caller


def results() -> dict[str, CheckResult]:
    """Return what is found of the state of the caller, by the id of the check."""
    root = find_named_or_only_root()
    return {
        one.id: one for one in examine_state_and_audit_log(read_uncached_settings(root.path), find_global_denials(root))
    }


@pytest.mark.usefixtures("root")
def test_the_lock_is_tried_and_leaves_nothing(state: Path) -> None:
    """Where the state is, or where the first check would make it."""
    assert results()["lock"].status == OK
    assert list(state.iterdir()) == []
    state.rmdir()
    assert f"`{state.parent}`" in results()["lock"].message
    assert not state.exists()


@pytest.mark.usefixtures("root")
def test_a_file_system_that_ignores_locks_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes would count at once."""
    ignored = SimpleNamespace(flock=lambda *_: None, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)
    monkeypatch.setattr(doctor_state, "fcntl", ignored)
    assert (results()["lock"].status, "do not work" in results()["lock"].message) == (PROBLEM, True)


@pytest.mark.usefixtures("root")
def test_a_file_that_cannot_be_written_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doctor_state, "fcntl", SimpleNamespace(flock=refuse, LOCK_EX=2, LOCK_NB=4))
    assert "no space left on device" in results()["lock"].message


@pytest.mark.parametrize(
    ("answer", "status"),
    [("echo b true", WARNING), ("echo b false", OK), ("exit 1", WARNING)],
    ids=["on", "off", "unknown"],
)
@pytest.mark.usefixtures("root")
def test_state_that_a_logout_removes_is_a_warning(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: str
) -> None:
    """Systemd is asked; it keeps what belongs to a user who lingers, and nothing elsewhere is touched."""
    program = tmp_path / "bin/busctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert results()["remove-ipc"].status == OK
    monkeypatch.setattr(doctor_state, "SHARED_MEMORY", f"{state.parent}/")
    monkeypatch.setattr(doctor_state, "FIRST_USER", 0)
    monkeypatch.setattr(doctor_state, "SYSTEMD", str(tmp_path))
    one = results()["remove-ipc"]
    assert (one.status, one.tried.startswith("busctl get-property ")) == (status, True)
    assert one.command.startswith("loginctl enable-linger ") == (status == WARNING)
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / doctor_state.find_user_name_or_empty(os.geteuid())).touch()
    monkeypatch.setattr(doctor_state, "LINGER", str(tmp_path / "linger"))
    assert results()["remove-ipc"].status == OK


def test_a_lock_of_the_log_that_cannot_be_made_is_a_warning(
    own: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command, which root runs, makes it."""
    log = own / "logs" / "audit.jsonl"
    log.parent.mkdir(mode=0o755)
    log.touch(mode=0o600)
    os.chown(log, CALLER, CALLER)
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", "/dev/shm/cortex-policy-test")  # noqa: S108 - never made
    monkeypatch.chdir(own)
    with by_caller():
        one = results()["audit-lock"]
    assert (one.status, one.command.startswith("sudo install -m 600 ")) == (WARNING, True)
    assert os.system(one.command.removeprefix("sudo ")) == 0  # noqa: S605 - as it is typed
    with by_caller():
        assert results()["audit-lock"].status == OK
    assert state.is_dir()


@pytest.mark.usefixtures("root")
def test_a_log_on_a_network_file_system_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its chain may break."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    (tmp_path / "log").touch(mode=0o600)
    assert results()["audit-file-system"].status == OK
    monkeypatch.setattr(doctor_state, "is_on_known_local_file_system", lambda path: path != str(tmp_path))
    assert results()["audit-file-system"].status == WARNING
