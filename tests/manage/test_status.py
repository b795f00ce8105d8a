"""The state of a root says whether checks can be allowed, and makes nothing."""

import json
import os
from pathlib import Path

import pytest

from cortex_policy.manage.status import read_status
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import result_of, run_command
from tests.support.stamps import stamp_grants

SENSITIVE = {"tool": "records", "actions": ["read"], "rate": {"perMinute": 5}, "dataClass": "sensitive"}


@pytest.fixture
def tools(root: Path) -> Path:
    """Stand in a root; return the directory of its grants."""
    return root / ".cortex/policy/tools"


@pytest.mark.usefixtures("tools")
def test_a_root_in_order_can_allow_checks(state: Path) -> None:
    """It is said what decides."""
    found = read_status(find_named_or_only_root())
    assert (found.is_denied, found.audit_file, found.stamp.version, found.requests) == (False, None, None, ())
    assert [row.id for row in found.grants] == ["git", "model-gateway"]
    assert [(one.setting.name, one.effective.place) for one in found.settings] == [("state_dir", "environment")]
    assert found.owner is not None
    assert (found.owner.uid, found.owner.state_dir) == (os.geteuid(), str(state))


def test_status_writes_nothing(tools: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of state that root makes would be in the way of the user whose it is."""
    state.rmdir()
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    before = sorted(tmp_path.rglob("*"))
    assert not read_status(find_named_or_only_root()).is_denied
    assert sorted(tmp_path.rglob("*")) == before
    assert tools.is_dir()


def test_a_root_without_a_grant_that_can_be_used_allows_nothing(tools: Path) -> None:
    """None at all, only broken ones, or only ones that differ from a stamp that is required."""
    run_command("stamp", "write", "--allow-widening")
    (tools / "model-gateway.json").unlink()
    grant = (tools / "git.json").read_text()
    (tools / "git.json").write_text(grant.replace("30", "31"))
    assert not read_status(find_named_or_only_root()).is_denied
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORTEX_POLICY_STAMP", "require")
        found = read_status(find_named_or_only_root())
        assert found.is_denied
        assert [one.id for one in found.stamp.mismatches] == ["git", "model-gateway"]
        assert result_of("check", "git", "tree").returncode == 23
    (tools / "git.json").write_text("{")
    unusable = read_status(find_named_or_only_root()).unusable
    assert unusable is not None
    assert "`cortex-policy list`" in unusable.hint
    (tools / "git.json").unlink()
    unusable = read_status(find_named_or_only_root()).unusable
    assert unusable is not None
    assert "`cortex-policy new ID`" in unusable.hint


def test_only_waiting_calls_of_this_root_are_listed(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answered ones and those of other roots are not."""
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    (tools / "records.json").write_text(json.dumps(SENSITIVE))
    other = tmp_path / "other/.cortex/policy/tools"
    other.mkdir(parents=True)
    (other / "records.json").write_text(json.dumps(SENSITIVE))
    for words in (("--arg", "n=1"), ("--arg", "n=2"), ("--root", str(tmp_path / "other"))):
        run_command("check", "records", "read", *words, code=13)
    first, second = read_status(find_named_or_only_root()).requests
    run_command("deny", first.id)
    assert read_status(find_named_or_only_root()).requests[0].id == second.id
    assert len(read_status(find_named_or_only_root()).requests) == 1


def test_a_log_that_cannot_be_written_is_said_if_it_denies_nothing(
    monkeypatch: pytest.MonkeyPatch, tools: Path
) -> None:
    """Lines are lost."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", "/nonexist/log")
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    found = read_status(find_named_or_only_root())
    assert (found.is_denied, str(found.audit_error)) == (
        False,
        "audit log `/nonexist/log`: its directory does not exist",
    )
    assert tools.is_dir()


def test_grants_that_all_differ_from_a_required_stamp_have_the_hint_of_a_hand_edit(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the hint to look further."""
    stamp_grants(find_named_or_only_root())
    for file in (root / ".cortex/policy/tools").iterdir():
        file.write_text(file.read_text() + "\n")
    monkeypatch.setenv("CORTEX_POLICY_STAMP", "require")
    status = read_status(find_named_or_only_root())
    assert status.unusable is not None
    assert status.unusable.detail == "a stamp is required, and no grant matches it"
    assert "diff --against stamp" in status.unusable.hint
