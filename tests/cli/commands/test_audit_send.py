"""`audit send`: from the calls that were logged to a receiver, and what its exit code says."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import PROGRAM
from tests.support.command import run_command as run
from tests.support.event_receiver import Receiver, free_port

pytestmark = pytest.mark.usefixtures("root", "log")


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    """Share one process."""
    with Receiver() as running:
        yield running


def call(*more: str) -> None:
    """Make a call that is allowed."""
    run("check", "git", "tree", "-q", *more)


def test_what_was_logged_since_the_last_run_is_sent(server: Receiver, log: Path) -> None:
    """With the chain, so that the receiver can verify it."""
    call()
    call("--path", "docs")
    assert run("audit", "send", server.url("since")).stdout == "2 events sent\n"
    assert run("audit", "send", server.url("since")).stdout == "0 events sent\n"
    assert run("audit", "send", server.url("since"), "-q").stdout == ""
    call()
    done = run("audit", "send", server.url("since"), str(log), "--json")
    assert json.loads(done.stdout) == {"delivered": 1, "refused": 0, "skipped": 0, "gaps": 0, "problem": None}
    assert done.stderr == ""
    assert [one["body"] for one in server.requests("since")] == log.read_text().splitlines()


@pytest.mark.parametrize("mode", ["binary", "batch"])
def test_a_mode_can_be_named(server: Receiver, log: Path, mode: str) -> None:
    """And a token in a file, and a cursor of one's own."""
    call()
    call()
    token = log.parent / "token"
    token.write_text("abc")
    token.chmod(0o600)
    cursor = log.parent / "cursor"
    run("audit", "send", server.url(mode), "--mode", mode, "--token", str(token), "--cursor", str(cursor))
    requests = server.requests(mode)
    assert len(requests) == (2 if mode == "binary" else 1)
    assert requests[0]["headers"]["Authorization"] == "Bearer abc"
    assert requests[0]["headers"].get("ce-source") == ("cortex.policy/git-map" if mode == "binary" else None)
    assert cursor.exists()
    assert [name for name in os.listdir(log.parent) if ".sent-" in name] == []


@pytest.mark.parametrize("did", ["500", "401", "close", "302"])
def test_events_that_wait_are_no_success(server: Receiver, log: Path, did: str) -> None:
    """The code is 3, and the next run sends them."""
    call()
    url = server.url(f"wait-{did}", did, "204")
    done = run("audit", "send", url, code=3)
    assert done.stdout == "0 events sent\n"
    assert f"/wait-{did}` wait: " in done.stderr
    assert "Traceback" not in done.stderr
    assert run("audit", "send", url).stdout == "1 event sent\n"
    assert len(log.read_text().splitlines()) == 1


def test_nobody_listens() -> None:
    """JSON says why."""
    call()
    done = run("audit", "send", f"http://127.0.0.1:{free_port()}/", "--json", code=3)
    assert json.loads(done.stdout)["problem"] == "connection refused"


def test_a_refused_event_is_a_finding(server: Receiver, log: Path) -> None:
    """It is kept beside the cursor; the next one is sent."""
    call()
    call()
    done = run("audit", "send", server.url("refuses", "422"), code=1)
    assert done.stdout == "1 event sent, 1 refused\n"
    (kept,) = [name for name in os.listdir(log.parent) if name.endswith(".refused")]
    assert json.loads((log.parent / kept).read_text())["status"] == 422
    assert f"{kept}`" in done.stderr
    run("audit", "send", server.url("refuses", "422"))


def test_a_lost_file_is_a_finding(server: Receiver, log: Path) -> None:
    """What is there is sent."""
    call()
    run("audit", "send", server.url("lost"))
    log.unlink()
    call()
    call()
    done = run("audit", "send", server.url("lost"), "--json", code=1)
    assert json.loads(done.stdout)["gaps"] == 1
    assert json.loads(done.stdout)["delivered"] == 2
    assert "may be missing" in done.stderr


def test_lines_of_others_are_not_sent(server: Receiver, log: Path) -> None:
    """They are counted."""
    call()
    with log.open("a") as file:
        file.write('torn {"specversion":\n\n{"specversion":"1.0","id":"1","source":"x","type":"org.example"}\n')
    call()
    assert run("audit", "send", server.url("others")).stdout == "2 events sent, 2 lines skipped\n"


def test_one_process_sends_at_a_time(server: Receiver, log: Path) -> None:
    """Another one with the same cursor is told, and sends nothing."""
    call()
    words = [*PROGRAM, "audit", "send", server.url("follow"), "--follow", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["delivered"] == 1
        done = run("audit", "send", server.url("follow"), code=3)
        assert "another process is sending" in done.stderr
        log.rename(f"{log}.1")
        call()
        call()
        server.wait_for("follow", 3)
        follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 130
        assert follower.stderr is not None
        assert follower.stderr.read() in ("", "\n")
    assert run("audit", "send", server.url("follow")).stdout == "0 events sent\n"
    assert len(server.events("follow")) == 3


def test_a_follower_that_is_killed_loses_nothing(server: Receiver) -> None:
    """The next one goes on where it was; it waits for a receiver that is late."""
    port = free_port()
    words = [*PROGRAM, "audit", "send", f"http://127.0.0.1:{port}/killed", "--follow"]
    call()
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as follower:
        assert follower.stderr is not None
        assert "connection refused" in follower.stderr.readline()
        call()
        with Receiver(port) as late:
            late.wait_for("killed", 2)
            follower.kill()
            follower.wait()
            call()
            run("audit", "send", f"http://127.0.0.1:{port}/killed")
            assert len(late.ids("killed")) == 3
    assert server.port != port


def test_a_wrong_url_or_token_is_an_error_of_usage(log: Path) -> None:
    """Before anything is read."""
    assert "use `https`" in run("audit", "send", "http://bus.example.org/", code=2).stderr
    assert "cannot be read" in run("audit", "send", "https://bus/", "--token", f"{log}.no", code=2).stderr
    assert "no such file" in run("audit", "send", "https://bus/", f"{log}.no", code=3).stderr
    assert not [name for name in os.listdir(log.parent) if ".sent-" in name]
