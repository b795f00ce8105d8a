"""Writers that are killed, a hand beside them and a reader: a short run of what `writes.py` does at length."""

import os
from pathlib import Path

import pytest
from kills import COMMANDS, kill_commands
from scribes import SET, Evidence, Numbers, file_of, read_always
from writes import crash, end, made, spawn

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.manage.editing.set_fields import GrantEdit, apply_edit
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state.stamp import compute_content_digest


@pytest.mark.forks
@pytest.mark.parametrize("kills", [40, pytest.param(150, marks=pytest.mark.storm)])
def test_killed_writers_leave_whole_states_and_hide_no_hand(kills: int) -> None:
    """No false alarm, no temporary file, no version that goes back, and each edit by hand reported."""
    counts, faults = crash(kills, int.from_bytes(os.urandom(4)))
    assert faults == []
    assert counts["healed by workers"] + counts["healed by the next command"] > 0
    assert counts["caught"] > 0


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_commands_leave_whole_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whole processes, of what stamps a hand edit, goes back, sets and unsets: the old bytes or the new ones."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    counts, faults = kill_commands(made(tmp_path / "root"), command.split(), 4, 1)
    assert faults == []
    assert counts["commands killed"] == 4


@pytest.mark.parametrize("writes", [100, pytest.param(1000, marks=pytest.mark.storm)])
def test_a_reader_sees_no_version_go_back(tmp_path: Path, writes: int) -> None:
    """Nor a checksum that belongs to no state, while many writes happen."""
    root, numbers, evidence = (
        made(tmp_path / "root"),
        Numbers("polls", "versions seen"),
        Evidence(tmp_path / "evidence"),
    )
    reader = spawn(lambda: read_always(root, numbers, evidence))
    states = {
        compute_content_digest(path.read_bytes())
        for path in (*Path(root.tools_path).iterdir(), file_of(root, HOOKS_TOML))
    }
    with open_grants_for_write(root) as writer:
        for number in range(writes):
            grant_id = SET[number % len(SET)]
            old = writer.grants.read(grant_id) or b""
            new = apply_edit(old.decode(), GrantEdit(per_minute=2000 + number), grant_id).text.encode()
            assert writer.write(grant_id, old, new) == number + 2
            states.add(compute_content_digest(new))
    end(reader)
    lines = evidence.lines()
    assert [line for line in lines if line[0] == "fault"] == []
    assert {line[1] for line in lines if line[0] == "seen"} <= states
    assert numbers.get("versions seen") > writes / 10
