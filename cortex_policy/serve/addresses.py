"""Where the server can be reached: a unix socket of its user, an address with TLS, or a socket that systemd made."""

import os
import socket
import ssl
import stat
from ipaddress import ip_address

from cortex_policy.core import Value
from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.hook_server.listeners import UnixListener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any

BACKLOG = 2048
_FIRST_INHERITED = 3  # as systemd counts descriptors
_SYSTEMD = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_MAX_PORT = 65535
_OTHERS = 0o007
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Address(Value):
    """A socket that listens, and what clients must say to reach it.

    `names` are the values of `Host` that name it; with none it is a unix socket, and any name will do. `listener`
    removes the socket at the end if we made it.
    """

    socket: socket.socket
    url: str
    names: frozenset[str]
    tls: ssl.SSLContext | None
    listener: UnixListener | None

    @property
    def is_unix(self) -> bool:
        """Whether its clients are known by their user ids."""
        return not self.names

    @property
    def origins(self) -> frozenset[str]:
        """The values of `Origin` that pages of this server would send."""
        return frozenset(f"{'https' if self.tls else 'http'}://{name}" for name in self.names)

    def close(self) -> None:
        """Stop listening, and remove a socket that we made."""
        self.socket.close()
        if self.listener is not None:
            self.listener.close()


def listen_on_unix_socket(path: str) -> Address:
    """Make a socket at a path, with mode 0600 in a directory that is ours alone; raise NotDoneError or StateError."""
    listener = UnixListener(path)
    return Address(listener.socket, f"unix:{path}", frozenset(), None, listener)


def listen_on_tcp_address(text: str, tls: ssl.SSLContext | None) -> Address:
    """Listen on `HOST:PORT`; raise UsageError if it needs TLS and has none, NotDoneError if it cannot be had."""
    host, port = parse_host_and_port(text)
    family, kind, protocol, place = _resolve(host, port)
    _check_place(str(place[0]), tls)
    made = socket.socket(family, kind, protocol)  # asyncio sends without delay only if the protocol is named
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise NotDoneError(
            f"`{text}` is not available: {format_os_error_cause(error)}", "use another port with `--tcp HOST:PORT`"
        ) from None
    return _network_address(made, host, tls)


def inherit_socket(environment: "MutableMapping[str, str]", tls: ssl.SSLContext | None) -> Address:
    """Take the one socket that systemd made; raise UsageError if it is another kind of socket, or needs TLS."""
    number = environment.get("LISTEN_FDS")
    for name in _SYSTEMD:
        environment.pop(name, None)
    if number != "1":
        raise UsageError(f"systemd gave {number} sockets", "write one `ListenStream=` into the socket unit")
    try:
        os.set_inheritable(_FIRST_INHERITED, False)  # noqa: FBT003 - as the standard library has it
        given = socket.socket(fileno=_FIRST_INHERITED)
    except OSError as error:
        raise UsageError(f"descriptor {_FIRST_INHERITED} is not a socket: {format_os_error_cause(error)}") from None
    if given.type != socket.SOCK_STREAM or not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise UsageError(f"descriptor {_FIRST_INHERITED} does not listen", "use `ListenStream=` and `Accept=no`")
    if given.family not in _FAMILIES:
        raise UsageError(
            f"descriptor {_FIRST_INHERITED} is neither a unix socket nor an IP socket", "use a path or an IP address"
        )
    if given.family == socket.AF_UNIX:
        return Address(given, f"unix:{given.getsockname()}", frozenset(), None, None)
    host = str(given.getsockname()[0])
    _check_place(host, tls)
    return _network_address(given, host, tls)


def has_inherited_socket(environment: "Mapping[str, str]") -> bool:
    """Whether systemd made the socket of this process."""
    return environment.get("LISTEN_PID") == str(os.getpid()) and "LISTEN_FDS" in environment


def load_tls_context_of_server(certificate: str, key: str) -> ssl.SSLContext:
    """Return a context with a certificate and its key; raise NotDoneError if they cannot be used."""
    try:
        mode = os.stat(key).st_mode
        if stat.S_IMODE(mode) & _OTHERS:
            raise NotDoneError(f"everyone can read or write `{key}`", "run `chmod o=` on it")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # an encrypted key would ask a terminal otherwise
        context.load_cert_chain(certificate, key, password="")
        context.set_alpn_protocols(["http/1.1"])
    except (OSError, ValueError) as error:  # ssl's own are OSErrors
        raise NotDoneError(f"`{certificate}` and `{key}` cannot be used: {format_os_error_cause(error)}") from None
    return context


def parse_host_and_port(text: str) -> tuple[str, int]:
    """Return the host and the port of `HOST:PORT`; raise UsageError for anything else."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (colon and bare and port.isascii() and port.isdigit() and int(port) <= _MAX_PORT) or (
        ":" in bare and bare == host
    ):
        raise UsageError(f"`{text}` is not an address", "write `127.0.0.1:8930`, `[::1]:8930` or `pdp.example.org:443`")
    return bare.lower(), int(port)


def resolve_to_numeric_host(host: str, port: int) -> str:
    """Return the number of the address at which a server of this name listens; raise NotDoneError if it has none."""
    return str(_resolve(host, port)[-1][0])


def _resolve(host: str, port: int) -> "tuple[int, int, int, Any]":
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise NotDoneError(f"`{host}` has no address: {format_os_error_cause(error)}") from None
    return family, kind, protocol, place


def _check_place(host: str, tls: ssl.SSLContext | None) -> None:
    place = ip_address(host.partition("%")[0])
    if place.is_unspecified:
        hint = "name the address or the host name that clients use: `Host` must be it"
        raise UsageError(f"`{host}` is every address of this host", hint)
    if not place.is_loopback and tls is None:
        raise UsageError(f"`{host}` can be reached by other hosts", "it needs TLS: `--cert FILE --key FILE`")


def _network_address(made: socket.socket, host: str, tls: ssl.SSLContext | None) -> Address:
    literal, port = made.getsockname()[:2]
    hosts = {host, str(literal)} | ({"localhost"} if ip_address(str(literal).partition("%")[0]).is_loopback else set())
    written = {f"[{one}]" if ":" in one else one for one in hosts}
    scheme = "https" if tls else "http"
    names = {f"{one}:{port}" for one in written}
    if port == _DEFAULT_PORTS[scheme]:
        names |= written
    shown = f"[{host}]" if ":" in host else host
    return Address(made, f"{scheme}://{shown}:{port}", frozenset(names), tls, None)
