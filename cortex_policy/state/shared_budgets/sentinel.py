"""Where Sentinel has the primary of a service."""

from cortex_policy.core.model import StateError
from cortex_policy.state import make_state_unavailable_error
from cortex_policy.state.shared_budgets.connection import connect_without_login, pack_command
from cortex_policy.state.shared_budgets.server_errors import make_answer_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budget_server import BudgetServer


def find_primary(server: "BudgetServer", password: str, deadline_ns: int) -> tuple[str, int]:
    """Return the host and port that the first Sentinel to know the service names; raise OSError or StateError."""
    failure: OSError | StateError = ConnectionRefusedError()
    for node in server.nodes:
        try:
            return _ask(server, password, node, deadline_ns)
        except TimeoutError:
            raise
        except (OSError, StateError) as error:
            failure = error
    raise failure


def _ask(server: "BudgetServer", password: str, node: tuple[str, int], deadline_ns: int) -> tuple[str, int]:
    question = pack_command(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", server.service.encode())
    connection = connect_without_login(server, password, (node,), deadline_ns)
    try:
        line = connection.ask(question, deadline_ns)
        if line == b"*-1":
            raise make_state_unavailable_error(f"Sentinel does not know the service `{server.service}`")
        parts = [connection.read_line(deadline_ns) for _ in range(4)] if line == b"*2" else []
    finally:
        connection.close()
    if not parts or not parts[3].isdigit():
        raise make_answer_error(line)
    return parts[1].decode("ascii", "replace"), int(parts[3])
