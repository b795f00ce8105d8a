"""A connection that a service keeps open for the calls to come."""

from select import POLLIN, poll

from cortex_policy.core.model import Budget
from cortex_policy.state.shared_budgets.plausible_server_time import ServerClock, read_nanoseconds_since_boot
from cortex_policy.state.shared_budgets.primary_connection import ServerConnection
from cortex_policy.state.shared_budgets.protocol import Call, run_conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state.shared_budgets.connection import Connection

LOOK_NS = 100_000_000  # between two looks at the server's identity over one connection, which leads to one server
IDLE_NS = 10_000_000  # after which a connection may have been closed


class PersistentConnection:
    """A connection that is kept open."""

    __slots__ = "_connection", "_watch", "looked_ns", "server_connection", "used_ns"

    def __init__(self, server_connection: ServerConnection) -> None:
        """Take a new connection, over which nothing was heard yet."""
        self.server_connection: ServerConnection = server_connection
        self.looked_ns: int = -LOOK_NS
        self.used_ns: int = 0
        self._watch: poll | None = None
        self._connection: Connection | None = None

    def is_closed(self, now_ns: int) -> bool:
        """Whether the server has closed it, or sent what nobody asked for; looks only after a while without a call."""
        return now_ns - self.used_ns > IDLE_NS and self._watch is not None and bool(self._watch.poll(0))

    def ask(self, call: Call, clock: ServerClock, timeout_ns: int) -> Budget:
        """Ask the server; close the connection after any failure, as an answer may still come."""
        try:
            deadline_ns = read_nanoseconds_since_boot() + timeout_ns
            return run_conversation(
                call.conversation(clock, timeout_ns),
                lambda request: self.server_connection.exchange(request, deadline_ns),
            )
        except BaseException:
            self.server_connection.close()
            raise

    def keep(self, now_ns: int, timeout_ms: int, *, has_looked: bool) -> None:
        """Prepare it for calls to come; a call that was allowed has looked at the server's identity."""
        self.used_ns = now_ns
        if self._connection is not self.server_connection.connection:  # a new one, or another node of the cluster
            self.looked_ns = -LOOK_NS
            self._connection, self._watch = self.server_connection.connection, poll()
            self._watch.register(self.server_connection.fileno(), POLLIN)
            if not hasattr(self._connection.socket, "pending"):  # TLS reads more than a line has
                self._connection.set_kernel_timeout(timeout_ms)
        if has_looked:
            self.looked_ns = now_ns
