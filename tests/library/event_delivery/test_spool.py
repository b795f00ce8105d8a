"""The directory in which events wait."""

import multiprocessing
import os
import resource
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.event_delivery.cursor import make_position
from cortex_policy.library.event_delivery.line_delivery_queue import LineQueue
from cortex_policy.library.event_delivery.receiver import EventReceiver
from cortex_policy.library.event_delivery.sender_thread import SenderThread
from cortex_policy.library.event_delivery.spool import FILES, MIN_BYTES, EventSpool, SpoolError
from cortex_policy.library.event_delivery.spool_reader import SpoolReader
from tests.support.event_receiver import format_event_line
from tests.support.processes import wait_until


def spool_of(tmp_path: Path, max_bytes: int = MIN_BYTES) -> EventSpool:
    """Return a spool."""
    return EventSpool(str(tmp_path / "spool"), max_bytes)


def append(spool: EventSpool, *ids: object) -> None:
    """Append events with these ids."""
    for one in ids:
        spool.append(format_event_line(str(one)) + b"\n")


def drain(tmp_path: Path, commit: int | None = None) -> list[str]:
    """Return the ids that wait, and commit all of them, or the first."""
    reader = SpoolReader(str(tmp_path / "spool"))
    assert reader.try_lock()
    try:
        return drain_queue(reader.open_queue(), commit)
    finally:
        reader.close()


def drain_queue(queue: LineQueue, commit: int | None = None) -> list[str]:
    """Return the ids that wait in a queue."""
    found = list[str]()
    while lines := queue.peek(7, 1 << 20):
        found += [line.split(b'"id":"')[1].split(b'"')[0].decode() for line in lines]
        if commit is not None:
            queue.commit(commit)
            break
        queue.commit(len(lines))
    return found


def files(tmp_path: Path) -> list[str]:
    """Return the names of its files of events."""
    return sorted(file.name for file in (tmp_path / "spool").glob("events-*"))


def test_events_are_read_in_their_order_and_once(tmp_path: Path) -> None:
    """By another process, and after a pause."""
    spool = spool_of(tmp_path)
    append(spool, 1, 2, 3)
    assert drain(tmp_path, commit=2) == ["1", "2", "3"]
    append(spool, 4)
    assert drain(tmp_path) == ["3", "4"]
    assert drain(tmp_path) == []
    append(spool, 5)
    assert drain(tmp_path) == ["5"]
    assert {(tmp_path / "spool" / name).stat().st_mode & 0o777 for name in files(tmp_path)} == {0o600}
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_delivered_files_go_and_the_others_are_read_on(tmp_path: Path) -> None:
    """A reader that is there all the time sees new files; the newest file stays."""
    spool = spool_of(tmp_path)
    reader = SpoolReader(str(tmp_path / "spool"))
    queue, got = reader.open_queue(), list[str]()
    for start in range(0, 400, 20):
        append(spool, *range(start, start + 20))
        got += drain_queue(queue)
    assert got == [str(number) for number in range(400)]
    assert len(files(tmp_path)) == 1
    assert int(files(tmp_path)[0].split("-")[1].split(".")[0]) > FILES
    reader.close()
    assert drain(tmp_path) == []


def test_a_full_spool_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """It never takes more than it may, and takes events again once some are delivered."""
    spool = spool_of(tmp_path)
    with pytest.raises(SpoolError, match="is full of events"):
        append(spool, *range(10_000))
    size = sum((tmp_path / "spool" / name).stat().st_size for name in files(tmp_path))
    assert MIN_BYTES * 0.9 < size <= MIN_BYTES
    with pytest.raises(SpoolError):
        append(spool_of(tmp_path), "other process")
    waiting = drain(tmp_path)
    assert waiting == [str(one) for one in range(len(waiting))]
    assert len(waiting) > 100
    append(spool, "next")
    assert drain(tmp_path) == ["next"]


