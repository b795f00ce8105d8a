"""One process that serves, until a signal comes."""

import asyncio
import contextlib
import logging
import resource
import signal
import sys

import uvicorn

from cortex_policy.serve.access_guard import Access, format_server_bug_with_place
from cortex_policy.serve.addresses import BACKLOG
from cortex_policy.serve.app import build_app
from cortex_policy.serve.counted_tls import CountedTls
from cortex_policy.serve.decisions import Decisions
from cortex_policy.serve.limited_http_protocol import IDLE_SECONDS, Connections, LimitedHttpProtocol
from cortex_policy.serve.metrics import Metrics
from cortex_policy.serve.page.cached_overview import PageState
from cortex_policy.serve.page.endpoints import PageEndpoints

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import Callable, Generator

    from cortex_policy.serve.options import ServeOptions

INTERRUPTED = 130
MAX_CONNECTIONS = 4096
_SPARE = 128  # descriptors for everything else
_ACCEPTED_AT_ONCE = 32  # before the first of them is counted: fewer than the spare descriptors
_PAUSE_SECONDS = 0.02
_LAST_SECONDS = 5.0  # for answers that are not finished when a signal comes
_TICKS = 10  # of uvicorn, each a tenth of a second
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve_requests(options: "ServeOptions", announce: "Callable[[], object]", parent: int | None = None) -> int:
    """Serve until a signal comes, or the other end of a pipe from the parent is closed; return the exit code."""
    _prepare_logging()
    metrics = Metrics()
    decisions = Decisions(options.answerer, metrics)
    address = options.address
    access = Access(address.names, address.origins, options.token, options.page)
    page = PageState(options.answerer)
    connections = Connections(_increase_connection_limit(), metrics, check_users=address.is_unix)
    app = build_app(decisions, metrics, access, PageEndpoints(page, options.page))
    server = _Server(app, options, connections, decisions)
    try:
        server.run_until_signal(announce, parent)
    finally:
        decisions.close()
        page.close()
    return server.code


class _Server(uvicorn.Server):
    """uvicorn, with our protocol, our signals, and a second hand."""

    def __init__(self, app: object, options: "ServeOptions", connections: Connections, decisions: Decisions) -> None:
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=LimitedHttpProtocol, ws="none", lifespan="off", loop="asyncio", interface="asgi3", log_config=None,
            access_log=False, proxy_headers=False, server_header=False, timeout_keep_alive=int(IDLE_SECONDS),
        )  # fmt: skip
        super().__init__(config)
        self.code = 0
        self._address, self._registry, self._decisions = options.address, connections, decisions
        self._announce: Callable[[], object] = lambda: None
        self._parent: int | None = None

    def run_until_signal(self, announce: "Callable[[], object]", parent: int | None) -> None:
        """Serve until a signal comes, or the descriptor `parent` can be read; `announce` is called once it listens."""
        self._announce, self._parent = announce, parent
        asyncio.run(self.serve(sockets=[self._address.socket]))

    @contextlib.contextmanager
    def capture_signals(self) -> "Generator[None]":
        """Leave signals to the loop, which ends with an exit code instead of a signal."""
        yield

    async def startup(self, sockets: "list[sockets.socket] | None" = None) -> None:
        """Listen, and say so."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_loop_error)
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop, INTERRUPTED if number == signal.SIGINT else 0)
        if self._parent is not None:
            loop.add_reader(self._parent, self._stop, 0)
        self.servers = [
            await loop.create_server(self._make_protocol, sock=one, backlog=_ACCEPTED_AT_ONCE) for one in sockets or []
        ]
        for one in sockets or []:
            one.listen(BACKLOG)
        self.started = True
        self._announce()

    def _make_protocol(self) -> asyncio.BaseProtocol:
        loop, tls = asyncio.get_running_loop(), self._address.tls
        protocol = LimitedHttpProtocol(self.config, self.server_state, self._registry, loop)
        return protocol if tls is None else CountedTls(protocol, tls, self._registry, loop)

    async def on_tick(self, counter: int) -> bool:
        """Once a second, close late connections and update the metrics."""
        if counter % _TICKS == 0:
            self._registry.close_past_deadline(asyncio.get_running_loop().time())
            self._decisions.update_metrics(len(self._registry.by_age))
        return await super().on_tick(counter)

    async def shutdown(self, sockets: "list[sockets.socket] | None" = None) -> None:  # noqa: ARG002 - as uvicorn's own
        """Finish the answers that have begun; close all other connections, and soon all."""
        loop = asyncio.get_running_loop()
        for server in self.servers:
            server.close()
        for one in list(self.server_state.connections):
            one.shutdown()
        end = loop.time() + _LAST_SECONDS
        while self.server_state.connections and loop.time() < end and not self.force_exit:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(_PAUSE_SECONDS)
        for left in list(self._registry.by_age):
            self._registry.close_without_answer(left, "late")
        while self.server_state.tasks and loop.time() < end + 1.0:  # noqa: ASYNC110 - see above
            await asyncio.sleep(_PAUSE_SECONDS)

    def _stop(self, code: int) -> None:
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent)
        self.force_exit = self.should_exit
        self.code, self.should_exit = self.code or code, True


def _prepare_logging() -> None:
    """Write errors to standard error; none of them holds anything that a client sent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("brAInwav cortex-policy serve: %(message)s"))
    for name in ("cortex_policy.serve", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.ERROR)


def _increase_connection_limit() -> int:
    """Allow as many descriptors as we may, and return how many connections can be open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _SPARE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(MAX_CONNECTIONS, soft - _SPARE))


def _log_loop_error(_: asyncio.AbstractEventLoop, context: "dict[str, object]") -> None:
    error = context.get("exception")
    if isinstance(error, ConnectionError):  # a client has gone
        return
    why = (
        format_server_bug_with_place(error)
        if isinstance(error, Exception) and not isinstance(error, OSError)
        else str(error)
    )
    logging.getLogger("cortex_policy.serve").error("%s: %s", context.get("message"), why)
