"""The lock beside an audit log: who may only read the log stops nobody, and writers exclude each other all the same."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import Settings
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.state import audit_file, audit_log
from cortex_policy.state.audit_errors import AuditLogError
from cortex_policy.state.audit_log import AuditLog
from tests.support.logs import verified
from tests.support.users import CALLER, by_caller

LINE = b'{"data":{"n":1}}\n'
EACH = 200


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Name a log in a directory of its own."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "log"


def lock_of(log: Path) -> Path:
    """Return the name of its lock."""
    return Path(f"{log}.lock")


def opened(log: Path) -> AuditLog:
    """Open it for lines."""
    return AuditLog(Settings(audit_file=str(log)))


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold a file, as anybody can who may read it."""
    with file.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        yield


def test_a_lock_is_made_with_the_log_for_its_owner_alone(log: Path) -> None:
    """Whatever the umask."""
    before = os.umask(0)
    try:
        opened(log).append(LINE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(lock_of(log).stat().st_mode) == 0o600
    assert lock_of(log).stat().st_uid == log.stat().st_uid
    assert lock_of(log).read_bytes() == b""


def test_a_user_who_may_only_read_the_log_blocks_no_call(
    log: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that opens the log for each call, nor one that keeps it open."""
    assert root.is_dir()
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
    with PolicyStore(root) as store:
        store.preload()
        store.enforce("git", "tree")
        with held(log):
            assert enforce(load_grant("git"), "tree")
            assert store.enforce("git", "tree")
            assert store.enforce("git", "tree")
            with pytest.raises(AccessDenied):
                enforce(load_grant("git"), "push")
    assert verified(log).chained == 5


def test_a_held_lock_is_waited_for_at_most_a_second(log: Path) -> None:
    """After a second, since no honest writer holds it as long; the hint names the lock."""
    one = opened(log)
    one.append(LINE)
    before = log.read_bytes()
    with held(lock_of(log)), pytest.raises(AuditLogError, match="another process holds its lock") as caught:
        one.append(LINE)
    assert f"fuser {log}.lock" in caught.value.hint
    assert log.read_bytes() == before
    one.append(LINE)
    assert verified(log).chained == 2


def listen(path: Path) -> None:
    """Leave a FIFO."""
    os.mkfifo(path)


def link(path: Path) -> None:
    """Leave a link to a file that would do."""
    (path.parent / "other").touch(0o600)
    path.symlink_to("other")


def readable(path: Path) -> None:
    """Leave a file that everyone can read, and so hold."""
    path.touch()
    path.chmod(0o644)


@pytest.mark.usefixtures("short_lock_wait")
@pytest.mark.parametrize("make", [listen, link, readable, Path.mkdir])
def test_a_lock_file_that_others_could_hold_is_not_used(log: Path, make: Callable[[Path], object]) -> None:
    """It is left alone, and the log itself is locked."""
    make(lock_of(log))
    one = opened(log)
    one.append(LINE)
    with held(log), pytest.raises(AuditLogError, match="another process holds its lock") as caught:
        one.append(LINE)
    assert f"fuser {log}`" in caught.value.hint
    assert verified(log).chained == 1


def test_a_lock_file_of_another_user_is_not_used(log: Path) -> None:
    """But one of root is believed, as a log of root is."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    lock_of(log).touch(0o600)
    os.chown(lock_of(log), 4711, 4711)
    opened(log).append(LINE)
    with lock_of(log).open("rb") as lock:
        assert not audit_file.is_lock_for_log_writers_only(lock.fileno(), log.stat())
        os.chown(lock_of(log), 0, 0)
        os.chown(log, CALLER, CALLER)
        assert audit_file.is_lock_for_log_writers_only(lock.fileno(), log.stat())


@pytest.mark.usefixtures("short_lock_wait")
def test_without_a_right_to_the_directory_the_log_itself_is_locked(own: Path) -> None:
    """As before there were locks; who can make one and who cannot exclude each other all the same."""
    log = own / "log"
    log.touch(0o600)
    os.chown(log, CALLER, CALLER)
    os.chown(own, 0, 0)
    with by_caller():
        one = opened(log)
        one.append(LINE)
        assert not lock_of(log).exists()
        with held(log), pytest.raises(AuditLogError, match="another process holds its lock") as caught:
            one.append(LINE)
        assert f"fuser {log}`" in caught.value.hint
        one.append(LINE)
    os.chown(own, CALLER, CALLER)
    with by_caller():
        two = opened(log)
        for _ in range(3):
            two.append(LINE)
            one.append(LINE)
    assert lock_of(log).exists()
    assert verified(log).chained == 8


def test_a_group_that_may_write_the_log_may_hold_its_lock(log: Path) -> None:
    """Or root would shut it out."""
    if os.getegid() not in (0, os.geteuid()):
        pytest.skip("the group of this user is one of others, too")
    log.touch()
    log.chmod(0o660)
    opened(log).append(LINE)
    assert stat.S_IMODE(lock_of(log).stat().st_mode) == 0o660
    assert lock_of(log).stat().st_gid == log.stat().st_gid


def test_a_lock_file_that_cannot_be_made_blocks_no_call(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room for one more name, for example; nothing half made is left."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    log.touch(0o600)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fchmod", full)
        one = opened(log)
    one.append(LINE)
    assert os.listdir(log.parent) == ["log"]


def test_a_log_on_another_device_than_its_name_has_no_lock(log: Path) -> None:
    """It was mounted alone, and each container would see a lock of its own."""
    log.touch(0o600)
    other = os.stat("/dev")
    status = os.stat_result((*log.stat()[:2], other.st_dev, *log.stat()[3:]))
    assert audit_file.open_log_lock_or_minus_one(str(log), status) == -1
    assert os.listdir(log.parent) == ["log"]


@pytest.mark.parametrize("away", [lambda path: path.unlink(), lambda path: path.rename(f"{path}.1")])
def test_writers_with_an_old_and_a_new_lock_file_write_one_chain(log: Path, away: Callable[[Path], object]) -> None:
    """One has the old lock open and another finds a new one: their lines are still one chain."""
    old = opened(log)
    old.append(LINE)
    away(lock_of(log))
    new = opened(log)

    def write(one: AuditLog) -> None:
        for _ in range(EACH):
            one.append(LINE)

    threads = [threading.Thread(target=write, args=(one,)) for one in (old, new)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verified(log).chained == 2 * EACH + 1


@pytest.mark.usefixtures("short_lock_wait")
def test_a_writer_with_a_replaced_lock_file_looks_for_the_new_one(log: Path) -> None:
    """Nobody else tells them apart then."""
    old = opened(log)
    old.append(LINE)
    lock_of(log).unlink()
    new = opened(log)
    with held(log):
        new.append(LINE)
        with held(lock_of(log)), pytest.raises(AuditLogError, match="another process holds its lock"):
            old.append(LINE)
        old.append(LINE)
    assert verified(log).chained == 3


def test_a_reader_costs_a_store_one_wait(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other for a minute."""
    waits = []
    monkeypatch.setattr(audit_log, "retry_locking_log_briefly", lambda *words: bool(waits.append(words)))
    one = opened(log)
    with held(log):
        for _ in range(5):
            one.append(LINE)
    assert len(waits) == 1
    assert verified(log).chained == 5


def test_a_writer_without_the_lock_is_waited_for(log: Path) -> None:
    """Which is what a moment is for."""
    one = opened(log)
    one.append(LINE)
    began, free = threading.Event(), threading.Event()

    def hold() -> None:
        with held(log):
            began.set()
            free.wait(0.02)

    thread = threading.Thread(target=hold)
    thread.start()
    began.wait()
    one.append(LINE)
    thread.join()
    assert one._hurries_until == 0  # noqa: SLF001 - nobody was passed
    assert verified(log).chained == 2


@pytest.mark.usefixtures("root")
def test_no_call_may_write_to_the_lock_of_its_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it one of the files that a log was rotated to."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
    for path in (lock_of(log), Path(str(lock_of(log)).upper())):
        with pytest.raises(AccessDenied, match="remembers calls"):
            enforce(load_grant("model-gateway"), "chat", {"path": str(path)})
    assert verified(log).files == (str(log),)
