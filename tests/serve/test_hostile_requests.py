"""Requests that try to get a yes, or an answer, that is not theirs."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serve import EVALUATION, JSON, Server, call, environment, make_root, parse_reply, read_all, running

BODY = json.dumps(call()).encode()


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root."""
    top = tmp_path_factory.mktemp("hostile")
    make_root(top, git={"actions": ["tree"]})
    return top


@pytest.fixture(scope="module")
def loopback(top: Path) -> Iterator[Server]:
    """Run a server on a port of this host."""
    with running(top / "root", "--tcp", "127.0.0.1:0", "--token", str(top / "token"), env=environment(top)) as server:
        yield server


@pytest.fixture(scope="module")
def unix(top: Path) -> Iterator[Server]:
    """Run a server on a socket."""
    with running(top / "root", env=environment(top)) as server:
        yield server


def assert_nothing_is_allowed(answer: bytes, *statuses: int) -> None:
    """Check that an answer, if there is one, is one error."""
    if answer:
        assert int(answer.split()[1]) in statuses, answer
    assert b"true" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1


def post(server: Server, body: bytes = BODY, **fields: str) -> bytes:
    """Return the bytes of a request."""
    return server.head(EVALUATION, "POST", **{"content_type": JSON, "content_length": str(len(body)), **fields}) + body


def test_the_same_request_with_the_token_is_allowed(loopback: Server, unix: Server) -> None:
    """Else the others would be denied for nothing."""
    for server in (loopback, unix):
        assert parse_reply(server.raw(post(server))).decision


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer x", "Basic {}", "{}", "Bearer {}x", "Bearer {} {}", "Bearer\t{}"]
)
@pytest.mark.parametrize("path", [EVALUATION, "/healthz", "/metrics", "/openapi.json", "/nothing"])
def test_every_path_of_a_port_needs_the_token(loopback: Server, given: str, path: str) -> None:
    """What is there and what is not looks the same, and no body is read."""
    reply = parse_reply(loopback.raw(loopback.head(path, authorization=given.format(loopback.token, loopback.token))))
    assert reply.status == 401
    assert reply.fields["www-authenticate"] == "Bearer"
    assert reply.fields["connection"] == "close"
    assert loopback.token.encode() not in reply.body


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "evil.example@127.0.0.1", "127.0.0.1:{}."]
)
def test_a_host_that_is_not_this_address_is_refused(loopback: Server, host: str) -> None:
    """A page whose name was bound to this address again sends its own name."""
    port = loopback.host.partition(":")[2]
    assert parse_reply(loopback.raw(post(loopback, host=host.format(port)))).status == 403


def test_the_loopback_address_is_also_localhost(loopback: Server) -> None:
    """With its port, in any case of letters."""
    port = loopback.host.partition(":")[2]
    for host in (f"localhost:{port}", f"LocalHost:{port}"):
        assert parse_reply(loopback.raw(post(loopback, host=host))).decision


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://{}", "http://{}.evil.example", "http://localhost"]
)
def test_a_page_of_another_origin_is_refused(loopback: Server, unix: Server, origin: str) -> None:
    """Also one that has learned the token."""
    for server in (loopback, unix):
        reply = parse_reply(server.raw(post(server, origin=origin.format(server.host))))
        assert reply.status == 403
        assert not [name for name in reply.fields if name.startswith("access-control")]


def test_a_page_of_our_own_may_ask(loopback: Server) -> None:
    """On a socket there is none."""
    assert parse_reply(loopback.raw(post(loopback, origin=f"http://{loopback.host}"))).decision


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "HEAD", "GET"])
def test_other_methods_decide_nothing(unix: Server, method: str) -> None:
    """A preflight of a browser gets no permission."""
    answer = unix.raw(unix.head(EVALUATION, method, origin=""))
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"access-control" not in answer.lower()


TWICE = "host: {0}\r\nhost: {0}\r\n"
AMBIGUOUS = {
    "two lengths": "content-length: {1}\r\ncontent-length: 0\r\n",
    "the same length twice": "content-length: {1}\r\ncontent-length: {1}\r\n",
    "length and coding": "content-length: {1}\r\ntransfer-encoding: chunked\r\n",
    "coding and length": "transfer-encoding: chunked\r\ncontent-length: {1}\r\n",
    "two codings": "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    "chunked first": "transfer-encoding: chunked, identity\r\n",
    "an unknown coding": "transfer-encoding: xchunked\r\n",
    "a coding with a tab": "transfer-encoding:\tchunked, \r\n",
    "a coding before a colon": "transfer-encoding : chunked\r\n",
    "a signed length": "content-length: +{1}\r\n",
    "a negative length": "content-length: -1\r\n",
    "a length in hex": "content-length: 0x{1}\r\n",
    "a list of lengths": "content-length: {1}, {1}\r\n",
    "a length with thousands of zeros": f"content-length: {'0' * 5000}{{1}}\r\n",
    "an enormous length": "content-length: 99999999999999999999999\r\n",
    "a folded field": "x: a\r\n b\r\ncontent-length: {1}\r\n",
    "a field without a name": ": x\r\ncontent-length: {1}\r\n",
    "a nul": "x: a\0b\r\ncontent-length: {1}\r\n",
    "a bare return": "x: a\rcontent-length: {1}\r\n",
    "two hosts": "host: {0}\r\ncontent-length: {1}\r\n",
    "two tokens": "authorization: Bearer x\r\nauthorization: Bearer y\r\ncontent-length: {1}\r\n",
    "a body in a coding": "content-encoding: gzip\r\ncontent-length: {1}\r\n",
    "a coding that does nothing": "content-encoding: identity\r\ncontent-length: {1}\r\n",
    "two types": "content-type: text/plain\r\ncontent-length: {1}\r\n",
}


