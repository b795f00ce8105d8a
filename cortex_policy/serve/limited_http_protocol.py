"""HTTP before the application: who may connect, how much a client may send, and how long it may take.

uvicorn parses with llhttp, in its strict mode, and bounds neither heads nor time; this does.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cortex_policy.hook_server.listeners import is_peer_own_user_or_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from cortex_policy.serve.metrics import Metrics

    class Connection(Protocol):
        """What is counted: something open, until a time, that may be closed early while it waits for its client."""

        transport: asyncio.Transport
        deadline: float

        @property
        def is_waiting(self) -> bool:
            """Whether nothing is being answered."""


REQUEST_SECONDS = 10.0  # from the first byte of a request, or the connection, to the end of its answer
IDLE_SECONDS = 60.0  # between two requests
MAX_HEAD = 1 << 14  # bytes
MAX_HEADERS = 64
_FINAL, _INTERIM = b"HTTP/1.1 ", ord("1")  # how a head begins, and the first digit of one that is not the last
_VERSIONS = ("1.0", "1.1")
_BODY_FACTOR = 9  # a byte of a body may have 8 of chunks around it


class HeadError(ValueError):
    """The head of a request is refused; the parser answers 400 and closes."""


class Connections:
    """The open connections of a process, those first that have been quiet longest."""

    def __init__(self, limit: int, metrics: "Metrics", *, check_users: bool) -> None:
        """Take the limit; `check_users` admits only our own user and root."""
        self.limit: int = limit
        self.metrics: Metrics = metrics
        self.check_users: bool = check_users
        self.by_age: dict[Connection, None] = {}

    def add(self, one: "Connection") -> None:
        """Add a connection; if there are too many, close the one that has been waiting longest for its client."""
        if len(self.by_age) >= self.limit:
            oldest = next((each for each in self.by_age if each.is_waiting), None)
            if oldest is None:
                self.close_without_answer(one, "full")
                return
            self.close_without_answer(oldest, "full")
        self.by_age[one] = None

    def mark_used(self, one: "Connection") -> None:
        """Put a connection that was answered after all others."""
        if one in self.by_age:
            del self.by_age[one]
            self.by_age[one] = None

    def forget(self, one: "Connection") -> None:
        """Forget a connection."""
        self.by_age.pop(one, None)

    def close_without_answer(self, one: "Connection", why: str) -> None:
        """Close a connection without an answer."""
        self.forget(one)
        self.metrics.count_refused(why)
        one.transport.abort()

    def close_past_deadline(self, now: float) -> None:
        """Close connections whose time is over."""
        for one in [one for one in self.by_age if one.deadline < now]:
            self.close_without_answer(one, "late")


class JoinedWrites(asyncio.Transport):
    """A transport that sends the head of an answer together with what follows it: one call of the system, not two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take the real one."""
        super().__init__()
        self._transport, self._head = transport, b""
        for name in ("is_closing", "get_extra_info", "pause_reading", "resume_reading", "abort"):
            setattr(self, name, getattr(transport, name))  # these are its own

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, but keep a head until more comes."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data[:9] == _FINAL and data[9] != _INTERIM:
            self._head = bytes(data)
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send a head that nothing has followed."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Send what is left, and close."""
        self.flush()
        self._transport.close()


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection, with limits on size and time."""

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        connections: Connections,
        loop: "asyncio.AbstractEventLoop",
    ) -> None:
        """Wait for the first request."""
        super().__init__(config, server_state, {}, loop)
        self._registry = connections
        self._overhead = 0  # bytes of the head that is read; then those around its body, less what a body may have
        self._part_size, self._is_new = 0, True  # of what came last; whether no request has ended in it
        self._is_in_head = True
        self.deadline: float = loop.time() + REQUEST_SECONDS

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is being answered."""
        return self._is_waiting_for_head or self.cycle.more_body

    @property
    def _is_waiting_for_head(self) -> bool:
        """Whether all requests that have come are answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: "asyncio.Transport") -> None:  # type: ignore[override] # as uvicorn's own
        """Admit a client, or close."""
        super().connection_made(JoinedWrites(transport))
        if self._registry.check_users and not is_peer_own_user_or_root(transport.get_extra_info("socket")):
            self._registry.close_without_answer(self, "user")
            return
        self._registry.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._registry.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; a head may take several parts, but not many, and what is around a body neither."""
        self._part_size, self._is_new = len(data), True
        super().data_received(data)
        if self._is_new:  # else the bytes are mostly of requests that have ended
            self._overhead += len(data)
        if self._overhead > (MAX_HEAD if self._is_in_head else 2 * MAX_HEAD) and not self.transport.is_closing():
            self.send_400_response("The request is too long.")

    def on_message_begin(self) -> None:
        """Start the clock of a request."""
        super().on_message_begin()
        self._is_in_head, self._overhead = True, 0
        self.deadline = self.loop.time() + REQUEST_SECONDS

    def on_headers_complete(self) -> None:
        """Refuse what only a proxy should get, and any other protocol; else start to answer."""
        if self.parser.get_http_version() not in _VERSIONS:
            raise HeadError("another protocol")
        if not self.url.startswith(b"/") or self.parser.should_upgrade():
            raise HeadError("this server is neither a proxy nor a tunnel")
        if len(self.headers) > MAX_HEADERS or (
            self._overhead + self._part_size > MAX_HEAD
            and len(self.url) + sum(len(one) + len(value) for one, value in self.headers) > MAX_HEAD
        ):
            raise HeadError("too long")
        self._is_in_head, self._overhead = False, 0
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; refuse trailers, which nothing checks."""
        if not self._is_in_head:
            raise HeadError("trailers")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._overhead -= _BODY_FACTOR * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of a request."""
        self._is_new = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.transport.flush()  # type: ignore[attr-defined] # ours, of `connection_made`
        if not self.pipeline and not self.flow.write_paused:  # else the client must read first
            self.deadline = self.loop.time() + IDLE_SECONDS
        self._registry.mark_used(self)
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        if self._is_waiting_for_head and not self._is_in_head:
            self.deadline = self.loop.time() + IDLE_SECONDS

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, and close; never in the middle of another answer."""
        self._registry.metrics.count_refused("broken")
        if self._is_waiting_for_head:
            super().send_400_response(msg)
        elif self.cycle.more_body:
            self.transport.abort()
        else:  # else the client would take this for the answer to the request before
            self.cycle.keep_alive = False
            self.flow.pause_reading()
