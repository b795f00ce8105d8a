"""A connection to a server in RESP2, on a bare socket, so that a check does not load redis-py and its 110 ms.

INVARIANT: every call ends at its deadline, and no answer takes more than a few kilobytes, whatever the server sends.
"""

import _socket
import errno
import os

from cortex_policy.state import make_state_unavailable_error
from cortex_policy.state.shared_budgets.plausible_server_time import require_seconds_until_deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budget_server import BudgetServer

MAX_LINE = 4096  # bytes of one answer; an error may be long
LINE_END = b"\r\n"


class Connection:
    """An open connection. The first exchange logs in; after any error it must be closed, as answers may still come."""

    __slots__ = "_is_bound", "_login", "_received", "socket"

    def __init__(self, socket: "_socket.socket", login: tuple[bytes, ...] = ()) -> None:
        """Take a connected socket, and the requests that log in, which are sent together with the first one."""
        self.socket: _socket.socket = socket
        self._login, self._received, self._is_bound = login, b"", False

    def exchange(self, request: bytes, deadline_ns: int) -> bytes:
        """Send a request and return the one line that answers it; raise OSError (TimeoutError) or StateError."""
        self._send(request, deadline_ns)
        return self._read_only_line(deadline_ns)

    def ask(self, request: bytes, deadline_ns: int) -> bytes:
        """Send a request and return the first line of its answer; raise OSError (TimeoutError) or StateError."""
        self._send(request, deadline_ns)
        return self.read_line(deadline_ns)

    def read_line(self, deadline_ns: int) -> bytes:
        """Return the next line; raise OSError (TimeoutError), ConnectionResetError at its end, or StateError."""
        while LINE_END not in self._received:
            if len(self._received) > MAX_LINE:
                raise make_state_unavailable_error("the server of shared budgets gave an answer that is too long")
            self.socket.settimeout(require_seconds_until_deadline(deadline_ns))
            part = self.socket.recv(MAX_LINE)
            if not part:
                raise ConnectionResetError
            self._received += part
        line, _, self._received = self._received.partition(LINE_END)
        return line

    def _send(self, request: bytes, deadline_ns: int) -> None:
        """Send a request, after what logs in."""
        login, self._login = self._login, ()
        self.socket.settimeout(require_seconds_until_deadline(deadline_ns))
        self.socket.sendall(b"".join((*login, request)))
        for _ in login:
            greeting = self.read_line(deadline_ns)
            if greeting != b"+OK":
                from cortex_policy.state.shared_budgets.server_errors import make_login_error  # noqa: PLC0415 - only a failure needs it

                raise make_login_error(greeting)

    def _read_only_line(self, deadline_ns: int) -> bytes:
        """Return the next line, after which there is none."""
        line = self.read_line(deadline_ns)
        if self._received:
            raise make_state_unavailable_error("the server of shared budgets gave more answers than it was asked for")
        if self._is_bound:
            self.socket.settimeout(None)
        return line

    def exchange_with_kernel_timeout(self, request: bytes, deadline_ns: int) -> bytes:
        """Do the same in two calls of the system, not six, if the kernel bounds each (`set_kernel_timeout`)."""
        if not self._is_bound:
            return self.exchange(request, deadline_ns)
        try:
            self.socket.sendall(request)
            self._received = self.socket.recv(MAX_LINE)
        except BlockingIOError:
            raise TimeoutError from None
        if self._received.find(LINE_END) == len(self._received) - 2 > 0:
            line, self._received = self._received[:-2], b""
            return line
        if not self._received:
            raise ConnectionResetError
        return self._read_only_line(deadline_ns)

    def set_kernel_timeout(self, timeout_ms: int) -> None:
        """Let the kernel end each step after a time. Not for TLS, which needs several to read one line."""
        interval = memoryview(bytearray(16)).cast("l")
        interval[0], interval[1] = timeout_ms // 1000, timeout_ms % 1000 * 1000
        for option in (_socket.SO_RCVTIMEO, _socket.SO_SNDTIMEO):
            self.socket.setsockopt(_socket.SOL_SOCKET, option, interval.tobytes())
        self.socket.settimeout(None)
        self._is_bound = True

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    __del__ = close  # of budgets that were never told to forget it


def connect_without_login(
    server: "BudgetServer", password: str, nodes: "tuple[tuple[str, int], ...]", deadline_ns: int
) -> Connection:
    """Connect to the socket of a server, or to the first of these nodes that accepts; raise OSError or StateError."""
    login = make_login_requests(server, password)
    if server.socket:
        return Connection(_open(_socket.AF_UNIX, server.socket, deadline_ns), login)
    failure: OSError = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    for host, port in nodes:
        try:
            return Connection(_connect_node(server, host, port, deadline_ns), login)
        except TimeoutError:
            raise
        except OSError as error:
            failure = error
    raise failure


def _connect_node(server: "BudgetServer", host: str, port: int, deadline_ns: int) -> "_socket.socket":
    """Connect to one node, by whichever of its addresses accepts."""
    failure = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    for family, place in _resolve(host, port, deadline_ns):
        try:
            socket = _open(family, place, deadline_ns)
        except TimeoutError:
            raise
        except OSError as error:
            failure = error
            continue
        if not server.is_tls:
            return socket
        from cortex_policy.state.shared_budgets.tls import wrap_socket  # noqa: PLC0415 - it loads `ssl`

        return wrap_socket(socket, host, server.files, deadline_ns)
    raise failure


def make_login_requests(server: "BudgetServer", password: str) -> tuple[bytes, ...]:
    """Return the requests that log in and choose the database."""
    requests = []
    if password:
        words = filter(None, (server.user, password))
        requests.append(pack_command(b"AUTH", *(word.encode("utf-8", "surrogatepass") for word in words)))
    if server.database:
        requests.append(pack_command(b"SELECT", b"%d" % server.database))
    return tuple(requests)


def pack_command(*words: bytes) -> bytes:
    """Return the bytes of a command."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _open(family: int, place: "str | tuple[object, ...]", deadline_ns: int) -> "_socket.socket":
    socket = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        socket.settimeout(require_seconds_until_deadline(deadline_ns))
        if family != _socket.AF_UNIX:
            socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        socket.connect(place)
    except BaseException:
        socket.close()
        raise
    return socket


def _resolve(host: str, port: int, deadline_ns: int) -> "list[tuple[int, tuple[object, ...]]]":
    """Return the family and address of each address of a host; a name is looked up in a thread that can be left."""
    try:
        return _look_up(host, port, _socket.AI_NUMERICHOST)
    except _socket.gaierror:
        pass
    from _thread import allocate_lock, start_new_thread  # noqa: PLC0415 - only names need it

    found: list[list[tuple[int, tuple[object, ...]]] | OSError] = []
    is_done = allocate_lock()
    is_done.acquire()

    def look_up() -> None:
        """Look the name up, however long that takes, and wake the thread that waits for it."""
        try:
            found.append(_look_up(host, port, 0))
        except OSError as error:
            found.append(error)
        finally:
            is_done.release()

    start_new_thread(look_up, ())
    if not is_done.acquire(timeout=require_seconds_until_deadline(deadline_ns)):
        raise TimeoutError
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _look_up(host: str, port: int, flags: int) -> "list[tuple[int, tuple[object, ...]]]":
    places = _socket.getaddrinfo(host.encode(), port, 0, _socket.SOCK_STREAM, 0, flags)
    return [(place[0], place[4]) for place in places]
