"""A connection for asyncio: the requests of any number of tasks are on their way at once, and are answered in order."""

import asyncio
from collections import deque

from cortex_policy.core.budget_server import CLUSTER
from cortex_policy.core.model import StateError
from cortex_policy.state import make_state_unavailable_error
from cortex_policy.state.shared_budgets.connection import LINE_END, MAX_LINE, make_login_requests
from cortex_policy.state.shared_budgets.primary_connection import MAX_HOPS, MOVED, parse_redirection
from cortex_policy.state.shared_budgets.server_errors import make_login_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from cortex_policy.core.budget_server import BudgetServer


class AsyncConnection(asyncio.Protocol):
    """Sends requests and gives each the line that answers it. After a failure it is closed, and all that wait fail."""

    def __init__(self) -> None:
        """Wait for `connection_made`."""
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._received = b""
        self._is_ending = False

    @property
    def is_closed(self) -> bool:
        """Whether it can be used no more."""
        return self._transport is None or self._transport.is_closing()

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the line of its answer; raise OSError or StateError."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)  # it keeps its place if its task is cancelled: the answer comes all the same
        self._transport.write(request)
        return await answer

    def close(self, error: Exception | None = None) -> None:
        """Close it; whoever waits for an answer gets the error."""
        if self._transport is not None:
            self._transport.abort()
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(error or ConnectionResetError())
        self._waiting.clear()

    def close_after_answers(self) -> None:
        """Close it once nobody waits for an answer."""
        self._is_ending = True
        if not self._waiting:
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Give each line to the request that has waited longest."""
        *lines, self._received = (self._received + data).split(LINE_END)
        for line in lines:
            if not self._waiting:
                return self.close()
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_result(line)
        if len(self._received) > MAX_LINE:
            self.close(make_state_unavailable_error("the server of shared budgets gave an answer that is too long"))
        elif self._is_ending and not self._waiting:
            self.close()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all that wait."""
        del exc
        self.close()


class AsyncServerConnection:
    """The connection of one event loop to the node that has the budgets."""

    def __init__(self, server: "BudgetServer", password: str, timeout_ms: int) -> None:
        """Open nothing yet."""
        self._server, self._password, self._timeout_ms = server, password, timeout_ms
        self._nodes = server.nodes
        self._opening: asyncio.Task[AsyncConnection] | None = None

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the line of its answer; raise OSError or StateError."""
        for _ in range(MAX_HOPS):
            opening = self._start_opening()
            connection = await _connection_of(opening)
            line = await connection.ask(request)
            if not line.startswith(MOVED) or self._server.kind != CLUSTER:
                break
            if self._opening is opening:  # the first task that hears it; a node that redirects has done nothing
                self._opening, self._nodes = None, (parse_redirection(line), *self._server.nodes)
                connection.close_after_answers()
        return line

    def close(self) -> None:
        """Drop the connection; a task that waits for an answer gets ConnectionResetError."""
        opening, self._opening, self._nodes = self._opening, None, self._server.nodes
        if opening is None:
            return
        opening.cancel()
        if opening.done() and not opening.cancelled() and opening.exception() is None:
            opening.result().close()

    def _start_opening(self) -> "asyncio.Task[AsyncConnection]":
        """Return the task that opens the connection, or has opened it; the first one that asks starts it."""
        opening = self._opening
        if opening is not None and opening.done():
            is_lost = opening.cancelled() or opening.exception() is not None or opening.result().is_closed
            opening = None if is_lost else opening
        if opening is None:
            opening = self._opening = asyncio.create_task(self._open())
        return opening

    async def _open(self) -> AsyncConnection:
        nodes = self._nodes
        if self._server.service:
            from cortex_policy.state.shared_budgets.plausible_server_time import read_nanoseconds_since_boot  # noqa: PLC0415 - as above
            from cortex_policy.state.shared_budgets.sentinel import find_primary  # noqa: PLC0415 - few use it

            # the end of an event loop waits for its threads
            deadline_ns = read_nanoseconds_since_boot() + self._timeout_ms * 1_000_000
            nodes = (await asyncio.to_thread(find_primary, self._server, self._password, deadline_ns),)
        failure: OSError = ConnectionRefusedError()
        for host, port in nodes or (("", 0),):
            try:
                return await self._open_node(host, port)
            except OSError as error:
                failure = error
        raise failure

    async def _open_node(self, host: str, port: int) -> AsyncConnection:
        loop = asyncio.get_running_loop()
        if self._server.socket:
            _, connection = await loop.create_unix_connection(AsyncConnection, self._server.socket)
        else:
            context = self._tls()
            _, connection = await loop.create_connection(AsyncConnection, host, port, ssl=context)
        try:
            for request in make_login_requests(self._server, self._password):
                line = await connection.ask(request)
                if line != b"+OK":
                    raise make_login_error(line)
        except (OSError, StateError):
            connection.close()
            raise
        return connection

    def _tls(self) -> "ssl.SSLContext | None":
        if not self._server.is_tls:
            return None
        from cortex_policy.state.shared_budgets.tls import load_tls_context  # noqa: PLC0415 - it loads `ssl`

        return load_tls_context(self._server.files)


async def _connection_of(opening: "asyncio.Task[AsyncConnection]") -> AsyncConnection:
    """Return the connection that a task opens for all that wait for it."""
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        # INVARIANT: a task that nobody cancels does not end as cancelled: another one has closed the connection
        if opening.cancelled() and task is not None and not task.cancelling():
            raise ConnectionResetError from None
        raise
