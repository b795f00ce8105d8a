"""Shared budgets for services: connections stay open, ready-made requests are kept, and a dead server costs little.

One module of more than 250 lines: a hit needs most of it, and a call into another module costs it time.
"""

import os
from weakref import WeakSet

from cortex_policy.core.budget_server import FORMS, BudgetServer, NotAServerError, parse_budget_server
from cortex_policy.core.input_values import require_budget_arguments
from cortex_policy.core.model import Budget, StateError, UsageError
from cortex_policy.state import find_named_or_default_state_directory
from cortex_policy.state.settings import find_state_directory
from cortex_policy.state.shared_budgets.one_shot_budgets import OneShotBudgets
from cortex_policy.state.shared_budgets.plausible_server_time import PAUSE_NS, ServerClock, read_nanoseconds_since_boot
from cortex_policy.state.shared_budgets.primary_connection import ServerConnection
from cortex_policy.state.shared_budgets.protocol import TAKE, Call, add_script_to_repeat_request
from cortex_policy.state.shared_budgets.reusable_connection import LOOK_NS, PersistentConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    import redis

    from cortex_policy.state.shared_budgets.async_client import AsyncBudgetClient

MAX_KEPT = 4096  # ready-made requests
MAX_REMEMBERED_NS = 1_000_000_000  # of a denial, so that a reset counts soon
SAVE_NS = 1_000_000_000  # between two writes of the server's time for other processes
_Key = tuple[str, str, int, int]
_alive: "WeakSet[RedisBudgets]" = WeakSet()