@pytest.mark.parametrize("fields", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_request_that_two_readers_could_read_differently_is_refused(unix: Server, fields: str) -> None:
    """And nothing after it on the connection is read."""
    head = f"POST {EVALUATION} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\n{fields.format('localhost', len(BODY))}\r\n"
    smuggled = post(unix)
    answer = unix.raw(head.encode("latin-1") + BODY + smuggled)
    assert_nothing_is_allowed(answer, 400, 413)


@pytest.mark.parametrize("ending", [b"\n", b"\r"])
def test_a_line_that_ends_in_another_way_is_refused(unix: Server, ending: bytes) -> None:
    """In the head."""
    assert_nothing_is_allowed(unix.raw(post(unix).replace(b"\r\n", ending)), 400)


@pytest.mark.parametrize(
    "chunks",
    [
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY) + 9, BODY),
        b"-1\r\n%s\r\n0\r\n\r\n" % BODY,
        b"zz\r\n\r\n",
        b"fffffffffffffffff\r\n%s" % BODY,
        b"%x\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    ],
)
def test_broken_chunks_allow_nothing(unix: Server, chunks: bytes) -> None:
    """The request has no end, so that it is none."""
    with unix.connect() as client:
        client.sendall(post(unix, b"", transfer_encoding="chunked", content_length="") + chunks)
        client.shutdown(socket.SHUT_WR)
        assert_nothing_is_allowed(read_all(client), 400)


def test_chunks_are_a_body_and_trailers_are_refused(unix: Server, loopback: Server) -> None:
    """A token in a trailer is none."""
    chunks = b"5\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\n%s\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:], b"%s")
    head = {"transfer_encoding": "chunked", "content_length": ""}
    assert parse_reply(unix.raw(post(unix, b"", **head) + chunks % b"")).decision
    single = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    assert parse_reply(unix.raw(post(unix, b"", **head) + single)).decision
    assert_nothing_is_allowed(unix.raw(post(unix, b"", **head) + chunks % b"host: evil\r\n"), 400)
    trailer = f"authorization: Bearer {loopback.token}\r\n".encode()
    answer = loopback.raw(post(loopback, b"", **head, authorization="") + chunks % trailer)
    assert_nothing_is_allowed(answer, 400, 401)


@pytest.mark.parametrize(
    "target",
    ["http://{}" + EVALUATION, "//" + EVALUATION, "/" + EVALUATION, EVALUATION + "/", "/access%2Fv1/evaluation", "/%61ccess/v1/evaluation",
     "/access/v1/../v1/evaluation", "/./access/v1/evaluation", "*", "localhost:80", EVALUATION + "%00", EVALUATION + ";x", "\\access\\v1\\evaluation", EVALUATION.upper()],
)  # fmt: skip
def test_only_the_exact_path_is_the_path(unix: Server, target: str) -> None:
    """A proxy that guards paths reads them in one way only."""
    request = post(unix).replace(EVALUATION.encode(), target.format("localhost").encode(), 1)
    assert_nothing_is_allowed(unix.raw(request), 400, 404)


def test_a_query_changes_nothing(unix: Server) -> None:
    """It is not read."""
    assert parse_reply(unix.raw(post(unix).replace(b" HTTP/1.1", b"?consume=true&context=%7B%7D HTTP/1.1", 1))).decision


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT localhost:80 HTTP/1.1",
        "GET /healthz HTTP/2.0",
        "GET /healthz HTTP/1.9",
        "GET /healthz",
        "PRI * HTTP/2.0",
        "X",
        "G" * 70000,
    ],
)
def test_other_protocols_are_refused(unix: Server, line: str) -> None:
    """Tunnels, later versions, and the first line of HTTP/0.9."""
    assert_nothing_is_allowed(unix.raw(f"{line}\r\nhost: localhost\r\n\r\n".encode()), 400)


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_upgrade_is_refused(unix: Server, protocol: str) -> None:
    """The connection is no other one afterwards."""
    request = post(unix, upgrade=protocol, connection="upgrade, HTTP2-Settings", http2_settings="")
    assert_nothing_is_allowed(unix.raw(request), 400)


