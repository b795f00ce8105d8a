"""Who is told of a change: in 2026-07-28 whoever listens, before that the client of the connection."""

import logging

import anyio
from anyio import to_thread
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourcesListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, EmptyResult

from cortex_policy.mcp.log_lines import format_bug_with_place
from cortex_policy.mcp.server_changes import UNTOLD_SECONDS, Changes
from cortex_policy.mcp.server_files import make_policy_file_uri, parse_policy_file_uri_or_none
from cortex_policy.mcp.server_handlers import make_unknown_uri_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mcp.server.context import ServerRequestContext
    from mcp.server.session import ServerSession
    from mcp_types import NotificationParams, SubscribeRequestParams, UnsubscribeRequestParams

    from cortex_policy.library.root_path_lookup import UnresolvedRoot

    Context = ServerRequestContext[Any, Any]

MAX_STREAMS = 8  # requests of one client that wait for changes
MAX_SUBSCRIPTIONS = 1024
_REST_SECONDS = 0.02  # after a change: what one command writes is one change
_log = logging.getLogger(__name__)


class Notices:
    """Looks for changes, and tells the client of them."""

    def __init__(self, name: "UnresolvedRoot") -> None:
        """Remember how the files are now."""
        self._changes = Changes(name)
        self._bus = InMemorySubscriptionBus()
        # the handler of `subscriptions/listen`
        self.listen: ListenHandler = ListenHandler(self._bus, max_subscriptions=MAX_STREAMS)
        self._session: ServerSession | None = None
        self._subscribed: set[str] = set()

    async def note_initialized(self, context: "Context", _: "NotificationParams") -> None:
        """Note that the client of an older revision can be told of changes."""
        self._session = context.session

    async def subscribe(self, context: "Context", params: "SubscribeRequestParams") -> EmptyResult:
        """Tell the client of changes of a resource, also of one that does not exist yet."""
        if parse_policy_file_uri_or_none(params.uri) is None:
            raise make_unknown_uri_error(params.uri)
        if params.uri not in self._subscribed and len(self._subscribed) >= MAX_SUBSCRIPTIONS:
            raise MCPError(INVALID_PARAMS, f"there are {MAX_SUBSCRIPTIONS:,} subscriptions already")
        self._subscribed.add(params.uri)
        self._session = context.session
        return EmptyResult()

    async def unsubscribe(self, _: "Context", params: "UnsubscribeRequestParams") -> EmptyResult:
        """Tell the client no more of a resource."""
        self._subscribed.discard(params.uri)
        return EmptyResult()

    async def tell_changes(self) -> None:
        """Tell of each change until the task is cancelled."""
        while True:
            await self._wait_for_change()
            try:
                names, is_list_changed = await to_thread.run_sync(self._changes.find_changes, abandon_on_cancel=True)
            except Exception as error:  # noqa: BLE001 - the next look may succeed
                _log.error("%s", format_bug_with_place(error))
                await anyio.sleep(UNTOLD_SECONDS)
                continue
            if is_list_changed:
                await self._tell_of_list()
            for name in names:
                await self._tell_of_resource(make_policy_file_uri(name))

    async def _wait_for_change(self) -> None:
        """Wait until the kernel reports a change, or it is time to look."""
        with anyio.move_on_after(self._changes.seconds_to_next_look):
            if self._changes.descriptor < 0:
                await anyio.sleep_forever()
            await anyio.wait_readable(self._changes.descriptor)
            await anyio.sleep(_REST_SECONDS)

    async def _tell_of_list(self) -> None:
        await self._bus.publish(ResourcesListChanged())
        if self._session is not None:
            await self._session.send_resource_list_changed()

    async def _tell_of_resource(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))
        if self._session is not None and uri in self._subscribed:
            await self._session.send_resource_updated(uri)
