"""`mcp serve`: answer one client on standard input and output, until it leaves or a signal comes (docs/mcp.md)."""

import logging
import os
import signal
from importlib.metadata import version

import anyio
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp_types import NotificationParams

from cortex_policy.core.model import NOT_DONE
from cortex_policy.mcp.log_lines import prepare_logging
from cortex_policy.mcp.server_handlers import Handlers
from cortex_policy.mcp.server_notices import Notices
from cortex_policy.mcp.server_stdio import StdioTransport
from cortex_policy.mcp.server_tool_descriptions import INSTRUCTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.library.root_path_lookup import UnresolvedRoot

NAME = "cortex-policy"
INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_log = logging.getLogger(__name__)


def serve_client(name: "UnresolvedRoot") -> int:
    """Answer a client until it leaves or a signal comes; return the exit code. Threads may be left behind."""
    prepare_logging("mcp serve")
    if os.isatty(0):
        _log.warning("waits for messages of a client on standard input; an agent starts this command")
    source = _take_descriptor(0, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    target = _take_descriptor(1, os.dup(2))
    return anyio.run(_serve, name, source, target)


def _take_descriptor(number: int, instead: int) -> int:
    """Return a copy of a standard descriptor, and put another in its place: nothing else may use it."""
    taken = os.dup(number)
    os.dup2(instead, number)
    os.close(instead)
    return taken


async def _serve(name: "UnresolvedRoot", source: int, target: int) -> int:
    notices = Notices(name)
    server = _build_server(Handlers(name), notices)
    options = server.create_initialization_options(NotificationOptions(resources_changed=True))
    transport = StdioTransport(source, target, notices.listen.close)
    codes: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_end_by_signal, group.cancel_scope, codes)
        group.start_soon(notices.tell_changes)
        await transport.run(lambda incoming, outgoing: server.run(incoming, outgoing, options))
        group.cancel_scope.cancel()
    if transport.failure is not None:
        _log.error("%s", transport.failure)
        codes.append(NOT_DONE.exit_code)
    return codes[0] if codes else 0


async def _end_by_signal(scope: anyio.CancelScope, codes: list[int]) -> None:
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        async for number in signals:
            codes.append(INTERRUPTED if number == signal.SIGINT else 0)
            scope.cancel()
            return


def _build_server(handlers: Handlers, notices: Notices) -> "Server[Any]":
    server: Server[Any] = Server(
        NAME,
        version=version(NAME),
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_subscribe_resource=notices.subscribe,
        on_unsubscribe_resource=notices.unsubscribe,
        on_subscriptions_listen=notices.listen,
    )
    server.add_notification_handler("notifications/initialized", NotificationParams, notices.note_initialized)
    return server
