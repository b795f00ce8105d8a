"""A connection to the server that counts the budgets of a name, wherever Sentinel or a cluster has it."""

from cortex_policy.core.budget_server import CLUSTER
from cortex_policy.state.shared_budgets.connection import Connection, connect_without_login

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budget_server import BudgetServer

MAX_HOPS = 3  # from node to node of a cluster, in one call
MOVED = b"-MOVED "


class ServerConnection:
    """An open connection to the server, whichever that is by now; after any error it must be closed."""

    __slots__ = "_password", "_server", "connection"

    def __init__(self, server: "BudgetServer", password: str, deadline_ns: int) -> None:
        """Connect; raise OSError, TimeoutError at the deadline, or StateError."""
        self._server, self._password, nodes = server, password, server.nodes
        if server.service:
            from cortex_policy.state.shared_budgets.sentinel import find_primary  # noqa: PLC0415 - few use it

            nodes = (find_primary(server, password, deadline_ns),)
        self.connection: Connection = connect_without_login(server, password, nodes, deadline_ns)

    def exchange(self, request: bytes, deadline_ns: int) -> bytes:
        """Send a request to the node that has the budgets; return the line of its answer, or raise as `connect`."""
        line = self.connection.exchange(request, deadline_ns)
        hops = 0
        # a node that redirects has done nothing
        while line.startswith(MOVED) and self._server.kind == CLUSTER and hops < MAX_HOPS:
            self.connection.close()
            self.connection = connect_without_login(
                self._server, self._password, (parse_redirection(line),), deadline_ns
            )
            line = self.connection.exchange(request, deadline_ns)
            hops += 1
        return line

    def fileno(self) -> int:
        """Return the descriptor of the socket, to be polled."""
        return self.connection.socket.fileno()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def parse_redirection(line: bytes) -> tuple[str, int]:
    """Return the node that an answer names, as `-MOVED SLOT HOST:PORT`."""
    host, _, port = line.split(b" ")[-1].decode("ascii", "replace").rpartition(":")
    if not host or not port.isdigit():
        from cortex_policy.state.shared_budgets.server_errors import make_unexpected_answer_error  # noqa: PLC0415 - only a failure needs it

        raise make_unexpected_answer_error(line)
    return host, int(port)
