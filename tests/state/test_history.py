"""Entries of the history: the bytes come back identical, and what no writer of ours made is told, never believed."""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.transaction import record
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root, history, history_entry, history_trust
from cortex_policy.state import stamp as stamps
from cortex_policy.state.history import CorruptEntry, HistoryLimits
from cortex_policy.state.history_entry import Author, GrantChange, HistoryEntry
from cortex_policy.state.stamp import compute_content_digest
from tests.support.stamps import stamp_grants


def past(root: Root) -> Path:
    """Return the directory of the history."""
    return Path(root.path, ".cortex", "policy", "history")


def names(root: Root) -> list[str]:
    """Return the names of the entries."""
    return sorted(path.name for path in past(root).glob("*.json"))


def write(root: Root, times: int = 1) -> None:
    """Change a grant, so often."""
    with open_grants_for_write(root, command="set") as writer:
        for _ in range(times):
            old = writer.grants.read("git") or b""
            writer.write("git", old, old + b" ")


def found(root: Root) -> list[HistoryEntry | CorruptEntry]:
    """Return what the history says."""
    return list(history.iterate_entries_newest_first(root, stamps.read_stamp(root)))


def entry(data: bytes | None = b"x", version: int = 7) -> HistoryEntry:
    """Return an entry that replaced these bytes."""
    old = None if data is None else compute_content_digest(data)
    kept = (GrantChange("git", old, compute_content_digest(b"y"), data, 0o640 if data is not None else 0o644),)
    return HistoryEntry(version, "2026-01-02T03:04:05Z", Author("ann", 7, None), "set", "widened", "adds push", kept)


@given(st.one_of(st.none(), st.binary(), st.text().map(str.encode)))
def test_bytes_come_back_identical(data: bytes | None) -> None:
    """Whatever they are; so does all the rest."""
    assert history_entry.decode_entry(history_entry.encode_entry(entry(data))) == entry(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\0", b"\xef\xbb\xbf{}", "\u2028\U0001f600\r\n".encode(), b"\x01" * (1 << 20)]
)
def test_hostile_bytes_come_back_identical(data: bytes) -> None:
    """No text at all, a byte order mark, what JSON escapes, and the largest grant at its longest."""
    assert history_entry.decode_entry(history_entry.encode_entry(entry(data))) == entry(data)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"format": True}, {"version": 0}, {"version": 1 << 53}, {"version": "7"}, {"written_at": "now"}, {"user": 7},
        {"uid": "0"}, {"sudo_user": 7}, {"command": "\x1b[2J"}, {"verdict": "fine"}, {"widened": None},
        {"grants": {}}, {"grants": [7]}, {"grants": [{"id": "../x"}]},
        {"grants": [{"id": "git", "old": None, "new": None}] * 2},
        {"grants": [{"id": "git", "old": "sha256:0", "new": None, "text": "other bytes"}]},
        {"grants": [{"id": "git", "old": None, "new": None, "text": "bytes of nothing"}]},
        {"grants": [{"id": "git", "old": "sha256:0", "new": None, "base64": "?"}]},
        {"grants": [{"id": "git", "old": 7, "new": None}]},
        {"grants": [{"id": "git", "old": None, "new": None, "mode": -1}]},
    ],
)  # fmt: skip
def test_an_entry_with_another_digest_is_corrupt(change: dict[str, object]) -> None:
    """Above all bytes that do not belong to their digest."""
    with pytest.raises(MalformedError):
        history_entry.decode_entry(json.dumps(json.loads(history_entry.encode_entry(entry())) | change).encode())


def test_each_write_is_a_private_file_that_git_ignores(stamped_root: Root) -> None:
    """Named by its order and its version; nothing is pending afterwards."""
    write(stamped_root, 2)
    assert names(stamped_root) == ["00000001-v1.json", "00000002-v2.json", "00000003-v3.json"]
    assert stat.S_IMODE(past(stamped_root).stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in past(stamped_root).iterdir()} == {0o600}
    assert (past(stamped_root) / ".gitignore").read_text() == "*\n"
    last = found(stamped_root)[0]
    assert isinstance(last, HistoryEntry)
    assert (last.version, last.command, last.verdict, last.ids) == (3, "set", "same", ("git",))


