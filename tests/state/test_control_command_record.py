"""Records of commands: what was written is read back, and only so many are kept."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError
from cortex_policy.state import control_command_record
from cortex_policy.state.control_command_record import (
    CommandRecord,
    CommandRecorder,
    decode_command_record,
    encode_command_record,
    make_begun_command_record,
)
from cortex_policy.state.control_command_record_reader import iterate_command_records_newest_first
from cortex_policy.state.history_entry import Author

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.builds(
        CommandRecord,
        st.just("2026-11-30T19:00:00Z"), st.builds(Author, TEXT, st.integers(0, 1 << 32), st.none() | TEXT),
        st.sampled_from(["stop", "config set"]), TEXT, TEXT, st.sampled_from([None, "widened"]), st.none() | TEXT,
        st.just("project"), st.booleans(), st.integers(0, 10**20 - 1),
    )
)  # fmt: skip
def test_a_record_is_read_as_it_was_written(record: CommandRecord) -> None:
    """Whatever texts it has."""
    name = f"{record.begun_ns:020}-1{'' if record.is_finished else '-begun'}.json"
    assert decode_command_record(encode_command_record(record), record.place, name) == record


@given(st.binary(max_size=80) | st.sampled_from([b'{"format": 1}', b"[]", b'{"format": 1, "command": 3}']))
def test_any_other_bytes_are_malformed(data: bytes) -> None:
    """They raise one kind of error."""
    with pytest.raises(MalformedError):
        decode_command_record(data, "project", f"{7:020}-1.json")


def test_only_the_newest_records_are_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none that is older than a limit, except for the last one."""
    monkeypatch.setattr(control_command_record, "MAX_RECORDS", 3)
    for number in range(5):
        CommandRecorder(make_begun_command_record("stop", str(number)), str(root)).record_at_once()
    found = [
        one.subject
        for one in iterate_command_records_newest_first("project", str(root))
        if isinstance(one, CommandRecord)
    ]
    assert found == ["4", "3", "2"]
    directory = root / ".cortex/policy/history/commands"
    for name in (".new-1-left", ".new-2-at-work"):
        (directory / name).touch()
    os.utime(directory / ".new-1-left", (0, 0))
    monkeypatch.setattr(control_command_record, "MAX_DAYS", 0)
    CommandRecorder(make_begun_command_record("stop", "5"), str(root)).record_at_once()
    assert sorted(os.listdir(directory))[:-1] == [".new-2-at-work"]
    assert len(os.listdir(directory)) == 2


def test_a_command_that_raises_is_not_recorded(root: Path) -> None:
    """While it runs it is, as one that has begun."""
    begun: list[object] = []

    def fail() -> None:
        with CommandRecorder(make_begun_command_record("resume"), str(root)):
            begun.extend(iterate_command_records_newest_first("project", str(root)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [isinstance(one, CommandRecord) and one.is_finished for one in begun] == [False]
    assert list(iterate_command_records_newest_first("project", str(root))) == []
