"""A file is replaced whole or not at all."""

import os
from pathlib import Path

import pytest

from cortex_policy.state.files import replace


def test_owner_and_mode_are_kept(tmp_path: Path) -> None:
    """A new file gets the mode it is given."""
    file = tmp_path / "x"
    replace(str(file), b"one", 0o600)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one", 0o600)
    file.chmod(0o640)
    replace(str(file), b"two")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o640)


def test_a_write_that_fails_leaves_the_old_bytes_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk."""
    file = tmp_path / "x"
    file.write_bytes(b"old")

    def full(*_: object) -> int:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="no space"):
        replace(str(file), b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["x"]
