"""Rotation: by size, with nothing lost whenever a writer dies, and the chain goes on."""

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import Settings
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.manage.audit import verify as audit_verify
from cortex_policy.manage.audit.log_files import list_log_files, open_logs
from cortex_policy.manage.audit.verify import VerifyResult
from cortex_policy.state.audit_errors import AuditLogError
from cortex_policy.state.audit_log import AuditLog
from tests.support.users import by_caller

LINE = b'{"data":{"n":%06d}}\n'
MOST = 1000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Name a log in a directory of its own."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "log"


def append(log: Path, number: int, keep: int = 3, most: int = MOST) -> None:
    """Append a line with a number."""
    one = AuditLog(Settings(audit_file=str(log), audit_max_bytes=most, audit_keep=keep))
    try:
        one.append(LINE % number)
    finally:
        one.close()


def numbers(*logs: Path | str) -> list[int]:
    """Return the numbers in logs."""
    return [int(line[13:19]) for log in logs for line in Path(log).read_bytes().splitlines() if line.endswith(b"}")]


def verify(log: Path) -> VerifyResult:
    """Verify a log with all that it was rotated to."""
    with open_logs(list_log_files(str(log))) as files:
        return audit_verify.verify_chain(files, None, iter)


def test_a_log_that_would_grow_over_the_size_is_rotated(log: Path) -> None:
    """No file is larger, so many are kept, the older ones are dropped, and the chain names what it follows."""
    for number in range(60):
        append(log, number)
        assert all(Path(name).stat().st_size <= MOST for name in list_log_files(str(log)))
    names = list_log_files(str(log))
    assert [name.removeprefix(str(log)) for name in names] == [".3", ".2", ".1", ""]
    found = numbers(*names)
    assert found == list(range(found[0], 60))
    assert found[0] > 0
    report = verify(log)
    assert report.breaks == ()
    assert len(report.notes) == 1
    assert {stat.S_IMODE(Path(name).stat().st_mode) for name in names} == {0o600}


def test_without_a_size_no_log_is_rotated(log: Path) -> None:
    """As before."""
    for number in range(60):
        append(log, number, most=0)
    assert sorted(os.listdir(log.parent)) == ["log", "log.lock"]


def test_a_line_longer_than_the_size_gets_its_own_file(log: Path) -> None:
    """It is not dropped, and no file is empty."""
    for number in range(4):
        append(log, number, most=1)
    assert [numbers(name) for name in list_log_files(str(log))] == [[0], [1], [2], [3]]


def test_no_rotated_log_is_kept_if_none_is_wanted(log: Path) -> None:
    """A new chain begins."""
    for number in range(10):
        append(log, number, keep=0)
    assert sorted(os.listdir(log.parent)) == ["log", "log.lock"]
    assert numbers(log)[-1] == 9
    assert verify(log).breaks == ()


def test_rotated_logs_above_the_number_are_removed(log: Path) -> None:
    """Once fewer are to be kept."""
    for number in range(12):
        append(log, number, keep=9, most=1)
    assert len(list_log_files(str(log))) == 10
    append(log, 12, keep=2, most=1)
    assert sorted(os.listdir(log.parent)) == ["log", "log.1", "log.2", "log.lock"]
    assert numbers(*list_log_files(str(log))) == [10, 11, 12]
    assert verify(log).breaks == ()


class Died(BaseException):
    """A process that ended."""


