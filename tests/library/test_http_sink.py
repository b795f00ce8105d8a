"""The sink that sends events over HTTP, from the calls that cause them to the receiver."""

import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from cortex_policy import AccessDenied, HttpSink, PolicyStore, StateError, enforce, load_grant
from cortex_policy.core.model import UsageError
from cortex_policy.library.event_delivery import outcomes, receiver, sender_thread
from cortex_policy.library.event_delivery.spool import MIN_BYTES, SpoolError
from tests.support.event_receiver import Receiver, format_event_line, free_port
from tests.support.processes import wait_until

TOP = Path(__file__).parents[2]
STABLE_SECONDS = 0.03  # after which a store keeps a grant


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    """Share one process."""
    with Receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for long."""
    monkeypatch.setattr(outcomes, "FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(outcomes, "WRONG_ADDRESS_SECONDS", 0.02)
    monkeypatch.setattr(sender_thread, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(sender_thread, "GATHER_SECONDS", 0.02)
    monkeypatch.setattr(sender_thread, "DISK_SECONDS", 0.02)
    monkeypatch.setattr(receiver, "DEADLINE_SECONDS", 0.5)


def event(event_id: object) -> dict[str, object]:
    """Return an event as a sink gets it."""
    return dict(json.loads(format_event_line(str(event_id))))


@pytest.mark.parametrize("mode", ["structured", "binary", "batch"])
@pytest.mark.usefixtures("root")
def test_each_enforced_call_arrives(server: Receiver, tmp_path: Path, root: Path, mode: str) -> None:
    """Allowed or denied, with the tag of the brand; close gives it time."""
    with HttpSink(server.url(f"calls-{mode}"), spool=tmp_path / "spool", mode=mode) as sink:
        with PolicyStore(root, sinks=[sink]) as store:
            store.enforce("git", "tree", {"path": "docs/x"})
            with pytest.raises(AccessDenied):
                store.enforce("git", "push")
        enforce(load_grant("git"), "tree", sinks=[sink])
    requests = server.requests(f"calls-{mode}")
    bodies = [one["body"] for one in requests]
    assert "".join(bodies).count('"brand":"brAInwav"') == 3
    assert "".join(bodies).count('"decision":false') == 1
    if mode == "binary":
        assert [one["headers"]["ce-type"] for one in requests] == [
            "com.cortex.git-map.tree", "com.cortex.git-map.push", "com.cortex.git-map.tree",
        ]  # fmt: skip
        assert all(one["headers"]["Content-Type"] == "application/json" for one in requests)


def test_a_fast_call_is_recorded_as_any_other(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the members of the log, with a log or without one, allowed and over the rate."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    sink = HttpSink(f"http://127.0.0.1:{free_port()}/", spool=tmp_path / "spool")
    with PolicyStore(root, sinks=[sink]) as store:
        store.preload()
        time.sleep(STABLE_SECONDS)
        for _ in range(5):
            store.enforce("git", "tree", {"path": "docs/x"})
        monkeypatch.delenv("CORTEX_AUDIT_LOG")
    logged = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    with PolicyStore(root, sinks=[sink]) as store:
        store.preload()
        time.sleep(STABLE_SECONDS)
        for _ in range(40):
            with suppress(AccessDenied):
                store.enforce("git", "tree", {"path": "docs/x"})
    sink.close()
    sent = [json.loads(line) for line in (tmp_path / "spool" / "events-000000000001.jsonl").read_bytes().splitlines()]
    for event_of_log in logged:
        for name in ("chain", "follows"):
            event_of_log["data"].pop(name, None)
    assert sent[:5] == logged
    assert {one["data"]["reason"] for one in sent[5:]} == {"allowed", "rate_limited"}
    assert len({one["id"] for one in sent}) == len(sent)


@pytest.mark.usefixtures("root")
def test_a_sink_that_changes_record_is_asked_for_each_call(tmp_path: Path, root: Path) -> None:
    """It may leave events out."""
    got = list[object]()

    class OnlyDenials(HttpSink):
        """It sends what was denied."""

        def record(self, event: Mapping[str, object], /) -> None:
            """Count it."""
            got.append(event["id"])

    sinks = OnlyDenials("https://bus/", spool=tmp_path / "spool"), HttpSink("https://bus/", spool=tmp_path / "other")
    sinks[1].record = lambda one, /: got.append(one["id"])  # type: ignore[method-assign]
    with PolicyStore(root, sinks=sinks) as store:
        store.preload()
        time.sleep(STABLE_SECONDS)
        for _ in range(3):
            store.enforce("git", "tree")
    assert len(got) == 6
    assert not list((tmp_path / "spool").glob("events-*"))


def test_the_network_never_fails_a_call(server: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the receiver does; each event arrives in the end, in order."""
    did = ("500", "close", "junk", "401", "429:0", "half", "302", "hang", "late", "503")
    sink = HttpSink(server.url("worst", *did), spool=tmp_path / "spool")
    for number in range(20):
        sink.record(event(number))
    assert server.wait_for("worst", 20) == [str(number) for number in range(20)]
    sink.close()
    assert "brAInwav: events for `http://127.0.0.1:" in caplog.text
    assert "?do=" not in caplog.text


