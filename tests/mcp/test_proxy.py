"""The proxy as a process: what passes, and how it ends with its client and its server."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.checkout import CHECKOUT
from tests.support.mcp_messages import call, listed, request
from tests.support.mcp_proxy import LAUNCH, TAG, Proxy, running
from tests.support.processes import is_alive, wait_until


def server_of(proxy: Proxy) -> int:
    """Return the process of the server."""
    return int(proxy.ask(request("ping"))["result"]["pid"])


def test_calls_are_decided_and_lists_are_filtered() -> None:
    """Everything else is answered by the server; it ends with its client."""
    with running() as proxy:
        assert proxy.ask(request("tools/list", 1)) == listed(1, "yes")
        assert proxy.ask(call("yes", 2, text="hello"))["result"]["content"][0]["text"] == "hello"
        assert proxy.ask(call("no", 3))["result"]["isError"] is True
        assert proxy.ask(b"{]\n")["error"]["code"] == -32700
        server = server_of(proxy)
        assert proxy.end() == (0, TAG + b"a message was refused: line 1 column 2: expecting property name enclosed in double quotes\n")  # fmt: skip
        assert not is_alive(server)


def test_messages_of_ten_megabytes_pass_in_both_directions() -> None:
    """While smaller ones are under way."""
    with running() as proxy:
        text = "é" * 5_000_000
        assert proxy.ask(call("yes", 1, text=text))["result"]["content"][0]["text"] == text
        proxy.send(call("yes", 2, size=20_000_000), call("no", 3), call("yes", 4))
        assert sorted(proxy.receive()["id"] for _ in range(3)) == [2, 3, 4]


def test_a_message_that_is_too_large_is_an_error_and_the_next_one_is_answered() -> None:
    """The server does not see it."""
    with running() as proxy:
        assert "larger than" in proxy.ask(call("yes", 1, text="x" * (33 << 20)))["error"]["message"]
        assert proxy.ask(call("yes", 2))["id"] == 2


def test_what_the_server_logs_passes() -> None:
    """Standard error is the server's own."""
    with running() as proxy:
        server_of(proxy)
        assert b"the server has started\n" in proxy.process.communicate()[1]


def test_the_last_message_may_have_no_end_of_line() -> None:
    """It is decided, too."""
    with running() as proxy:
        proxy.send(call("no", 1), b'{"id":2,"method":"tools/call","params":{"name":"no"}}')
        out, _ = proxy.process.communicate(timeout=30)
        assert out.count(b'"isError":true') == 2


@pytest.mark.parametrize(("arguments", "code"), [({"exit": 7}, 7), ({"exit": 0}, 0), ({"kill": 11}, 139)])
def test_it_ends_with_its_server_and_says_how_that_ended(arguments: dict[str, int], code: int) -> None:
    """With the exit code that a shell would give."""
    with running() as proxy:
        proxy.send(call("yes", **arguments))
        assert proxy.stdout.read() == b""
        message = TAG + b"the server ended with exit code %d\n" % code
        assert proxy.process.wait(30) == code
        assert proxy.process.stderr is not None
        assert proxy.process.stderr.read().endswith(message)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_its_server(number: int, code: int) -> None:
    """Without a word."""
    with running() as proxy:
        server = server_of(proxy)
        proxy.process.send_signal(number)
        assert proxy.process.wait(30) == code
        assert not is_alive(server)
        assert b"cortex-policy" not in proxy.end()[1]


def test_a_signal_ends_it_while_its_client_does_not_read() -> None:
    """Although the server has more to say than fits."""
    with running() as proxy:
        proxy.send(call("yes", size=10_000_000))
        assert proxy.stdout.read(1000)
        proxy.process.terminate()
        assert proxy.process.wait(30) == 0


