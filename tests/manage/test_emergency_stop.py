"""A stop is made and ended in one step, or it is said why not."""

import os
from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage import emergency_stop
from cortex_policy.state import Root
from tests.support.users import by_caller


def test_a_user_without_write_access_learns_how_to_stop_the_host(own: Path) -> None:
    """And changes nothing, neither to stop nor to resume."""
    found, policy = Root(str(own), trusts_owner=True), own / ".cortex" / "policy"
    os.chown(policy, 0, 0)
    with by_caller(), pytest.raises(NotDoneError, match="permission denied") as caught:
        emergency_stop.stop_root(found)
    assert "sudo touch /etc/cortex-policy/stop" in caught.value.hint
    assert not (policy / "stop").exists()
    (policy / "stop").touch()
    with by_caller():
        with pytest.raises(NotDoneError, match="permission denied"):
            emergency_stop.resume_root_if_stopped(found)
        assert emergency_stop.stop_root(found).is_changed is False
    assert (policy / "stop").exists()


def test_a_stop_that_is_gone_meanwhile_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that does not stand when it is looked for is not done; no policy directory, neither."""
    found = Root(str(root), trusts_owner=True)
    with monkeypatch.context() as patch:
        patch.setattr(emergency_stop, "find_root_stop", lambda _: None)
        with pytest.raises(NotDoneError, match="was removed in the meantime, or its directory was replaced"):
            emergency_stop.stop_root(found)
    assert emergency_stop.resume_root_if_stopped(found).is_changed
    (root / ".cortex" / "policy").rename(root / "away")
    for call in (emergency_stop.stop_root, emergency_stop.resume_root_if_stopped):
        with pytest.raises(NotDoneError, match=f"`{root}/.cortex/policy`: no such file"):
            call(found)


def test_an_unreadable_stop_can_be_ended(root: Path) -> None:
    """What resumes is the name that goes, whatever it was."""
    found, file = Root(str(root), trusts_owner=True), root / ".cortex" / "policy" / "stop"
    os.mkfifo(file)
    ended = emergency_stop.resume_root_if_stopped(found)
    assert ended.stop is not None
    assert (ended.is_changed, ended.stop.reason) == (True, None)
    assert not os.path.lexists(file)
    assert emergency_stop.resume_root_if_stopped(found) == emergency_stop.ResumeResult(None, is_changed=False)


def test_a_link_is_removed_and_not_what_it_leads_to(root: Path) -> None:
    """Nor is anything written through it."""
    found, file = Root(str(root), trusts_owner=True), root / ".cortex" / "policy" / "stop"
    (root / "target").write_text("x")
    file.symlink_to(root / "target")
    assert not emergency_stop.stop_root(found, "why").is_changed
    assert emergency_stop.resume_root_if_stopped(found).is_changed
    assert (root / "target").read_text() == "x"


def test_the_stop_of_the_host_comes_before_that_of_the_root(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a root whose directories no check believes, too."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path))
    found = Root(str(root), trusts_owner=True)
    assert emergency_stop.find_active_stops(found) == ()
    (tmp_path / "stop").touch()
    emergency_stop.stop_root(found)
    assert [stop.is_of_host for stop in emergency_stop.find_active_stops(found)] == [True, False]
    (root / ".cortex").rename(root / "real")
    (root / ".cortex").symlink_to("real")
    assert [stop.is_of_host for stop in emergency_stop.find_active_stops(found)] == [True, False]
    with pytest.raises(GrantError):
        emergency_stop.resume_root_if_stopped(found)