def test_a_receiver_that_comes_later_gets_all_that_waits(tmp_path: Path) -> None:
    """Also what a process left that has ended; the file of the spool is the memory."""
    port = free_port()
    first = HttpSink(f"http://127.0.0.1:{port}/later", spool=tmp_path / "spool")
    for number in range(5):
        first.record(event(number))
    first.close()
    second = HttpSink(f"http://127.0.0.1:{port}/later", spool=tmp_path / "spool", mode="batch")
    second.record(event(5))
    with Receiver(port) as running:
        assert running.wait_for("later", 6) == [str(number) for number in range(6)]
    second.close()


@pytest.mark.usefixtures("root")
def test_a_full_spool_denies_unless_that_is_ignored(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the disk's failure and not the network's; a line of the log tells how many events are lost."""
    sink = HttpSink(f"http://127.0.0.1:{free_port()}/", spool=tmp_path / "spool", max_bytes=MIN_BYTES)
    with pytest.raises(SpoolError, match="is full of events"):
        deque(map(sink.record, map(event, range(1000))))
    with (
        PolicyStore(root, sinks=[sink]) as store,
        pytest.raises(StateError, match="audit sink `HttpSink`: SpoolError: event spool"),
    ):
        store.enforce("git", "tree")
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    with PolicyStore(root, sinks=[sink]) as store:
        assert store.enforce("git", "tree")
    assert caplog.text.count("an event cannot be sent") == 1
    (tmp_path / "spool" / "events-000000000001.jsonl").unlink()
    sink.record(event("there is room"))
    assert "brAInwav: 3 events could not be written to the spool" in caplog.text
    sink.close()


def test_an_event_that_is_too_long_goes_without_its_arguments(server: Receiver, tmp_path: Path) -> None:
    """As in the log; one that is too long even so is an error."""
    with HttpSink(server.url("long"), spool=tmp_path / "spool", max_bytes=MIN_BYTES) as sink:
        data = {"grant": "git", "args": {"x": "y" * MIN_BYTES}, "paths": ["z" * MIN_BYTES], "brand": "brAInwav"}
        sink.record(event(1) | {"data": data})
        sink.record_line(json.dumps(event(3) | {"data": data}).encode() + b"\n")
        with pytest.raises(UsageError, match="bytes"):
            sink.record(event(2) | {"data": dict.fromkeys(map(str, range(MIN_BYTES)))})
        sink.record(event(4) | {"data": data | {"action": "x" * MIN_BYTES}})
    for number in range(2):
        assert server.events("long")[number]["data"] == {"grant": "git", "args": None, "brand": "brAInwav"}
    assert server.events("long")[2]["data"]["action"] == "x" * 200 + "..."


def test_what_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Before a call is made."""
    with pytest.raises(UsageError, match="unknown mode"):
        HttpSink("https://bus/", spool=tmp_path / "spool", mode="Batch")
    with pytest.raises(UsageError, match="would send events unencrypted"):
        HttpSink("http://bus/", spool=tmp_path / "spool")
    with pytest.raises(SpoolError):
        HttpSink("https://bus/", spool=tmp_path / "no" / "where")
    with pytest.raises(UsageError):
        HttpSink("https://bus/", spool=tmp_path / "spool", token_file=tmp_path / "missing")


def test_one_process_sends_and_the_next_one_goes_on(server: Receiver, tmp_path: Path) -> None:
    """Two sinks of one spool: the second only appends, until the first is closed."""
    first = HttpSink(server.url("two"), spool=tmp_path / "spool")
    second = HttpSink(server.url("two"), spool=tmp_path / "spool")
    for number in range(0, 20, 2):
        first.record(event(number))
        second.record(event(number + 1))
    assert server.wait_for("two", 20) == [str(number) for number in range(20)]
    first.close()
    second.record(event(20))
    assert server.wait_for("two", 21)[-1] == "20"
    assert len(server.events("two")) == 21
    second.close()


def test_an_event_wakes_the_thread(server: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not have to look for the events of its own process."""
    monkeypatch.setattr(sender_thread, "POLL_SECONDS", 60.0)
    with HttpSink(server.url("wakes"), spool=tmp_path / "spool") as sink:
        for number in range(3):
            sink.record(event(number))
            server.wait_for("wakes", number + 1)


def test_a_closed_sink_that_is_used_again_sends_again(server: Receiver, tmp_path: Path) -> None:
    """Closing ends the thread, no more."""
    sink = HttpSink(server.url("reopened"), spool=tmp_path / "spool")
    for number in range(3):
        sink.record(event(number))
        sink.close()
        assert server.ids("reopened") == [str(one) for one in range(number + 1)]
    assert not [one for one in threading.enumerate() if one.name == "cortex-policy events"]


def test_a_sink_that_nobody_has_any_more_ends_its_thread(server: Receiver, tmp_path: Path) -> None:
    """After it has sent what waits."""
    sink = HttpSink(server.url("gone", "late"), spool=tmp_path / "spool")
    sink.record(event(1))
    del sink
    gc.collect()
    assert server.wait_for("gone", 1) == ["1"]
    wait_until(lambda: not [one for one in threading.enumerate() if one.name == "cortex-policy events"])


def test_a_spool_that_is_removed_is_made_again(server: Receiver, tmp_path: Path) -> None:
    """The thread notices that its lock is not the one of others any more."""
    sink = HttpSink(server.url("removed"), spool=tmp_path / "spool")
    sink.record(event(1))
    server.wait_for("removed", 1)
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    (tmp_path / "spool").rmdir()
    sink.record(event(2))
    assert server.wait_for("removed", 2) == ["1", "2"]
    sink.close()


def test_a_signal_handler_may_enforce_a_call(server: Receiver, tmp_path: Path) -> None:
    """It never waits for what it interrupts: its event is written, or it is an error."""
    sink = HttpSink(server.url("signals"), spool=tmp_path / "spool")
    outcomes_of_handler, numbers = list[str](), count()

    def record_too(*_: object) -> None:
        try:
            sink.record(event(f"h{next(numbers)}"))
            outcomes_of_handler.append("written")
        except SpoolError:
            outcomes_of_handler.append("refused")

    before = signal.signal(signal.SIGALRM, record_too)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        for number in range(600):
            sink.record(event(number))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    sink.close(10)
    got = server.wait_for("signals", 600)
    assert [one for one in got if one.isdigit()] == [str(number) for number in range(600)]
    assert len([one for one in got if not one.isdigit()]) == outcomes_of_handler.count("written")


def run_program(tmp_path: Path, url: str, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a sink, and with short waits."""
    words = program_words(tmp_path, url, program)
    return subprocess.run(words, cwd=TOP, check=True, capture_output=True, text=True, timeout=30)


def started_program(tmp_path: Path, url: str, program: str) -> subprocess.Popen[bytes]:
    """Start it, and do not wait for its end."""
    return subprocess.Popen(program_words(tmp_path, url, program), cwd=TOP, stdin=subprocess.PIPE)


def program_words(tmp_path: Path, url: str, program: str) -> list[str]:
    """Return the words that run it."""
    head = f"""
        import os, sys, threading, time
        from cortex_policy.library.event_delivery import outcomes, receiver, sender_thread
        outcomes.FIRST_DELAY_SECONDS = sender_thread.POLL_SECONDS = 0.02
        from tests.library.test_http_sink import event
        from cortex_policy import HttpSink
        sink = HttpSink({url!r}, spool={str(tmp_path / "spool")!r})
    """
    return [sys.executable, "-W", "error", "-c", dedent(head) + dedent(program)]


def test_a_process_that_ends_sends_what_it_has(server: Receiver, tmp_path: Path) -> None:
    """The interpreter waits a moment; nothing is printed."""
    done = run_program(tmp_path, server.url("exit", "late"), "for number in range(50): sink.record(event(number))")
    assert server.ids("exit") == [str(number) for number in range(50)]
    assert done.stderr == ""


def test_a_process_ends_soon_though_the_receiver_hangs(server: Receiver, tmp_path: Path) -> None:
    """What waits stays in the spool, for the next process."""
    began = time.monotonic()
    run_program(
        tmp_path,
        server.url("stuck", "hang"),
        "import cortex_policy.library.http_sink as module; module.CLOSE_SECONDS = 0.2; sink.record(event(1))",
    )
    assert server.ids("stuck") == []
    assert time.monotonic() - began < 20
    run_program(tmp_path, server.url("stuck", "hang"), "sink.record(event(2))")
    assert server.ids("stuck") == ["1", "2"]


def test_children_of_a_fork_send_too(server: Receiver, tmp_path: Path) -> None:
    """A sink that was made before the fork, used in both; a child holds no lock of its parent."""
    program = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons want no fork beside a thread
        sink.record(event("parent"))
        time.sleep(0.1)
        children = []
        for number in range(3):
            child = os.fork()
            if child == 0:
                for count in range(20): sink.record(event(f"{number}-{count}"))
                sink.close()
                os._exit(0)
            children.append(child)
        sink.close()
        sink.record(event("parent again"))
        for child in children: os.waitpid(child, 0)
    """
    run_program(tmp_path, server.url("forked"), program)
    got = server.wait_for("forked", 62)
    for number in range(3):
        assert [one for one in got if one.startswith(f"{number}-")] == [f"{number}-{count}" for count in range(20)]


def test_a_child_that_lives_on_does_not_keep_the_lock(server: Receiver, tmp_path: Path) -> None:
    """If its parent is killed while it sends, another process sends."""
    program = f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        sink.record(event(1))
        time.sleep(0.2)
        if os.fork() == 0:
            os.close(1); os.close(2)
            open({str(tmp_path / "child")!r}, "w").write(str(os.getpid()))
            time.sleep(30)
            os._exit(0)
        time.sleep(0.1)
        os._exit(0)
    """
    run_program(tmp_path, server.url("orphan"), program)
    sink = HttpSink(server.url("orphan"), spool=tmp_path / "spool")
    sink.record(event(2))
    try:
        assert server.wait_for("orphan", 2) == ["1", "2"]
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    sink.close()


def test_a_child_of_a_fork_does_not_wait_for_an_answer_of_its_parent(tmp_path: Path) -> None:
    """The answer has begun, and a thread that the child does not have reads it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = """
            import warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            sink.record(event(1))
            sys.stdin.readline()
            time.sleep(0.2)
            child = os.fork()
            if child == 0:
                sink.record(event(2))
                os._exit(0)
            for _ in range(100):
                if os.waitpid(child, os.WNOHANG)[0]: os._exit(0)
                time.sleep(0.05)
            os.kill(child, 9)
            os._exit(1)
        """
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with started_program(tmp_path, url, program) as parent:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                parent.communicate(b"\n", timeout=20)
        assert parent.returncode == 0


def test_a_handler_of_the_log_that_fails_ends_no_delivery(
    server: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that wants to end the thread; the next event is sent."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    failures = list[type[BaseException]]((RuntimeError, SystemExit))

    def fail(_: logging.LogRecord) -> bool:
        raise failures.pop(0) if failures else ValueError

    log = logging.getLogger("cortex_policy.http_sink")
    log.addFilter(fail)
    try:
        sink = HttpSink(server.url("handler", "500", "junk", "500"), spool=tmp_path / "spool")
        sink.record(event(1))
        wait_until(lambda: not failures)
        time.sleep(0.1)
        sink.record(event(2))
        assert server.wait_for("handler", 2) == ["1", "2"]
        sink.close()
    finally:
        log.removeFilter(fail)


def test_the_log_says_it_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not for each try."""
    sink = HttpSink(f"http://127.0.0.1:{free_port()}/", spool=tmp_path / "spool")
    with caplog.at_level(logging.WARNING):
        sink.record(event(1))
        wait_until(lambda: "connection refused" in caplog.text)
        time.sleep(0.2)
    sink.close()
    assert caplog.text.count("connection refused") == 1