def test_http_1_0_needs_a_host_on_a_port_and_none_on_a_socket(unix: Server, loopback: Server) -> None:
    """As old clients ask."""
    assert parse_reply(unix.raw(post(unix, host="").replace(b"HTTP/1.1", b"HTTP/1.0", 1))).decision
    assert parse_reply(loopback.raw(post(loopback, host="").replace(b"HTTP/1.1", b"HTTP/1.0", 1))).status == 403
    assert parse_reply(unix.raw(post(unix, host=""))).status == 400


def test_pipelined_requests_are_answered_in_order_until_one_is_refused(unix: Server) -> None:
    """What follows a refused request is not read: it could be part of it."""
    kept, denied = post(unix, connection=""), post(unix, json.dumps(call(action="x")).encode(), connection="")
    answer = unix.raw(kept + denied + kept + post(unix, b"[]", connection="") + kept)
    assert [answer.count(b'"decision": true'), answer.count(b'"decision": false')] == [2, 1]
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"HTTP/1.1 400 Bad Request") == 1
    assert answer.index(b'"decision": true') < answer.index(b'"decision": false') < answer.rindex(b'"decision": true')


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("DELETE", "/healthz"), ("POST", EVALUATION)])
def test_every_error_ends_the_connection(unix: Server, method: str, path: str) -> None:
    """What follows could be part of the same request to another reader."""
    refused = unix.head(path, method, connection="", content_length="2") + b"[]"
    answer = unix.raw(refused + unix.head("/healthz"))
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ", b"HTTP/1.1 405 "))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in answer


def test_garbage_after_a_request_takes_nothing_from_its_answer(unix: Server) -> None:
    """One answer, and the end of the connection."""
    answer = unix.raw(post(unix, connection="") + b"\x16\x03\x01 garbage\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert answer.count(b'"decision": true') == 1


@pytest.mark.parametrize("field", ["x" * 20_000, "x"])
def test_a_head_that_is_too_long_is_refused(unix: Server, field: str) -> None:
    """One long field, or many."""
    lines = "".join(f"{field}{number}: y\r\n" for number in range(1 if len(field) > 1 else 100))
    assert_nothing_is_allowed(unix.raw(f"GET /healthz HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n".encode()), 400)
    assert unix.get("/healthz").status == 200


def test_a_head_without_end_is_refused(unix: Server) -> None:
    """While it still comes."""
    with unix.connect() as client:
        try:
            client.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
            for _ in range(1000):
                client.sendall(b"x" * 65536)
        except OSError:
            pass
        assert_nothing_is_allowed(read_all(client), 400)


@pytest.mark.parametrize(
    ("start", "part"),
    [(b"2\r\n{}\r\n0\r\nt: ", b"x" * 65536), (b"", b"1;" + b"x" * 65536 + b"\r\n \r\n")],
    ids=["trailer", "extensions of chunks"],
)
def test_what_is_around_a_body_has_an_end(unix: Server, start: bytes, part: bytes) -> None:
    """Nobody reads it."""
    with unix.connect() as client, pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 - it takes a while
        client.sendall(post(unix, b"", transfer_encoding="chunked", content_length="") + start)
        for _ in range(1000):
            client.sendall(part)


def test_a_long_path_is_a_long_head(unix: Server) -> None:
    """In one part too."""
    assert_nothing_is_allowed(unix.raw(unix.head("/" + "x" * 20_000)), 400)


def test_the_size_of_a_body_says_nothing_about_the_next_head(unix: Server) -> None:
    """As of clients that send heads and bodies one after another, and of networks that split heads."""
    body = BODY + b" " * 50_000
    request = post(unix, body, connection="")
    head, last = request[: -len(body)], post(unix)
    with unix.connect() as client:
        for part in (head, body, last[:30], last[30:]):
            client.sendall(part)
            time.sleep(0.1)  # it has read that
        answer = read_all(client)
    assert answer.count(b'"decision": true') == 2


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_long_is_refused(unix: Server, chunked: bool) -> None:
    """By its length, or while it comes."""
    body = json.dumps(call(more="x" * (1 << 20))).encode()
    fields = {"transfer_encoding": "chunked", "content_length": ""} if chunked else {}
    data = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    with unix.connect() as client:
        with contextlib.suppress(OSError):
            client.sendall(post(unix, data, **fields))
        assert_nothing_is_allowed(read_all(client), 413)


def test_a_body_of_the_greatest_length_is_read(unix: Server) -> None:
    """A mebibyte."""
    body = BODY + b" " * ((1 << 20) - len(BODY))
    assert parse_reply(unix.raw(post(unix, body))).decision


def test_a_client_that_expects_100_is_told_only_if_it_may_ask(loopback: Server) -> None:
    """Without the token it need not send the body."""
    with loopback.connect() as client:
        client.sendall(post(loopback, expect="100-continue").removesuffix(BODY))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert parse_reply(read_all(client)).decision
    answer = loopback.raw(post(loopback, expect="100-continue", authorization="").removesuffix(BODY))
    assert answer.startswith(b"HTTP/1.1 401 ")