@pytest.mark.parametrize("step", range(4))
def test_a_rotation_that_was_not_finished_loses_nothing(log: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its steps was the last: the next writer goes on from there."""
    for number in range(3):
        append(log, number, most=1)
    rename, left = os.rename, step

    def dying(*names: str) -> None:
        nonlocal left
        if not left:
            raise Died
        left -= 1
        rename(*names)

    monkeypatch.setattr(os, "rename", dying)
    if step < 3:
        with pytest.raises(Died):
            append(log, 3, most=1)
        assert numbers(*list_log_files(str(log))) == [0, 1, 2]
    monkeypatch.undo()
    append(log, 3, most=1)
    assert numbers(*list_log_files(str(log))) == [0, 1, 2, 3]
    assert verify(log).breaks == ()


def test_a_gap_is_filled_before_anything_is_dropped(log: Path) -> None:
    """What lies beyond it stays where it is."""
    for number in range(4):
        append(log, number, most=1)
    Path(f"{log}.2").unlink()
    append(log, 4, most=1)
    assert [numbers(name) for name in list_log_files(str(log))] == [[0], [2], [3], [4]]


def test_a_log_that_cannot_be_rotated_is_one_that_cannot_be_written(log: Path) -> None:
    """It names both ways out; a directory in the way is one."""
    append(log, 0, most=1)
    Path(f"{log}.1").mkdir()
    (Path(f"{log}.1") / "file").write_text("")
    append(log, 1, most=1)  # it is moved on, as anything there is
    assert sorted(os.listdir(log.parent)) == ["log", "log.1", "log.2", "log.lock"]
    for keep in (1, 2):
        with pytest.raises(AuditLogError, match="cannot be rotated: is a directory") as caught:
            append(log, 2, keep=keep, most=1)
        assert "`audit.max_bytes`" in caught.value.hint
    assert [numbers(f"{log}.1"), numbers(log)] == [[0], [1]]


def test_a_directory_that_nobody_may_write_to_stops_rotation(own: Path) -> None:
    """Calls are denied: a log that grows without end is not what was asked for."""
    log = own / "log"
    with by_caller():
        append(log, 0)
    own.chmod(0o555)
    os.chown(own, 0, 0)
    own.chmod(0o755)
    with by_caller():
        append(log, 1)
        with pytest.raises(AuditLogError, match="cannot be rotated: permission denied"):
            append(log, 2, most=1)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), lambda path: path.write_text("no digest\n"), Path.mkdir, lambda path: path.touch(0o666)],
)  # fmt: skip
def test_a_chain_begins_if_the_file_before_is_not_regular(log: Path, make: Callable[[Path], object]) -> None:
    """It is neither waited for nor followed."""
    make(Path(f"{log}.1"))
    append(log, 0)
    assert b', "follows":null' in log.read_bytes()


def test_the_file_before_is_read_after_its_last_writer(log: Path) -> None:
    """A writer may still be at work in a file that another program renamed; who never ends is a reader."""
    append(log, 0)
    log.rename(f"{log}.1")
    with Path(f"{log}.1").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        append(log, 1)
    assert verify(log).breaks == ()
    assert verify(log).chained == 2


def test_a_log_that_another_program_moved_while_it_was_rotated_is_rotated(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves it first has done what was to do, and no call is denied for it."""
    append(log, 0, most=1)
    rename = os.rename

    def late(source: str, target: str) -> None:
        if Path(source) == log:
            rename(source, f"{log}.1")
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    append(log, 1, most=1)
    assert numbers(*list_log_files(str(log))) == [0, 1]
    assert verify(log).breaks == ()


def test_a_first_line_that_was_torn_does_not_part_the_files(log: Path) -> None:
    """The next one still says what it follows."""
    for number in range(2):
        append(log, number, most=1)
    log.write_bytes(b'{"specvers')
    append(log, 2)
    found = verify(log)
    assert (found.breaks, found.torn, found.chained) == ((), 1, 2)


def test_no_call_may_write_to_a_rotated_log(root: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever name it was rotated, whether it is there or not."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
    (root / "alias").symlink_to(f"{log}.1")
    (root / "logs").symlink_to(log.parent)
    grant = load_grant("model-gateway")
    for path in (
        f"{log}.1",
        f"{log}.7.gz",
        f"{log}-20261125",
        "alias",
        "logs/log.2",
        str(log).upper() + ".1",
        f"{log}.1/x",
    ):
        with pytest.raises(AccessDenied, match=r"remembers calls|governs grants"):
            enforce(grant, "chat", {"path": path})
    assert enforce(grant, "chat", {"path": f"{log.parent}/logs"})
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(root / "logs" / "log"))
    with pytest.raises(AccessDenied, match="remembers calls"):
        enforce(grant, "chat", {"path": f"{log}.1"})


def test_no_call_may_write_to_a_log_rotated_before_its_extension(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`audit-20261129.jsonl` is the log as well, as logrotate's `extension` names it."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", f"{root}/audit.jsonl")
    grant = load_grant("model-gateway")
    for name in ("audit-20261129.jsonl", "audit.1.jsonl", "AUDIT-20261129.jsonl.gz"):
        with pytest.raises(AccessDenied, match="remembers calls"):
            enforce(grant, "chat", {"path": f"{root}/{name}"})
    assert enforce(grant, "chat", {"path": f"{root}/audit-of-taxes.jsonl"})


@pytest.mark.usefixtures("root")
def test_rotation_follows_the_settings(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By variables here."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_MAX_BYTES", "1")
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_KEEP", "2")
    for _ in range(5):
        enforce(load_grant("git"), "tree")
    assert sorted(os.listdir(log.parent)) == ["log", "log.1", "log.2", "log.lock"]
