"""One request to a receiver that may do anything."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.library.event_delivery import receiver as receiver_module
from cortex_policy.library.event_delivery.event_requests import (
    STRUCTURED,
    EventRequest,
    make_event_request,
)
from cortex_policy.library.event_delivery.receiver import Answer, DeliveryError, EventReceiver
from tests.support.event_receiver import Receiver, format_event_line, free_port

REQUEST: EventRequest = make_event_request([format_event_line("1")], STRUCTURED)


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    """Share one process."""
    with Receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request end after half a second."""
    monkeypatch.setattr(receiver_module, "DEADLINE_SECONDS", 0.5)


def post(url: str, times: int = 1) -> list[Answer]:
    """Send so many requests over one receiver."""
    receiver = EventReceiver(url)
    try:
        return [receiver.post(REQUEST) for _ in range(times)]
    finally:
        receiver.close()


def test_the_answer_is_a_status_and_when_to_come_again(server: Receiver) -> None:
    """One connection carries all requests."""
    url = server.url("answers", "204", "503:7", "301", "429")
    assert post(url, 4) == [Answer(204, None), Answer(503, "7"), Answer(301, None), Answer(429, None)]
    assert server.requests("elsewhere") == []  # a redirect is not followed
    headers = server.requests("answers")[0]["headers"]
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert "Authorization" not in headers


@pytest.mark.parametrize("did", ["half", "big", "202"])
def test_the_status_is_enough(server: Receiver, did: str) -> None:
    """The rest of an answer may be cut off, or of any length; the next request has a connection that works."""
    assert [answer.status // 100 for answer in post(server.url(f"enough-{did}", did), 2)] == [2, 2]


@pytest.mark.parametrize(
    ("did", "why"),
    [
        ("hang", "no answer in"),
        ("drip", "no answer in"),
        ("close", "closed connection"),
        ("junk", "is not HTTP"),
    ],
)
def test_a_receiver_that_gives_no_answer_is_an_error_in_time(server: Receiver, did: str, why: str) -> None:
    """Also if a byte of it comes now and then."""
    with pytest.raises(DeliveryError, match=why):
        post(server.url(f"none-{did}", did))


def test_a_connection_that_the_receiver_has_closed_is_made_again(server: Receiver) -> None:
    """Receivers close what was not used for a while; that is no failure."""
    receiver = EventReceiver(server.url("again", "then", "then", "204"))
    for _ in range(3):
        assert receiver.post(REQUEST).status == 204
    receiver.close()
    assert len(server.requests("again")) == 3


def test_an_answer_that_comes_before_all_is_read_counts() -> None:
    """As a receiver does it that takes no such large body, and waits for the sender to close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_refuse_early, args=(listener,))
        thread.start()
        receiver = EventReceiver(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        assert receiver.post(EventRequest((), bytes(20_000_000))) == Answer(413, None)
        receiver.close()
        thread.join()


def test_nobody_listens() -> None:
    """The sentence is the system's."""
    with pytest.raises(DeliveryError, match="connection refused"):
        post(f"http://127.0.0.1:{free_port()}/")


def test_a_name_that_leads_to_another_host_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is what the resolver says: where the connection leads is looked at before a byte is sent."""
    ours, theirs = socket.socketpair()

    class Elsewhere(socket.socket):
        """A connection to another host."""

        def getpeername(self) -> tuple[str, int]:
            """Return its address."""
            return "192.0.2.1", 80

    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: Elsewhere(fileno=ours.detach()))
    monkeypatch.setattr("http.client.socket.IPPROTO_TCP", socket.SOL_SOCKET)
    monkeypatch.setattr("http.client.socket.TCP_NODELAY", socket.SO_KEEPALIVE)
    with pytest.raises(DeliveryError, match="leads to another host"):
        post("http://localhost/")
    with theirs:
        assert theirs.recv(100) == b""


def test_a_unix_socket(tmp_path: Path) -> None:
    """It needs no TLS."""
    path = tmp_path / "bus.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        got: list[bytes] = []
        thread = threading.Thread(target=_answer_once, args=(listener, got))
        thread.start()
        assert post(f"http+unix://{str(path).replace('/', '%2F')}/events?a=1") == [Answer(202, None)]
        thread.join()
    assert got[0].startswith(b"POST /events?a=1 HTTP/1.1\r\nHost: localhost")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificate")
def test_a_certificate_that_nobody_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And accepted if the system trusts it, for its own name."""
    words = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", "-keyout", "key", "-out", "cert",
    ]  # fmt: skip
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://localhost:{listener.getsockname()[1]}/"
        thread = threading.Thread(target=_answer_tls, args=(listener, context, 3))
        thread.start()
        with pytest.raises(DeliveryError, match="certificate is not valid"):
            post(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
        assert post(url) == [Answer(202, None)]
        with pytest.raises(DeliveryError, match="certificate is not valid"):
            post(url.replace("localhost", "127.0.0.1"))
        thread.join()


@pytest.mark.parametrize("proxy", ["http_proxy", "https_proxy", "ALL_PROXY"])
def test_no_proxy_of_the_environment_gets_events(server: Receiver, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """They go where the URL says."""
    monkeypatch.setenv(proxy, f"http://127.0.0.1:{free_port()}")
    assert post(server.url(f"proxy-{proxy}"))[0].status == 204


def test_the_token_is_read_for_each_request(server: Receiver, tmp_path: Path) -> None:
    """So that it can be replaced; without it nothing is sent."""
    file = tmp_path / "token"
    file.write_text("first-1._~+/==\n")
    file.chmod(0o600)
    receiver = EventReceiver(server.url("token"), str(file))
    receiver.post(REQUEST)
    file.write_text("second")
    receiver.post(REQUEST)
    file.unlink()
    with pytest.raises(DeliveryError, match="cannot be read"):
        receiver.post(REQUEST)
    receiver.close()
    assert [one["headers"]["Authorization"] for one in server.requests("token")] == [
        "Bearer first-1._~+/==", "Bearer second",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"secret", 0o644, "nobody else can read"),
        (b"secret", 0o620, "nobody else can read"),
        (b"a b", 0o600, "holds no bearer token"),
        (b"a\r\nX-Evil: 1", 0o600, "holds no bearer token"),
        (b"\xc3\xa9", 0o600, "holds no bearer token"),
        (b"", 0o600, "holds no bearer token"),
        (b"x" * 8193, 0o600, "holds no bearer token"),
    ],
)
def test_a_token_that_others_know_or_that_is_none_is_refused(
    tmp_path: Path, content: bytes, mode: int, why: str
) -> None:
    """Before anything is sent; the message does not tell it."""
    file = tmp_path / "token"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(UsageError, match=why) as caught:
        EventReceiver("https://bus/", str(file))
    assert "secret" not in str(caught.value)


