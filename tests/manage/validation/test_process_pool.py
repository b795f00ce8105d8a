"""Many things are worked on by several processes, and come back as from one."""

import os
import signal

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.validation.process_pool import BATCH_SIZE, MIN_PARALLEL, map_in_processes
from tests.support.failing_calls import fail_at

MANY = range(MIN_PARALLEL + BATCH_SIZE + 1)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the processes that are started from now on."""
    real, found = os.fork, list[int]()

    def fork() -> int:
        pid = real()
        found.extend([pid] if pid else [])
        return pid

    monkeypatch.setattr(os, "fork", fork)
    return found


def none_stays(started: list[int]) -> bool:
    """Whether each was waited for; other tests may have left some that are not ours."""
    for pid in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return bool(started)


def test_results_come_in_order(monkeypatch: pytest.MonkeyPatch, started: list[int]) -> None:
    """However many processes there are, and none stays."""
    for crowd in (1, 2, 3, 7):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, crowd=crowd: set(range(crowd)), raising=False)
        assert list(map_in_processes(MANY, lambda item: (item, -item))) == [(item, -item) for item in MANY]
    assert none_stays(started)


def test_a_few_items_start_no_process() -> None:
    """A fork costs more than it saves."""
    assert set(map_in_processes(range(MIN_PARALLEL - 1), lambda _: os.getpid())) == {os.getpid()}


def test_many_items_are_shared_among_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    workers = set(map_in_processes(MANY, lambda _: os.getpid()))
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_a_bug_in_a_process_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """With where it was; it must not end as a finding, or as nothing."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(map_in_processes(MANY, lambda item: 1 // (item - 400)))


@pytest.mark.parametrize("call", ["fork", "pipe"])
def test_without_processes_the_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, started: list[int], call: str
) -> None:
    """A container may have few; it was a bug, 70. Whoever was started is ended, and no descriptor stays open."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    before = len(os.listdir("/dev/fd"))
    refused = BlockingIOError(11, "Resource temporarily unavailable")
    monkeypatch.setattr(os, call, fail_at(3, getattr(os, call), refused))
    assert list(map_in_processes(MANY, lambda item: -item)) == [-item for item in MANY]
    assert none_stays(started)
    assert len(os.listdir("/dev/fd")) == before


def test_a_killed_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that nobody looked at is no part without problems."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)

    def work(item: int) -> int:
        if item == 300:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(NotDoneError, match="was killed"):
        list(map_in_processes(MANY, work))


def test_a_reader_that_stops_early_leaves_no_process(monkeypatch: pytest.MonkeyPatch, started: list[int]) -> None:
    """Results larger than a pipe, and a reader that goes after the first."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    results = map_in_processes(MANY, lambda item: str(item) * 10_000)
    assert next(results).startswith("0")
    results.close()
    assert none_stays(started)