def test_the_oldest_go_first(stamped_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are kept, none older than so many days but the last; files of others are left."""
    monkeypatch.setattr(record, "read_history_limits", lambda _: HistoryLimits(3, 90))
    monkeypatch.setattr("cortex_policy.manage.transaction.writer.read_history_limits", lambda _: HistoryLimits(3, 90))
    write(stamped_root, 5)
    assert names(stamped_root) == ["00000004-v4.json", "00000005-v5.json", "00000006-v6.json"]
    (past(stamped_root) / "notes.txt").write_text("mine")
    for name in names(stamped_root):
        os.utime(past(stamped_root) / name, (0, time.time() - 91 * history.DAY))
    write(stamped_root)
    assert names(stamped_root) == ["00000007-v7.json"]
    assert (past(stamped_root) / "notes.txt").exists()
    monkeypatch.setattr("cortex_policy.manage.transaction.writer.read_history_limits", lambda _: HistoryLimits(0))
    write(stamped_root)
    assert names(stamped_root) == []


def test_no_history_is_kept_if_it_is_off(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the directory."""
    stamped_root = Root(str(root), trusts_owner=False)
    for module in ("transaction.writer", "stamp.write"):
        monkeypatch.setattr(f"cortex_policy.manage.{module}.read_history_limits", lambda _: HistoryLimits(0))
    stamp_grants(stamped_root)
    write(stamped_root)
    assert not past(stamped_root).exists()
    assert found(stamped_root) == []


def test_order_is_that_of_the_writes_not_of_versions(stamped_root: Root) -> None:
    """Where the stamp was removed, versions begin anew."""
    write(stamped_root, 2)
    Path(stamps.make_stamp_path(stamped_root.path)).unlink()
    write(stamped_root, 1)
    assert [one.version for one in found(stamped_root) if isinstance(one, HistoryEntry)] == [1, 3, 2, 1]


def test_an_entry_without_its_write_is_dropped(stamped_root: Root) -> None:
    """It was never made, and nobody is told that it was."""
    write(stamped_root)
    stamp = stamps.read_stamp(stamped_root)
    assert stamp is not None
    (past(stamped_root) / "pending.json").write_bytes(history_entry.encode_entry(entry(version=stamp.version + 1)))
    assert [one.version for one in found(stamped_root) if isinstance(one, HistoryEntry)] == [2, 1]
    with open_grants_for_write(stamped_root):
        assert not (past(stamped_root) / "pending.json").exists()
    assert names(stamped_root) == ["00000001-v1.json", "00000002-v2.json"]


def test_an_entry_of_a_finished_write_is_listed_before_it_is_renamed(stamped_root: Root) -> None:
    """And gets it from the next writer."""
    write(stamped_root)
    (past(stamped_root) / "00000002-v2.json").rename(past(stamped_root) / "pending.json")
    assert [one.version for one in found(stamped_root) if isinstance(one, HistoryEntry)] == [2, 1]
    with open_grants_for_write(stamped_root):
        assert names(stamped_root) == ["00000001-v1.json", "00000002-v2.json"]


def link(file: Path) -> None:
    """Put a link there."""
    file.symlink_to("/etc/passwd")


def hard_link(file: Path) -> None:
    """Put a second link of another file there; root's own are believed."""
    other = file.with_name("other")
    other.write_text("{}")
    os.link(other, file)


def torn(file: Path) -> None:
    """Put half an entry there."""
    file.write_bytes(history_entry.encode_entry(entry())[:40])


def other_version(file: Path) -> None:
    """Put an entry there that says another version than its name."""
    file.write_bytes(history_entry.encode_entry(entry(version=8)))


@pytest.mark.parametrize("kind", [link, hard_link, torn, other_version, Path.mkdir, os.mkfifo])
def test_a_corrupt_entry_is_reported_and_never_followed(stamped_root: Root, kind: Callable[[Path], None]) -> None:
    """It stops no write, and hides no entry beside it."""
    write(stamped_root)
    kind(past(stamped_root) / "00000009-v7.json")
    told = found(stamped_root)
    assert isinstance(told[0], CorruptEntry)
    assert told[0].file.endswith("00000009-v7.json")
    assert [one.version for one in told if isinstance(one, HistoryEntry)] == [2, 1]
    write(stamped_root)


@pytest.mark.parametrize("kind", [link, Path.mkdir, os.mkfifo])
def test_no_write_follows_a_link_in_place_of_an_entry(stamped_root: Root, kind: Callable[[Path], None]) -> None:
    """3, and nothing was changed."""
    write(stamped_root)
    kind(past(stamped_root) / "pending.json")
    before = Path(stamped_root.tools_path, "git.json").read_bytes()
    with pytest.raises(NotDoneError, match="is not a regular file"):
        write(stamped_root)
    assert Path(stamped_root.tools_path, "git.json").read_bytes() == before


def test_a_torn_pending_entry_is_cleared_away(stamped_root: Root) -> None:
    """Ours are whole, or not there."""
    write(stamped_root)
    torn(past(stamped_root) / "pending.json")
    write(stamped_root)
    assert names(stamped_root)[-1] == "00000003-v3.json"


def test_a_linked_history_is_never_written_through(stamped_root: Root, tmp_path: Path) -> None:
    """22, wherever it leads."""
    write(stamped_root)
    past(stamped_root).rename(tmp_path / "elsewhere")
    past(stamped_root).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="is a link") as caught:
        write(stamped_root)
    assert getattr(caught.value, "exit_code", 0) == 22
    assert len(list((tmp_path / "elsewhere").glob("*.json"))) == 2


def test_a_history_that_others_can_write_has_an_unsafe_error(stamped_root: Root) -> None:
    """What they put there would come back as a grant."""
    write(stamped_root)
    assert history_trust.find_unsafe_history_error(stamped_root) is None
    past(stamped_root).chmod(0o777)
    doubt = history_trust.find_unsafe_history_error(stamped_root)
    assert doubt is not None
    assert "history` is writable by everyone" in doubt.detail
    assert "chmod go-w" in doubt.hint


def test_a_history_that_is_too_large_is_read_no_further(stamped_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last writes are known; the first file that is not read is named."""
    write(stamped_root, 5)
    sizes = [(past(stamped_root) / name).stat().st_size for name in names(stamped_root)]
    monkeypatch.setattr(history, "MAX_BYTES", sizes[-1] + sizes[-2])
    *known, damage = found(stamped_root)
    assert len(known) == 2
    assert isinstance(damage, CorruptEntry)
    assert damage.file.endswith(names(stamped_root)[-3])
    assert "the history is larger than" in damage.problem