def test_a_token_is_a_plain_file(tmp_path: Path) -> None:
    """No link, no pipe, no directory; none of them is waited for."""
    (tmp_path / "link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)
    for name in ("link", "pipe", "directory", "missing"):
        with pytest.raises(UsageError):
            EventReceiver("https://bus/", str(tmp_path / name))


def _answer_once(listener: socket.socket, got: list[bytes]) -> None:
    connection, _ = listener.accept()
    with connection:
        got.append(b"")
        while not got[0].endswith(b"}}"):
            got[0] += connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _refuse_early(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass


def _answer_tls(listener: socket.socket, context: ssl.SSLContext, times: int) -> None:
    for _ in range(times):
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                data = b""
                while not data.endswith(b"}}"):
                    data += wrapped.recv(1 << 16)
                wrapped.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError:
            connection.close()


def test_an_answer_that_comes_without_a_request_answers_none() -> None:
    """As of a receiver that closes a connection which was not used for a while, and says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sent = threading.Event()
        thread = threading.Thread(target=_answer_once_too_often, args=(listener, sent))
        thread.start()
        receiver = EventReceiver(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        assert receiver.post(REQUEST).status == 204
        assert sent.wait(10)
        assert receiver.post(REQUEST).status == 202
        receiver.close()
        thread.join()


def _answer_once_too_often(listener: socket.socket, sent: threading.Event) -> None:
    first, _ = listener.accept()
    with first:
        first.recv(1 << 16)
        first.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        time.sleep(0.1)
        first.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        sent.set()
        second, _ = listener.accept()
    with second:
        second.recv(1 << 16)
        second.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
