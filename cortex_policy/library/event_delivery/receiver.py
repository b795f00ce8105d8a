"""The receiver of events: one connection that is kept, a deadline for each request, and no redirect."""

import io
import select
import socket
import ssl
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from time import monotonic

from cortex_policy.core import Value
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.library.event_delivery.receiver_url import parse_receiver_url
from cortex_policy.library.event_delivery.token_file import read_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.library.event_delivery.event_requests import EventRequest
    from cortex_policy.library.event_delivery.receiver_url import ReceiverUrl

DEADLINE_SECONDS = 10.0  # of a request, from the connection to the end of the answer
_MAX_BODY_BYTES = 1 << 16  # of an answer; nobody reads it, and a longer one ends the connection


class DeliveryError(Exception):
    """A request got no answer, or could not be made; the events may have arrived all the same."""


class Answer(Value):
    """What a receiver answered."""

    status: int
    retry_after: str | None


class EventReceiver:
    """A receiver; one thread uses it. The token is read again for each request, so that it can be replaced."""

    url: "ReceiverUrl"

    def __init__(self, url: str, token_file: "str | None" = None) -> None:
        """Check the URL and the token; raise UsageError."""
        self.url = parse_receiver_url(url)
        self._token_file = token_file
        self._connection: HTTPConnection | None = None
        if token_file is not None:
            read_token(token_file)

    def post(self, request: "EventRequest") -> Answer:
        """Send a request and return the answer; raise DeliveryError if there is none in time."""
        if self._connection is not None and _has_unread(self._connection):
            self.close()  # what came without a request is not the answer to this one
        was_kept = self._connection is not None
        try:
            return self._post_once(request)
        except DeliveryError as error:
            # a receiver closes a connection that was not used for a while
            if not was_kept or isinstance(error.__cause__, TimeoutError):
                raise
        return self._post_once(request)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def make_usable_after_fork(self) -> None:
        """Leave the connection to the parent; what a thread of it reads from may be locked, and is not closed."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.sock is not None:
            connection.sock.close()

    def _post_once(self, request: "EventRequest") -> Answer:
        headers = dict(request.headers)
        if self._token_file is not None:
            headers["Authorization"] = f"Bearer {self._read_token(self._token_file)}"
        is_complete = False
        try:
            connection = self._connection = self._connection or _connection_to(self.url)
            connection.start(monotonic() + DEADLINE_SECONDS)  # type: ignore[attr-defined] # each of ours has it
            self._send(connection, request.body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.getheader("Retry-After"))
            is_complete = _is_read_to_its_end(response)
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryError(_why(error)) from error
        finally:
            if not is_complete:
                self.close()
        return answer

    def _send(self, connection: HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
        try:
            connection.request("POST", self.url.target, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            # it may have answered before it had read all, as with 413
            if connection.sock is None:
                raise

    def _read_token(self, file: str) -> str:
        try:
            return read_token(file)
        except UsageError as error:
            raise DeliveryError(str(error)) from None


class _Deadline:
    """A connection whose requests end at a deadline, even if each byte of an answer comes in time."""

    sock: "socket.socket | None"
    timeout: "float | None"
    response_class: "Any"

    def start(self, end: float) -> None:
        """Begin a request that ends then."""
        self.timeout = max(0.001, end - monotonic())
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        self.response_class = partial(_response, end)


class _LoopbackConnection(_Deadline, HTTPConnection):
    """Plain HTTP, only to this host, whatever its name leads to."""

    def connect(self) -> None:
        """Connect, and check where to."""
        super().connect()
        assert self.sock is not None  # noqa: S101 - it is connected
        if not ip_address(self.sock.getpeername()[0].partition("%")[0]).is_loopback:
            self.close()
            raise ConnectionError(f"`{self.host}` leads to another host, which needs `https`")


class _TlsConnection(_Deadline, HTTPSConnection):
    """HTTPS with a verified certificate."""


class _UnixConnection(_Deadline, HTTPConnection):
    """HTTP over a unix socket."""

    socket_path: str

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.socket_path)


def _connection_to(url: "ReceiverUrl") -> HTTPConnection:
    if url.scheme == "https":
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return _TlsConnection(url.host, url.port, context=context)
    if url.socket_path:
        connection = _UnixConnection(url.host)
        connection.socket_path = url.socket_path
        return connection
    return _LoopbackConnection(url.host, url.port)


def _response(end: float, sock: socket.socket, **options: "Any") -> HTTPResponse:
    return HTTPResponse(_SocketWithDeadline(sock, end), **options)  # type: ignore[arg-type] # it asks for `makefile`


class _SocketWithDeadline(io.RawIOBase):
    """What a response reads from: each read waits for what is left of the time, not for a timeout of its own."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        super().__init__()
        self._socket, self._end = sock, end

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what the response reads."""
        del mode  # always `rb`
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "Any") -> int:
        """Read some bytes; raise TimeoutError once the time is over."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


def _has_unread(connection: HTTPConnection) -> bool:
    """Whether a connection that waits for a request has ended, or has bytes that nobody asked for."""
    sock = connection.sock
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0)) or (isinstance(sock, ssl.SSLSocket) and sock.pending() > 0)


def _is_read_to_its_end(response: HTTPResponse) -> bool:
    """Read the rest of an answer, and say whether the connection can be used again; the status has said all."""
    with suppress(OSError, HTTPException, ValueError):
        body = response.read(_MAX_BODY_BYTES)
        return len(body) < _MAX_BODY_BYTES and response.isclosed() and not response.will_close
    return False


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {DEADLINE_SECONDS:.0f} seconds"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    if isinstance(error, OSError):
        return format_os_error_cause(error) or type(error).__name__
    return f"the answer is not HTTP ({type(error).__name__})"
