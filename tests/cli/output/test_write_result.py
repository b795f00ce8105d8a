"""What commands that write a grant say of its version."""

import json
from pathlib import Path

import pytest

from cortex_policy.state import Root, atomic_write
from tests.support.command import run_command as run
from tests.support.failing_calls import fail_at, full_disk, patch_writes
from tests.support.roots import grant_file
from tests.support.stamps import stamp_grants


@pytest.fixture
def edited(root: Path) -> Path:
    """Make a root with a stamp, a write behind it, and a grant that `fmt` would lay out anew."""
    grant_file(root).write_bytes(grant_file(root).read_bytes() + b"\n\n")
    stamp_grants(Root(str(root), trusts_owner=False))
    run("set", "git", "--rate", "7")
    return root


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("words", [("set", "git", "--rate", "6"), ("fmt", "git"), ("undo", "--allow-widening"),
                                   ("hook", "init", "--agent", "claude", "--yes")])  # fmt: skip
@pytest.mark.parametrize("json_option", [(), ("--json",)])
def test_a_write_whose_stamp_the_disk_refuses_has_no_version(
    words: tuple[str, ...], json_option: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """People read which write stamps it, programs null; the write was made."""
    patch_writes(
        monkeypatch, fail_at(3, atomic_write.replace_file_atomically, full_disk())
    )  # pending, the grant, the stamp
    said = run(*words, *json_option).stdout
    if not json_option:
        assert "not stamped yet, as the disk refused it; the next write stamps it" in said
        return
    members = json.loads(said)
    first = (members.get("writes") or members.get("grants") or [members])[0]
    assert (first["version"], members.get("changed", first.get("changed"))) == (None, True)