def test_a_line_that_a_killed_writer_left_harms_no_other(tmp_path: Path) -> None:
    """It is ended by the next writer, and passed over."""
    spool = spool_of(tmp_path)
    append(spool, 1)
    file = tmp_path / "spool" / files(tmp_path)[0]
    for rest in (format_event_line("torn")[:-9], b"\0" * 40):
        with file.open("ab") as torn:
            torn.write(rest)
        append(spool, f"after {len(rest)}")
    reader = SpoolReader(str(tmp_path / "spool"))
    queue = reader.open_queue()
    assert drain_queue(queue) == ["1", f"after {len(format_event_line('torn')) - 9}", "after 40"]
    assert queue.skipped == 2
    reader.close()


def test_a_line_that_does_not_fit_on_the_disk_is_taken_back(tmp_path: Path) -> None:
    """Nothing of it stays, and the next one is written when there is room again."""
    spool = spool_of(tmp_path)
    append(spool, 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(format_event_line("1")) + 50, limits[1]))
    try:
        for _ in range(2):
            with pytest.raises(SpoolError, match="event spool"):
                append(spool, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    append(spool, 3)
    assert (tmp_path / "spool" / files(tmp_path)[0]).read_bytes().splitlines() == [
        format_event_line("1"),
        format_event_line("3"),
    ]
    assert drain(tmp_path) == ["1", "3"]


def test_a_cut_or_replaced_file_is_sent_from_its_start(tmp_path: Path) -> None:
    """As after a loss of power: the position belongs to bytes that are gone."""
    spool = spool_of(tmp_path)
    append(spool, 1, 2, 3)
    assert drain(tmp_path) == ["1", "2", "3"]
    file = tmp_path / "spool" / files(tmp_path)[0]
    os.truncate(file, len(format_event_line("1")) + 1)
    append(spool, 4)
    assert drain(tmp_path) == ["1", "4"]
    os.truncate(file, 0)
    append(spool, *range(10, 20))
    assert drain(tmp_path) == [str(number) for number in range(10, 20)]


def test_a_lost_cursor_means_that_events_are_sent_again(tmp_path: Path) -> None:
    """At least once; an event is never left out."""
    spool = spool_of(tmp_path)
    append(spool, 1, 2)
    assert drain(tmp_path) == ["1", "2"]
    (tmp_path / "spool" / "cursor").write_bytes(bytes(512))
    assert drain(tmp_path) == ["1", "2"]


def test_a_spool_that_somebody_removes_is_made_again(tmp_path: Path) -> None:
    """Its files, or all of it, while it is used; the events after that are kept and sent."""
    spool = spool_of(tmp_path)
    append(spool, *range(100))
    reader = SpoolReader(str(tmp_path / "spool"))
    queue = reader.open_queue()
    assert len(drain_queue(queue)) == 100
    for name in files(tmp_path):
        (tmp_path / "spool" / name).unlink()
    append(spool, "again")
    assert drain_queue(queue) == ["again"]
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    (tmp_path / "spool").rmdir()
    assert reader.is_removed()
    append(spool, "new")
    assert drain(tmp_path) == ["new"]
    reader.close()


def test_a_directory_that_others_could_use_is_refused(tmp_path: Path) -> None:
    """So is a link, or a file; a mode that was changed meanwhile is seen when it is opened next."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o750)
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    for name in ("open", "link", "file", "no/where"):
        with pytest.raises(SpoolError):
            EventSpool(str(tmp_path / name), MIN_BYTES)
    for number in (MIN_BYTES - 1, 1.5, True):
        with pytest.raises(UsageError):
            EventSpool(str(tmp_path / "spool"), number)  # type: ignore[arg-type]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """Whoever put it there."""
    spool = spool_of(tmp_path)
    (tmp_path / "target").touch()
    (tmp_path / "spool" / "events-000000000001.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(SpoolError):
        append(spool, 1)
    assert (tmp_path / "target").read_bytes() == b""


def test_files_of_other_names_are_no_files_of_the_spool(tmp_path: Path) -> None:
    """They are neither read nor removed."""
    spool = spool_of(tmp_path)
    strangers = ("events-1.jsonl", "events-000000000002.jsonl.bak", "events-x.jsonl", "events-.jsonl")
    for name in strangers:
        (tmp_path / "spool" / name).write_bytes(format_event_line(name) + b"\n")
    assert drain(tmp_path) == []
    append(spool, *range(100))
    assert drain(tmp_path) == [str(number) for number in range(100)]
    assert set(strangers) < set(os.listdir(tmp_path / "spool"))


def test_on_a_full_disk_nothing_is_sent_before_the_cursor_is_there(tmp_path: Path) -> None:
    """Else the same events were sent again and again."""
    append(spool_of(tmp_path), 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(NotDoneError, match="cursor"):
            SpoolReader(str(tmp_path / "spool"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert drain(tmp_path) == ["1"]


def test_the_cursor_may_name_a_file_that_is_gone(tmp_path: Path) -> None:
    """The next one that exists is read; numbers that begin again at 1 are read too."""
    spool = spool_of(tmp_path)
    reader = SpoolReader(str(tmp_path / "spool"))
    reader.cursor.write(make_position(5, 10, b"x" * 10))
    reader.close()
    append(spool, 1)
    assert drain(tmp_path) == ["1"]


def test_threads_and_processes_append_whole_lines_in_their_order(tmp_path: Path) -> None:
    """Each event once, whoever reads meanwhile."""

    def work(name: str) -> None:
        own = spool_of(tmp_path, 1 << 22)
        for number in range(150):
            append(own, f"{name}-{number}")

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work, args=(f"p{number}",)) for number in range(2)]
    for process in processes:
        process.start()
    shared = spool_of(tmp_path, 1 << 22)
    threads = [
        threading.Thread(target=append, args=(shared, *(f"t{name}-{number}" for number in range(150))))
        for name in range(3)
    ]
    for thread in threads:
        thread.start()
    for one in (*threads, *processes):
        one.join()
    got = drain(tmp_path)
    assert len(got) == len(set(got)) == 5 * 150
    for name in ("p0", "p1", "t0", "t1", "t2"):
        assert [one for one in got if one.startswith(f"{name}-")] == [f"{name}-{number}" for number in range(150)]


@pytest.mark.parametrize("kind", ["pipe", "other name"])
def test_what_somebody_put_there_gets_no_event(tmp_path: Path, kind: str) -> None:
    """While the directory was open to others; it is neither written nor waited for."""
    spool = spool_of(tmp_path)
    name, other = tmp_path / "spool" / "events-000000000001.jsonl", tmp_path / "other"
    other.touch()
    os.mkfifo(name, 0o600) if kind == "pipe" else name.hardlink_to(other)
    with pytest.raises(SpoolError, match="your file, without other links"):
        append(spool, 1)
    assert other.read_bytes() == b""


@pytest.mark.parametrize("moment", ["opened", "closed"])
def test_a_fork_at_any_moment_leaves_the_lock_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A child that lives on never keeps others from sending."""
    thread = SenderThread(str(tmp_path / "spool"), EventReceiver("https://bus/"), "structured")
    children = list[int]()

    def fork() -> None:
        if not children:
            children.append(0)
            forker = threading.Thread(target=lambda: children.append(_fork_and_reset(thread)))
            forker.start()
            forker.join(0.2)  # it may have to wait

    def open_and_fork(path: str, *more: Any, **options: Any) -> int:
        descriptor = real_open(path, *more, **options)
        if path == "cursor" and moment == "opened":
            fork()
        return descriptor

    def fork_and_close(descriptor: int) -> None:
        if moment == "closed" and os.path.samestat(os.fstat(descriptor), os.stat(tmp_path / "spool" / "cursor")):
            fork()
        real_close(descriptor)

    real_open, real_close = os.open, os.close
    spool_of(tmp_path)
    with monkeypatch.context() as patches:
        patches.setattr(os, "open", open_and_fork)
        patches.setattr(os, "close", fork_and_close)
        thread.wake_or_start()
        wait_until((tmp_path / "spool" / "cursor").exists, "no cursor")
        time.sleep(0.1)
        thread.stop(0.1)
        thread.join(10)
    try:
        wait_until(lambda: len(children) == 2, "no fork")
        reader = SpoolReader(str(tmp_path / "spool"))
        assert reader.try_lock()
        reader.close()
    finally:
        os.kill(children[-1], signal.SIGKILL)
        os.waitpid(children[-1], 0)


def _fork_and_reset(thread: SenderThread) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons want no fork beside a thread
        child = os.fork()
    if child == 0:
        thread.make_usable_after_fork()
        time.sleep(30)
        os._exit(0)
    return child
