"""The block that says how far events are delivered."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.event_delivery.cursor import Cursor, Position, make_position

PLACE: Position = make_position(7, 1 << 40, b"x" * 2000, "ab" * 32)


def test_a_position_is_read_as_it_was_written(tmp_path: Path) -> None:
    """By another process, too; nothing is there at first."""
    file = tmp_path / "cursor"
    cursor = Cursor(str(file))
    assert cursor.read() is None
    for position in (make_position(0, 0, b""), PLACE, make_position(1, 2, b"ab")):
        cursor.write(position)
        assert Cursor(str(file)).read() == position
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == 512


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.binary(max_size=600), start=st.integers(0, 511))
def test_a_damaged_block_counts_as_none(tmp_path: Path, damage: bytes, start: int) -> None:
    """Then everything is sent again, instead of an event left out."""
    file = tmp_path / "cursor"
    file.unlink(missing_ok=True)  # that of the example before
    cursor = Cursor(str(file))
    cursor.write(PLACE)
    data = file.read_bytes()
    damaged = data[:start] + damage + data[start + len(damage) :]
    file.write_bytes(damaged)
    read = cursor.read()
    assert read in (None, PLACE)
    if damaged[:200] != data[:200]:
        assert read is None
    cursor.close()


def test_one_at_a_time_holds_it(tmp_path: Path) -> None:
    """Until it is closed."""
    first, second = Cursor(str(tmp_path / "cursor")), Cursor(str(tmp_path / "cursor"))
    assert first.try_lock()
    assert not second.try_lock()
    first.close()
    assert second.try_lock()
    assert second.is_still_same_file()
    (tmp_path / "cursor").unlink()
    assert not second.is_still_same_file()


def test_what_others_could_write_is_no_cursor(tmp_path: Path) -> None:
    """Nor is a link, a pipe or a directory."""
    (tmp_path / "open").touch(mode=0o600)
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)
    for name in ("open", "link", "pipe", "directory", "no/where"):
        with pytest.raises(NotDoneError, match="the cursor"):
            Cursor(str(tmp_path / name))
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("content", [b"secret-token\n", b'{"specversion":"1.0"}\n' * 100])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Such as a token or a log that was named by mistake."""
    file = tmp_path / "file"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(NotDoneError, match="is not a cursor"):
        Cursor(str(file))
    assert file.read_bytes() == content
    file.write_bytes(b" " * 100)  # what a full disk left of one
    Cursor(str(file)).close()
    assert file.stat().st_size == 512