def test_one_socket_may_be_input_and_output() -> None:
    """As programs have it that start others by a pair of sockets; its end is seen on either side."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        subprocess.Popen([sys.executable, "-c", LAUNCH, str(CHECKOUT), "cat"], stdin=theirs, stdout=theirs) as proxy,
    ):
        theirs.close()
        ours.settimeout(30)
        ours.sendall(b'{"method":"hello"}\n')
        assert ours.recv(100) == b'{"method":"hello"}\n'
        ours.shutdown(socket.SHUT_WR)
        assert ours.recv(100) == b""
        assert proxy.wait(30) == 0


def test_a_server_that_ignores_signals_is_killed() -> None:
    """After a time of grace."""
    with running("stubborn") as proxy:
        server = server_of(proxy)
        proxy.process.terminate()
        assert proxy.process.wait(30) == 0
        assert proxy.end()[1] == TAG + b"the server did not end within 1.5 seconds, and is killed\n"
        assert not is_alive(server)


def test_a_killed_proxy_takes_its_server_along() -> None:
    """The kernel kills it."""
    if sys.platform != "linux":
        pytest.skip("only Linux can bind a process to its parent")
    with running("stubborn", "lingering") as proxy:
        server = server_of(proxy)
        proxy.process.kill()
        wait_until(lambda: not is_alive(server), "the server goes on")


@pytest.mark.parametrize("habits", [("helper",), ("stubborn", "helper")])
def test_what_a_server_has_started_does_not_outlive_it(habits: tuple[str, ...]) -> None:
    """Nor does it keep the client waiting for the end of the output; it gets a time of grace."""
    with running(*habits) as proxy:
        helper = int(proxy.receive()["helper"])
        proxy.send(call("yes", exit=3))
        assert proxy.process.wait(30) == 3
        wait_until(lambda: not is_alive(helper), "the helper goes on")


def test_a_server_that_closes_its_output_is_ended() -> None:
    """It cannot answer any more."""
    with running("mute") as proxy:
        assert proxy.process.wait(30) == 143
        assert proxy.end()[1].startswith(TAG + b"the server has closed its output, so the server is ended\n")


def test_a_server_that_closes_its_input_is_ended() -> None:
    """As soon as something is written to it."""
    with running("unread") as proxy:
        assert proxy.receive() == {"closed": 0}
        proxy.send(call("yes"))
        assert proxy.process.wait(30) == 143
        assert proxy.end()[1].startswith(TAG + b"the server does not read any more, so the server is ended\n")


def test_a_server_that_never_reads_makes_its_client_wait_and_no_more() -> None:
    """Memory does not grow, and the end of the client is seen all the same."""
    with running("deaf") as proxy:
        os.set_blocking(proxy.stdin.fileno(), False)
        line, sent = b"%s\n" % (b'{"jsonrpc":"2.0","method":"x","params":["%s"]}' % (b"x" * 10_000)), 0
        for _ in range(50):
            try:
                sent += os.write(proxy.stdin.fileno(), line)
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < 400_000
        proxy.stdout.close()
        assert proxy.process.wait(30) == 143


def test_a_client_that_goes_away_ends_both() -> None:
    """Also a server that goes on when its input has ended."""
    with running("lingering") as proxy:
        server = server_of(proxy)
        proxy.stdin.close()
        proxy.stdout.close()
        assert proxy.process.wait(30) == 143
        assert not is_alive(server)


def test_a_server_may_finish_after_its_input_has_ended() -> None:
    """A client that has asked all it wants still gets its answers."""
    slow = [sys.executable, "-I", "-c", "import sys, time; sys.stdin.read(); time.sleep(2); print('{}')"]
    with running(server=slow) as proxy:
        assert proxy.process.communicate(b"", timeout=30)[0] == b"{}\n"
        assert proxy.process.returncode == 0


SHOW = """
import os, signal
numbers = [number for number in map(int, os.listdir("/proc/self/fd")) if number > 2]
print([number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")])
print(signal.pthread_sigmask(0, ()), {signal.getsignal(number).name for number in (1, 15, 17)}, os.environ["X"])
"""


def test_the_server_gets_three_streams_and_the_environment() -> None:
    """As without the proxy: no descriptor of ours, and each signal as it was."""
    words = [sys.executable, "-c", LAUNCH, str(CHECKOUT), sys.executable, "-I", "-c", SHOW]
    done = subprocess.run(
        words, capture_output=True, stdin=subprocess.DEVNULL, check=False, env=os.environ | {"X": "1"}, timeout=30
    )
    assert done.stdout == b"[]\nset() {'SIG_DFL'} 1\n", done.stderr


def test_an_ignored_hangup_stays_ignored() -> None:
    """`nohup` in front of the proxy holds for both."""
    with running(command=["nohup", sys.executable, "-c", LAUNCH, str(CHECKOUT)]) as proxy:
        server_of(proxy)
        proxy.process.send_signal(signal.SIGHUP)
        assert server_of(proxy)
        assert proxy.end()[0] == 0


def test_a_program_that_the_system_does_not_execute_is_told(tmp_path: Path) -> None:
    """By the log, and the exit code of a shell."""
    program = tmp_path / "server"
    program.write_bytes(b"\x7fELF\0")
    program.chmod(0o755)
    with running(server=[str(program)]) as proxy:
        assert proxy.process.wait(30) == 126
        assert TAG + b"command cannot be run: `" in proxy.end()[1]


def test_calls_do_not_wait_for_the_answers_of_others() -> None:
    """A denied one is answered while the server works."""
    with running() as proxy:
        proxy.send(*[call("yes", number, wait=True) for number in range(20)], call("no", "denied"), call("yes", "last"))
        assert [proxy.receive()["id"] for _ in range(2)] == ["denied", "last"]


def test_log_lines_are_one_line_and_escaped() -> None:
    """Whatever a client sends."""
    with running() as proxy:
        proxy.send({"method": "tools/\n\x1b[31m"}, b'{"\\u001b]0;x":1}\n')
        _, errors = proxy.end()
        lines = errors.splitlines()
        assert len(lines) == 2
        assert all(line.startswith(TAG) and re.fullmatch(rb"[ -~]+", line) for line in lines)
