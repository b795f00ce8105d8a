"""The address of a server as a URL, in the forms that Redis clients use."""

from cortex_policy.core import Value
from cortex_policy.core.model import UsageError

FORMS = (
    "redis://HOST:PORT/DB",
    "unix:///PATH?db=DB",
    "rediss://HOST:PORT/DB",
    "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB",
    "redis+cluster://HOST:PORT,HOST:PORT",
)
DEFAULT_PORT, SENTINEL_PORT = 6379, 26379
_MAX_DATABASE, _MAX_PORT = 1 << 16, (1 << 16) - 1
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_HEX = "0123456789abcdefABCDEF"


class ServerAddress(Value):
    """Where the budgets are counted: the path of a socket, or hosts with ports; `service` is a name in Sentinel.

    `shown` is the address for people, without a password.
    """

    shown: str
    path: str = ""
    hosts: tuple[tuple[str, int], ...] = ()
    database: int = 0
    username: str = ""
    password: str = ""
    is_tls: bool = False
    is_cluster: bool = False
    service: str = ""
    tls_files: tuple[tuple[str, str], ...] = ()


def parse_address(url: str, username: str = "", password: str = "") -> ServerAddress:
    """Return the address that a URL names; a user and a password beside it win over those in it; raise UsageError."""
    scheme, separator, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    user, rest = _split_user(rest)
    tls = scheme.startswith("rediss")
    kind = scheme.removeprefix("rediss" if tls else "redis") if scheme != "unix" else "unix"
    if not separator or not url.isprintable() or kind not in ("", "unix", "+sentinel", "+cluster"):
        raise _error(scheme, "is none that is known")
    shown = f"{scheme}://{rest}"
    options = _options(query, shown)
    given = (username or user[0], password or user[1])
    if kind == "unix":
        return ServerAddress(shown, _socket_path(rest, shown), (), _database(options.pop("db", ""), shown), *given)
    hosts, _, tail = rest.partition("/")
    service = ""
    if not tls and set(options) - {"db"}:
        raise _error(shown, "has files for TLS, which is `rediss://`")
    if kind == "+sentinel":
        service, _, tail = tail.partition("/")
    if (kind == "+sentinel") != bool(service) or (kind == "+cluster" and tail):
        raise _error(
            shown, "names no service" if kind == "+sentinel" else "names a database, and a cluster has only one"
        )
    return ServerAddress(
        shown,
        "",
        _hosts(hosts, SENTINEL_PORT if service else DEFAULT_PORT, shown, is_one=not kind),
        _database(options.pop("db", tail), shown),
        *given,
        is_tls=tls,
        is_cluster=kind == "+cluster",
        service=_unquote(service, shown),
        tls_files=tuple(options.items()),
    )


def _error(shown: str, what: str) -> UsageError:
    return UsageError(f"the address `{shown}` {what}", f"write it as {', '.join(FORMS)}")


def _split_user(rest: str) -> tuple[tuple[str, str], str]:
    """Return the user and the password of a URL, and the rest after them."""
    given, separator, after = rest.rpartition("@")
    if not separator:
        return ("", ""), rest
    user, _, password = given.partition(":")
    return (_unquote(user, after), _unquote(password, after)), after


def _options(query: str, shown: str) -> dict[str, str]:
    options = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name != "db" and name not in _TLS_OPTIONS:
            raise _error(shown, f"has an unknown option, `{name}`")
        options[name] = _unquote(value, shown)
    return options


def _socket_path(path: str, shown: str) -> str:
    if not path.startswith("/"):
        raise _error(shown, "names no absolute path")
    return _unquote(path, shown)


def _hosts(text: str, default: int, shown: str, *, is_one: bool) -> tuple[tuple[str, int], ...]:
    hosts = tuple(_host(one, default, shown) for one in text.split(","))
    if is_one and len(hosts) > 1:
        raise _error(shown, "names several hosts")
    return hosts


def _host(text: str, default: int, shown: str) -> tuple[str, int]:
    """Return a host and its port; a literal of IPv6 is in brackets."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host or not host.isascii():
        raise _error(shown, "names no host")
    return host, _number(port, default, _MAX_PORT, shown)


def _database(text: str, shown: str) -> int:
    return _number(text, 0, _MAX_DATABASE, shown)


def _number(text: str, default: int, largest: int, shown: str) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(largest)) and int(text) <= largest):
        raise _error(shown, f"has `{text}` where a number must be")
    return int(text)


def _unquote(text: str, shown: str) -> str:
    """Return the text that a part of a URL encodes."""
    if "%" not in text:
        return text
    first, *rest = text.encode().split(b"%")
    data = first
    for part in rest:
        code = part[:2].decode()
        if len(code) != 2 or not set(code) <= set(_HEX):  # noqa: PLR2004 - two digits
            raise _error(shown, "has a `%` without two digits")
        data += bytes.fromhex(code) + part[2:]
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _error(shown, "is not UTF-8") from None
