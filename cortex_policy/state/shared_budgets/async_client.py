"""Asks for shared budgets from asyncio: one connection for each event loop."""

import asyncio
from weakref import WeakKeyDictionary

from cortex_policy.state.shared_budgets.async_connection import AsyncServerConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budget_server import BudgetServer
    from cortex_policy.core.model import Budget
    from cortex_policy.state.shared_budgets.plausible_server_time import ServerClock
    from cortex_policy.state.shared_budgets.protocol import Call


class AsyncBudgetClient:
    """Holds conversations with a server, within a time."""

    def __init__(self, server: "BudgetServer", password: str, timeout_ms: int) -> None:
        """Open nothing yet."""
        self._server, self._password, self._timeout_ms = server, password, timeout_ms
        self._connections: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncServerConnection] = WeakKeyDictionary()

    def close(self) -> None:
        """Close the connections, each in its event loop."""
        for loop, connection in list(self._connections.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(connection.close)

    async def ask(self, call: "Call", clock: "ServerClock") -> "Budget":
        """Ask the server; raise OSError (TimeoutError) or StateError.

        After a failure all tasks that wait for this server get an error: nobody knows which answers are still to come.
        """
        loop = asyncio.get_running_loop()
        connection = self._connections.get(loop)
        if connection is None:
            connection = self._connections[loop] = AsyncServerConnection(self._server, self._password, self._timeout_ms)
        conversation = call.conversation(clock, self._timeout_ms * 1_000_000)
        request = next(conversation)
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                while True:
                    request = conversation.send(await connection.ask(request))
        except StopIteration as end:
            budget: Budget = end.value
            return budget
        except OSError:
            connection.close()
            raise