class RedisBudgets(OneShotBudgets):
    """Budgets on a Redis or Valkey server, shared by all hosts that give the same name and secret.

    For any number of threads, and across forks. It counts, and sees no emergency stop: `enforce(..., budgets=...)`
    does.
    """

    def __init__(
        self,
        server: "BudgetServer | str | redis.Redis",
        name: str,
        secret: bytes,
        *,
        password: str = "",
        timeout_ms: int = 50,
        wait_replicas: int = 0,
        state_dir: str | None = None,
    ) -> None:
        """Take the server (docs/shared-budgets.md has the forms), the name that hosts share, and the key of its hashes.

        The server is a URL, or a client of redis-py, whose retries and time-outs are not used.
        Every call ends within `timeout_ms`, and is allowed if `wait_replicas` replicas have its hit by then. Raises
        UsageError for a wrong URL, StateError for a short secret.
        """
        directory = find_state_directory() if state_dir is None else find_named_or_default_state_directory(state_dir)
        self._client: redis.Redis | None = None
        if isinstance(server, str):
            server = _parse(server)
        elif not isinstance(server, BudgetServer):
            from cortex_policy.state.shared_budgets.redis_py_connection import find_server_of_client  # noqa: PLC0415 - it loads redis-py

            self._client, server = server, find_server_of_client(server)
        super().__init__(
            server,
            name,
            secret,
            password=password,
            timeout_ms=timeout_ms,
            wait_replicas=wait_replicas,
            state_dir=directory,
        )
        self._calls: dict[_Key, Call] = {}
        self._denials: dict[_Key, tuple[int, Budget]] = {}
        self._clock, self._is_clock_loaded = ServerClock(), False
        self._saved_ns = self._down_until_ns = 0
        self.abandon_connections()
        _alive.add(self)

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
        """Take `cost` hits if they fit into `limit` a minute, and say so; raise StateError if that is unknown."""
        key = (tool, action, limit, cost)
        if type(tool) is type(action) is str and cost == 1 and key not in self._denials and not self.wait_replicas:
            call = self._calls.get(key)
            if call is not None and self._hit_again(call):
                return True
        return self.take(tool, action, limit, cost).consumed == cost

    def denial(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget | None:
        """Return what `take` would say, if a denial of the last second still holds; ask nobody."""
        asked_ns, budget = self._denials.get((tool, action, limit, cost), (0, None))
        if budget is None:
            return None
        passed = read_nanoseconds_since_boot() - asked_ns
        left = (budget.retry_after_seconds or 0.0) - passed / 1e9
        if passed >= MAX_REMEMBERED_NS or left <= 0:
            self._denials.pop((tool, action, limit, cost), None)
            return None
        return Budget(limit, budget.used, budget.remaining, left, 0, budget.closed, False, False, budget.closed_because)  # noqa: FBT003 - in order

    def forget(self) -> None:
        """Drop the open connections; the next call opens one."""
        if self._async_client is not None:
            self._async_client.close()
        self.abandon_connections()

    def abandon_connections(self) -> None:
        """Drop the connections that a fork made shared: a child only closes its copies."""
        self._idle: list[PersistentConnection] = []
        self._async_client: AsyncBudgetClient | None = None

    async def take_async(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Do what `take` does without blocking the event loop; calls that run at once share a connection.

        If the task is cancelled while it waits, the hits may already be taken.
        """
        if self._client is not None:
            from asyncio import to_thread  # noqa: PLC0415 - who awaits has loaded it

            return await to_thread(self.take, tool, action, limit, cost)
        found = self._prepare(tool, action, limit, cost)
        if isinstance(found, Budget):
            return found
        asked_ns = read_nanoseconds_since_boot()
        self._refuse_while_down(asked_ns)
        try:
            budget = await self._get_async_client().ask(found, self._load_clock())
        except OSError as error:
            raise self._failure(error) from None
        self._down_until_ns = 0
        self._save_clock(asked_ns)
        return self._remember((tool, action, limit, cost), asked_ns, budget)

    def _count(self, what: bytes, tool: str, action: str, limit: int, cost: int) -> Budget:
        if what is not TAKE:
            return super()._count(what, tool, action, limit, cost)
        found = self._prepare(tool, action, limit, cost)
        if isinstance(found, Budget):
            return found
        asked_ns = read_nanoseconds_since_boot()
        return self._remember((tool, action, limit, cost), asked_ns, self._ask(found))

    def _prepare(self, tool: str, action: str, limit: int, cost: int) -> Budget | Call:
        """Return what to ask, or the budget if that is known without."""
        if not (type(tool) is type(action) is str and type(limit) is type(cost) is int) or cost < 1:
            tool, action, limit, cost = require_budget_arguments(tool, action, limit, cost)
        if limit < cost:
            return Budget(limit, 0, limit, None, 0)
        key = (tool, action, limit, cost)
        if self._denials and (budget := self.denial(*key)) is not None:
            return budget
        call = self._calls.get(key)
        if call is None:
            if len(self._calls) >= MAX_KEPT:
                self._calls, self._denials = {}, {}
            call = self._calls[key] = Call(self._keys, TAKE, (tool, action), limit, cost, self.wait_replicas)
        return call

    def _remember(self, key: _Key, asked_ns: int, budget: Budget) -> Budget:
        """Keep a denial for a while: other hosts only add hits, so it holds until it says."""
        if not budget.consumed:
            self._denials[key] = asked_ns, budget
        return budget

    def _hit_again(self, call: Call) -> bool:
        """Take one hit over an open connection; False: nothing was taken, ask in full. Raises StateError."""
        asked_ns = read_nanoseconds_since_boot()
        try:
            link = self._idle.pop()
        except IndexError:
            return False
        if asked_ns - link.looked_ns > LOOK_NS or link.is_closed(asked_ns):
            self._idle.append(link)  # the full way looks at it again
            return False
        link.used_ns = asked_ns
        request, deadline_ns = call.repeat_request(self._clock, asked_ns), asked_ns + self.timeout_ms * 1_000_000
        connection = link.server_connection.connection
        try:
            line = connection.exchange_with_kernel_timeout(request, deadline_ns)
            if line.startswith(b"-NOSCRIPT"):
                line = connection.exchange(add_script_to_repeat_request(request), deadline_ns)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise self._failure(error) from None
            raise
        self._idle.append(link)
        return line == b":1"

    def _ask(self, call: Call, *, is_of_operator: bool = False) -> Budget:
        """Ask over a connection that is open, or a new one; after a failure, refuse at once until a pause is over."""
        asked_ns = read_nanoseconds_since_boot()
        if not is_of_operator:
            self._refuse_while_down(asked_ns)
        deadline_ns = asked_ns + self.timeout_ms * 1_000_000
        try:
            clock = self._load_clock()
            link = self._open_link(asked_ns) or PersistentConnection(self._open_server_connection(deadline_ns))
            budget = link.ask(call, clock, deadline_ns - read_nanoseconds_since_boot())
            link.keep(asked_ns, self.timeout_ms, has_looked=bool(budget.consumed))
            self._save_clock(asked_ns)
        except OSError as error:
            raise self._failure(error) from None
        self._down_until_ns = 0
        self._idle.append(link)
        return budget

    def _open_server_connection(self, deadline_ns: int) -> ServerConnection:
        if self._client is None:
            return ServerConnection(self.server, self._password, deadline_ns)
        from cortex_policy.state.shared_budgets.redis_py_connection import RedisPyConnection  # noqa: PLC0415 - it is loaded already

        return RedisPyConnection(self._client, self.timeout_ms)

    def _refuse_while_down(self, now_ns: int) -> None:
        """Raise BudgetServerError for a while after a failure, except for one call that looks whether that is over."""
        if now_ns < self._down_until_ns:
            from cortex_policy.state.shared_budgets.server_errors import make_pause_error  # noqa: PLC0415 - only a failure needs it

            raise make_pause_error(self.server.label)
        if self._down_until_ns:
            self._down_until_ns = now_ns + PAUSE_NS

    def _get_async_client(self) -> "AsyncBudgetClient":
        if self._async_client is None:
            from cortex_policy.state.shared_budgets.async_client import AsyncBudgetClient  # noqa: PLC0415 - it loads asyncio

            self._async_client = AsyncBudgetClient(self.server, self._password, self.timeout_ms)
        return self._async_client

    def _load_clock(self) -> ServerClock:
        if not self._is_clock_loaded:
            self._clock, self._is_clock_loaded = self._clock_file.load(), True
            self._clock.down_until_ns = 0  # a service has a pause of its own, and saves only after an answer
        return self._clock

    def _open_link(self, asked_ns: int) -> "PersistentConnection | None":
        """Take an open connection, None if there is none; one that the server has closed is dropped."""
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if not link.is_closed(asked_ns):
                return link
            link.server_connection.close()
        return None

    def _failure(self, error: OSError) -> StateError:
        """Return the error for a failure, after which the server is not asked for a while."""
        from cortex_policy.state.shared_budgets.server_errors import make_connection_error  # noqa: PLC0415 - only a failure needs it

        self._down_until_ns = read_nanoseconds_since_boot() + PAUSE_NS
        self.forget()
        return make_connection_error(error, self.server.label, self.timeout_ms)

    def _save_clock(self, asked_ns: int) -> None:
        """Keep what is known of the server's clock for other processes of this host, once a second."""
        if asked_ns - self._saved_ns > SAVE_NS:
            self._saved_ns = asked_ns
            self._clock_file.save(self._clock)


def _parse(url: str) -> BudgetServer:
    try:
        return parse_budget_server(url)
    except NotAServerError:
        message = "the URL names no server of shared budgets"
        raise UsageError(message, f"write it as {FORMS}") from None


def _forget_after_fork() -> None:
    """Drop the connections in a child: two processes on one would read each other's answers."""
    for budgets in _alive:
        budgets.abandon_connections()


os.register_at_fork(after_in_child=_forget_after_fork)
