"""Shared budgets for a process that asks once: it connects, asks, and closes the connection."""

from cortex_policy.core.budget_server import BudgetServer
from cortex_policy.core.model import Budget
from cortex_policy.state import make_state_unavailable_error
from cortex_policy.state.shared_budgets.keys import BudgetKeys, require_strong_secret
from cortex_policy.state.shared_budgets.plausible_server_time import (
    PAUSE_NS,
    ServerClock,
    ServerClockFile,
    read_nanoseconds_since_boot,
)
from cortex_policy.state.shared_budgets.primary_connection import ServerConnection
from cortex_policy.state.shared_budgets.protocol import PEEK, RESET, RESET_ALL, TAKE, Call, run_conversation


class OneShotBudgets:
    """The budgets of one name, counted on a server for all hosts: the same methods as a ledger, just as exact.

    Nothing is tried twice: after a failure nobody knows whether the hits were taken, so the call is denied.
    """

    def __init__(
        self,
        server: BudgetServer,
        name: str,
        secret: bytes,
        *,
        password: str = "",
        timeout_ms: int = 50,
        wait_replicas: int = 0,
        state_dir: str,
    ) -> None:
        """Take the server, the name that hosts share, the key of its hashes, and the state directory of this host.

        Every call ends within `timeout_ms`, and is allowed if `wait_replicas` replicas have its hits by then. Raises
        StateError for a secret that is too short.
        """
        self.server: BudgetServer = server
        self.name: str = name
        self.timeout_ms: int = timeout_ms
        self.wait_replicas: int = wait_replicas
        self._password = password
        self._keys = BudgetKeys(name, require_strong_secret(secret))
        self._clock_file = ServerClockFile(state_dir, f"{server.label} {server.database}", self._keys.epoch)

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take `cost` hits if they fit into `limit` a minute; raise StateError if that cannot be known."""
        return self._count(TAKE, tool, action, limit, cost)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Return what `take` would; consume nothing, and write nothing."""
        return self._count(PEEK, tool, action, limit, cost)

    def usage(self, tool: str, action: str) -> int:
        """Return the hits of the last minute; raise StateError if they cannot be known."""
        budget = self.peek(tool, action, 1)
        if budget.closed:
            raise make_state_unavailable_error(
                f"the shared budgets are closed: {budget.closed_because}", "try again in a minute"
            )
        return budget.used

    def reset(self, tool: str, action: str) -> bool:
        """Forget the hits of a budget and open it if it is closed; return whether it was known; raise StateError."""
        return bool(self._ask(Call(self._keys, RESET, (tool, action)), is_of_operator=True).consumed)

    def reset_all(self) -> None:
        """Forget the hits of all budgets of this name, and open them; raise StateError."""
        self._ask(Call(self._keys, RESET_ALL, ("", "")), is_of_operator=True)

    def _count(self, what: bytes, tool: str, action: str, limit: int, cost: int) -> Budget:
        if not (type(tool) is type(action) is str and type(limit) is type(cost) is int) or cost < 1:
            from cortex_policy.core.input_values import require_budget_arguments  # noqa: PLC0415 - only from Python

            tool, action, limit, cost = require_budget_arguments(tool, action, limit, cost)
        if limit < cost:
            return Budget(limit, 0, limit, None, 0)
        return self._ask(Call(self._keys, what, (tool, action), limit, cost, self.wait_replicas))

    def _ask(self, call: Call, *, is_of_operator: bool = False) -> Budget:
        """Ask, and keep what the answer says of the server's clock for the next process.

        After a failure no process of this host asks for a while: a dead server costs one time-out, not one a call.
        """
        now_ns = read_nanoseconds_since_boot()
        clock = self._clock_file.load()
        if clock.is_in_retry_pause(now_ns) and not is_of_operator:
            from cortex_policy.state.shared_budgets.server_errors import make_pause_error  # noqa: PLC0415 - only a failure needs it

            raise make_pause_error(self.server.label)
        before = clock.known
        if clock.down_until_ns:  # this call looks whether the server is back, for all others
            self._pause(clock)
        try:
            budget = self._converse(call, clock, now_ns + self.timeout_ms * 1_000_000)
        except OSError as error:
            from cortex_policy.state.shared_budgets.server_errors import make_connection_error  # noqa: PLC0415 - only a failure needs it

            self._pause(clock)
            raise make_connection_error(error, self.server.label, self.timeout_ms) from None
        if clock.known != before or clock.down_until_ns:
            clock.down_until_ns = 0
            self._clock_file.save(clock)
        return budget

    def _pause(self, clock: ServerClock) -> None:
        clock.down_until_ns = read_nanoseconds_since_boot() + PAUSE_NS
        self._clock_file.save(clock)

    def _converse(self, call: Call, clock: ServerClock, deadline_ns: int) -> Budget:
        """Connect, ask and close."""
        connection = ServerConnection(self.server, self._password, deadline_ns)
        try:
            return run_conversation(
                call.conversation(clock, self.timeout_ms * 1_000_000),
                lambda request: connection.exchange(request, deadline_ns),
            )
        finally:
            connection.close()
