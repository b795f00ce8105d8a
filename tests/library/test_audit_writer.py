"""A store with an audit log: each decision is in the file before it is returned, and the log stays open."""

import gc
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import StateError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.state import _locks_held, audit_log
from cortex_policy.state.audit_errors import AuditLogError
from cortex_policy.state.memory_budgets import MemoryBudgets
from tests.support.logs import verified

STILL = 0.03  # seconds after which a file that was written may be kept
PATH = {"path": "docs/guide.md"}
UNALIKE = ("id", "time")


@pytest.fixture
def log(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an audit log, and wait until the grants are stable."""
    assert root.is_dir()
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    time.sleep(STILL)
    return tmp_path / "log"


@pytest.fixture
def store(log: Path, root: Path) -> Iterator[PolicyStore]:
    """Create a store that has its grants in memory."""
    assert not log.exists()
    with PolicyStore(root) as store:
        store.preload()
        assert store.decide("git", "tree")
        yield store


def events(log: Path) -> list[dict[str, Any]]:
    """Read the lines of a log."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]


def alike(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without the members that differ in each call."""
    data = {name: value for name, value in event["data"].items() if name not in ("chain", "follows")}
    return {**{name: value for name, value in event.items() if name not in UNALIKE}, "data": data}


def test_a_line_has_the_arguments_that_were_decided_even_if_they_change(
    log: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may change them after every rule has passed."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    given: dict[str, Any] = {}

    class Meanwhile(MemoryBudgets):
        def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
            given.update(path="/etc/passwd", odd=object())
            return super().hit(tool, action, limit, cost)

    with PolicyStore(root, budgets=Meanwhile()) as store:
        store.preload()
        assert store.decide("git", "tree")
        given |= PATH
        assert store.enforce("git", "tree", given)
    assert events(log)[-1]["data"]["args"] == PATH


@pytest.mark.parametrize("detail", ["names", "fingerprints", "full"])
def test_a_line_is_the_same_as_that_of_a_call_without_a_store(
    log: Path, root: Path, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed or over its rate, at each level of detail, with what the environment says."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", detail)
    (root / ".cortex/policy/stamp.json").write_text('{"format": 1, "version": 42}')
    with PolicyStore(root) as store:
        store.preload()
        for run in ("", "nightly-7"):
            monkeypatch.setenv("CORTEX_RUN_ID", run)
            monkeypatch.setenv("TRACEPARENT", f"00-{'0a' * 16}-{'0b' * 8}-01")
            assert store.enforce("git", "tree", PATH)
            assert enforce(load_grant("git"), "tree", PATH)
            ours, other = events(log)[-2:]
            assert alike(ours) == alike(other)
        while True:
            try:
                store.enforce("git", "tree", PATH)
            except AccessDenied:
                break
        with pytest.raises(AccessDenied):
            enforce(load_grant("git"), "tree", PATH)
        ours, other = events(log)[-2:]
        assert alike(ours) == alike(other)
        assert ours["data"]["reason"] == "rate_limited"
        assert ours["data"]["version"] == 42
    assert verified(log).chained == 32


def test_each_decision_is_in_the_file_when_it_is_returned(log: Path, store: PolicyStore) -> None:
    """An allowed call, a denial by the rate from memory, any other denial; each with its own id."""
    decisions = []
    for number in range(40):
        try:
            store.enforce("git", "tree" if number % 10 else "push", PATH)
            decisions.append(True)
        except AccessDenied:
            decisions.append(False)
        assert [event["data"]["decision"] for event in events(log)] == decisions
    assert decisions.count(True) == 30
    assert len({event["id"] for event in events(log)}) == 40


def test_the_version_is_that_of_the_current_stamp(log: Path, store: PolicyStore, root: Path) -> None:
    """In whatever way it was written."""
    stamp = root / ".cortex/policy/stamp.json"
    for version in (1, 2, 3):
        stamp.write_text(f'{{"version": {version}}}')
        store.enforce("git", "tree")
        assert events(log)[-1]["data"]["version"] == version
    stamp.unlink()
    store.enforce("git", "tree")
    assert events(log)[-1]["data"]["version"] is None


def test_a_log_that_is_renamed_removed_or_cut_goes_on(log: Path, store: PolicyStore) -> None:
    """A new file is created, and names the file that it follows if that exists. A log that was cut starts a chain."""
    store.enforce("git", "tree")
    log.rename(f"{log}.1")
    store.enforce("git", "tree")
    assert verified(log).chained == 2
    log.write_bytes(b"")  # as `copytruncate` does
    store.enforce("git", "tree")
    store.enforce("git", "tree")
    assert verified(log).chained == 3
    log.unlink()
    store.enforce("git", "tree")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert verified(log).chained == 2


def test_a_log_that_was_cut_and_grew_to_its_old_size_is_noticed(log: Path, store: PolicyStore) -> None:
    """Another program may have cut it and written as many bytes."""
    store.enforce("git", "tree")
    store.enforce("git", "tree")
    first, second = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + b"x" * (len(second) - 1) + b"\n")
    store.enforce("git", "tree")
    torn, last = log.read_bytes().splitlines()[-2:]
    assert torn == b"x" * (len(second) - 1)
    assert b'"follows"' not in last
    assert verified(log).others == 1


def test_other_processes_write_between_its_lines(log: Path, store: PolicyStore) -> None:
    """The chain goes on from theirs."""
    for _ in range(5):
        store.enforce("git", "tree")
        enforce(load_grant("git"), "tree")
    assert verified(log).chained == 10


@pytest.mark.parametrize("harm", ["open", "link", "directory", "twice"])
def test_a_log_that_can_no_longer_be_trusted_denies(log: Path, store: PolicyStore, harm: str) -> None:
    """At the next line, which consumes at most one hit. Once the log is fixed, calls go on."""
    store.enforce("git", "tree")
    if harm == "open":
        log.chmod(0o666)
    elif harm == "twice":
        os.link(log, f"{log}.other")
    else:
        log.rename(f"{log}.away")
        (log.mkdir if harm == "directory" else lambda: log.symlink_to("away"))()
    for _ in range(5):
        with pytest.raises(AuditLogError):
            store.enforce("git", "tree")
    if harm == "open":
        log.chmod(0o600)
    elif harm == "twice":
        Path(f"{log}.other").unlink()
    else:
        (log.rmdir if harm == "directory" else log.unlink)()
    decision = enforce(load_grant("git"), "tree")
    assert decision.budget is not None
    assert decision.budget.used <= 3
    store.enforce("git", "tree")


def test_no_line_is_written_once_the_log_has_a_second_name(
    log: Path, store: PolicyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if that name is gone before the next look: another user may have opened the file by it."""
    store.enforce("git", "tree")
    shown = []

    def look(name: bytes) -> os.stat_result:
        is_linked = len(shown) < 3
        if is_linked:
            os.link(log, f"{log}.other")
        status = os.lstat(name)
        if is_linked:
            Path(f"{log}.other").unlink()
        shown.append((status.st_nlink, len(events(log))))
        return status

    monkeypatch.setattr(audit_log, "_lstat", look)
    store.enforce("git", "tree")
    assert shown == [(2, 1), (2, 1), (2, 1), (1, 1)]
    assert verified(log).chained == 2


def test_errors_of_the_log_are_ignored_if_the_settings_say_so(
    log: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decisions are the same."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    with PolicyStore(root) as store:
        store.preload()
        store.enforce("git", "tree")
        log.chmod(0o666)
        for _ in range(2):
            assert store.enforce("git", "tree")
        assert len(events(log)) == 1
        log.chmod(0o600)
        assert store.enforce("git", "tree")
    assert len(events(log)) == 2


def test_a_log_that_is_set_later_is_written(log: Path, store: PolicyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one gets no more lines, and is closed."""
    store.enforce("git", "tree")
    monkeypatch.setenv("CORTEX_AUDIT_LOG", f"{log}-2")
    time.sleep(STILL)
    for _ in range(3):
        store.enforce("git", "tree")
    assert (len(events(log)), len(events(Path(f"{log}-2")))) == (1, 3)
    assert str(log) not in opened_here()


def test_unusable_rate_state_is_logged_too(log: Path, store: PolicyStore, state: Path) -> None:
    """As an error of the call."""
    state.chmod(0o777)
    with pytest.raises(StateError):
        store.enforce("git", "tree")
    assert events(log)[-1]["data"]["reason"] == "state_unavailable"


def test_a_child_of_a_fork_writes_with_a_descriptor_and_ids_of_its_own(log: Path, store: PolicyStore) -> None:
    """At the same time as its parent, while another thread writes a line."""
    store.enforce("model-gateway", "chat")
    children = []
    busy = threading.Thread(target=lambda: [store.enforce("model-gateway", "chat") for _ in range(20)])
    busy.start()
    for _ in range(3):
        child = os.fork()
        if not child:
            try:
                for _ in range(10):
                    store.enforce("model-gateway", "chat")
                os._exit(0)
            except BaseException:  # noqa: BLE001 - it must not come back into the tests
                os._exit(1)
        children.append(child)
    busy.join()
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    lines = events(log)
    assert len(lines) == len({event["id"] for event in lines}) == 51
    assert verified(log).chained == 51


def test_a_child_that_outlives_its_parent_holds_no_lock_of_it(log: Path, store: PolicyStore) -> None:
    """A parent that is killed in the middle of a line leaves no lock."""
    store.enforce("git", "tree")
    store.enforce("git", "tree")
    read, write = os.pipe()
    parent = os.fork()
    if not parent:

        def fork_within(_: bytes) -> Never:
            if os.fork():
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(write, b"x")
            time.sleep(20)
            os._exit(0)

        store.enforce("git", "tree")
        store._audit_writer._log._sha256 = fork_within  # type: ignore[union-attr] # noqa: SLF001
        store.enforce("git", "tree")
        os._exit(1)
    assert os.waitpid(parent, 0)[1] == signal.SIGKILL
    assert os.read(read, 1) == b"x"
    store.enforce("git", "tree")
    assert verified(log).chained == 4
    os.close(read)
    os.close(write)


def test_threads_share_one_log(log: Path, root: Path) -> None:
    """No line is lost or torn."""
    with PolicyStore(root, budgets=MemoryBudgets()) as store:
        store.preload()
        for _ in range(2):
            store.enforce("model-gateway", "chat")
        before = len(os.listdir("/dev/fd"))

        def work() -> None:
            for _ in range(7):
                store.enforce("model-gateway", "chat")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(os.listdir("/dev/fd")) <= before
    assert verified(log).chained == 58


def test_a_call_in_a_signal_handler_in_the_middle_of_a_line_is_denied_and_does_not_hang(
    log: Path, store: PolicyStore
) -> None:
    """The handler uses the same store: the interrupted line cannot end before the handler does."""
    store.enforce("git", "tree")
    store.enforce("git", "tree")  # a log that is there guards itself, so that the grant was read again
    caught: list[BaseException] = []
    writer = store._audit_writer._log  # type: ignore[union-attr] # noqa: SLF001
    sha256, is_within = writer._sha256, [False]  # type: ignore[union-attr] # noqa: SLF001

    def interrupted(data: bytes) -> str:
        if not is_within[0]:
            is_within[0] = True
            try:
                store.enforce("git", "tree")
            except AuditLogError as error:
                caught.append(error)
        return sha256(data)

    writer._sha256 = interrupted  # type: ignore[union-attr] # noqa: SLF001
    store.enforce("git", "tree")
    assert "another process holds its lock" in str(caught[0])
    store.enforce("git", "tree")
    assert verified(log).chained == 4


def opened_here() -> list[str]:
    """Return the files that this process has open."""
    return [os.path.realpath(f"/dev/fd/{number}") for number in os.listdir("/dev/fd")]


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_closed_or_dropped_store_leaves_nothing_open(log: Path, root: Path, is_closed: bool) -> None:
    """Neither after the store is closed, nor if it is only dropped."""
    store = PolicyStore(root)
    store.preload()
    store.enforce("git", "tree")
    assert {str(log), f"{log}.lock"} <= set(opened_here())
    if is_closed:
        store.close()
    else:
        del store
        gc.collect()
    assert not {str(log), f"{log}.lock"} & set(opened_here())
    assert not _locks_held
