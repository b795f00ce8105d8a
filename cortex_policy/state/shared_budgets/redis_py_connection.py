"""Connections that a client of redis-py makes, for what a URL cannot say: credential providers, or an existing pool.

redis-py only connects and logs in, once, within the time of a call. Its defaults would try 10 times and wait for 5 s.
"""

from contextlib import suppress
from socket import SHUT_RDWR
from threading import Timer

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cortex_policy.core.budget_server import SINGLE, BudgetServer
from cortex_policy.state.shared_budgets.connection import Connection
from cortex_policy.state.shared_budgets.plausible_server_time import (
    read_nanoseconds_since_boot,
    require_seconds_until_deadline,
)
from cortex_policy.state.shared_budgets.primary_connection import ServerConnection
from cortex_policy.state.shared_budgets.server_errors import make_login_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RedisPyConnection(ServerConnection):
    """A connection to the server over a new connection of the kind that a client makes."""

    __slots__ = ("_made",)

    def __init__(self, client: "redis.Redis", timeout_ms: int) -> None:
        """Connect; raise OSError (TimeoutError) or StateError."""
        pool, seconds = client.connection_pool, timeout_ms / 1000
        options: dict[str, Any] = {
            **pool.connection_kwargs,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "retry_on_timeout": False,
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "health_check_interval": 0,
            "protocol": 2,
        }
        self._made = pool.connection_class(**options)
        deadline_ns = read_nanoseconds_since_boot() + timeout_ms * 1_000_000
        watch = Timer(seconds, self._cut)  # redis-py bounds each step, but not all of them
        watch.start()
        try:
            self._made.connect()
            require_seconds_until_deadline(deadline_ns)
        except (redis.AuthenticationError, redis.ResponseError) as error:
            # before 8.0, an error has no code
            code = getattr(error, "status_code", "WRONGPASS" if isinstance(error, redis.AuthenticationError) else "")
            raise make_login_error(f"-{code} ".encode()) from None
        except redis.RedisError as error:
            require_seconds_until_deadline(deadline_ns)
            raise _os_error(error) from None
        finally:
            watch.cancel()
        self._server, self._password = find_server_of_client(client), ""
        self.connection: Connection = Connection(self._made._sock)  # noqa: SLF001 - it has no other name for what is connected

    def _cut(self) -> None:
        """End a login that takes too long."""
        made = self._made._sock  # noqa: SLF001 - as above
        if made is not None:
            with suppress(OSError):
                made.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._made.disconnect()


def find_server_of_client(client: "redis.Redis") -> BudgetServer:
    """Return where a client connects to, for messages."""
    options = client.connection_pool.connection_kwargs
    path, port = options.get("path"), options.get("port")
    nodes = () if path else ((str(options.get("host", "the client's server")), int(port or 6379)),)
    return BudgetServer(SINGLE, nodes, str(path or ""), database=int(options.get("db") or 0))


def _os_error(error: redis.RedisError) -> OSError:
    """Return what the system said when redis-py failed to connect."""
    if isinstance(error, redis.TimeoutError):
        return TimeoutError()
    found = error.__context__
    return found if isinstance(found, OSError) else ConnectionResetError()
