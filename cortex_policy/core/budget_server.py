"""The URL of a server that counts budgets for many hosts: its forms, and what of a secret may be in it (nothing)."""

from cortex_policy.core import Value

SINGLE, SENTINEL, CLUSTER = "single", "sentinel", "cluster"
UNIX = "unix"
_SCHEMES = {"redis": SINGLE, "redis+sentinel": SENTINEL, "redis+cluster": CLUSTER}
_TLS_SCHEMES = {scheme.replace("redis", "rediss", 1): kind for scheme, kind in _SCHEMES.items()}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")  # the names that redis-py has for them
_PORTS = {SINGLE: 6379, SENTINEL: 26379, CLUSTER: 6379}
_MAX_PORT, _MAX_DATABASE_DIGITS, _MAX_LENGTH = 65535, 4, 2000
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
HIDDEN = "***"
_SECRETS, _MARKS = ("password", "passwd", "secret", "token"), "\"'= "
FORMS = (
    "`redis://HOST:PORT`, `rediss://HOST:PORT`, `unix:///PATH`, `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE` or"
    " `redis+cluster://HOST:PORT,HOST:PORT`, without a password (it belongs in the file that `budgets.password_file`"
    " names)"
)


class NotAServerError(ValueError):
    """A text is no URL of a server that may be used."""


class BudgetServer(Value):
    """Where budgets are counted; `socket` is '' and `nodes` are (host, port), or `socket` is a path and there are none.

    `kind` is `single`, `sentinel` (with a `service`) or `cluster`. `files` are of TLS: names as redis-py has them, and
    absolute paths.
    """

    kind: str
    nodes: tuple[tuple[str, int], ...] = ()
    socket: str = ""
    user: str = ""
    database: int = 0
    service: str = ""
    is_tls: bool = False
    files: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The server in a sentence: what the URL says, but no user, database or file."""
        where = self.socket or ",".join(f"{host}:{port}" for host, port in self.nodes)
        return f"{where} ({self.kind if self.kind != SENTINEL else f'sentinel, {self.service}'})"


def is_budget_server_url(text: str) -> bool:
    """Whether a text is the URL of a server that may be used."""
    try:
        parse_budget_server(text)
    except NotAServerError:
        return False
    return True


def parse_budget_server(text: str) -> BudgetServer:
    """Return the server that a URL names; raise NotAServerError for another text, and for one with a password."""
    scheme, separator, rest = text.partition("://")
    if not separator or len(text) > _MAX_LENGTH or not text.isprintable() or " " in text or "#" in text:
        raise NotAServerError
    rest, _, query = rest.partition("?")
    options = _options(query)
    user, _, place = rest.rpartition("@")
    if not _UNRESERVED.issuperset(user):  # a password follows `:`
        raise NotAServerError
    if scheme == UNIX:
        return _unix_server(place, user, options)
    is_tls = scheme in _TLS_SCHEMES
    kind = _TLS_SCHEMES.get(scheme) or _SCHEMES.get(scheme)
    if kind is None or not options.keys() <= ({*_FILES} if is_tls else set()):
        raise NotAServerError
    hosts, _, path = place.partition("/")
    service, database = _service_and_database(kind, path)
    return BudgetServer(kind, _nodes(kind, hosts), "", user, database, service, is_tls, tuple(options.items()))


def _unix_server(path: str, user: str, options: "dict[str, str]") -> BudgetServer:
    if not path.startswith("/") or not options.keys() <= {"db"}:
        raise NotAServerError
    return BudgetServer(SINGLE, socket=path, user=user, database=_number(options.get("db", "0")))


def _options(query: str) -> "dict[str, str]":
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    options = {name: value for name, _, value in pairs}
    are_files = all(value.startswith("/") for name, value in options.items() if name in _FILES)
    if len(options) != len(pairs) or not are_files:
        raise NotAServerError
    return options


def _service_and_database(kind: str, path: str) -> tuple[str, int]:
    service, _, database = path.partition("/") if kind == SENTINEL else ("", "", path)
    if (kind == SENTINEL and not service) or not _UNRESERVED.issuperset(service) or (kind == CLUSTER and database):
        raise NotAServerError  # a cluster has one database
    return service, _number(database or "0")


def _nodes(kind: str, hosts: str) -> tuple[tuple[str, int], ...]:
    nodes = tuple(_node(kind, host) for host in hosts.split(","))
    if kind == SINGLE and len(nodes) > 1:
        raise NotAServerError
    return nodes


def _node(kind: str, text: str) -> tuple[str, int]:
    host, colon, port = text.partition(":")
    if text.startswith("["):  # IPv6
        host, bracket, port = text[1:].partition("]")
        colon, port = port[:1], port[1:]
        if not bracket or colon not in ("", ":") or not set("0123456789abcdefABCDEF:.") >= set(host):
            raise NotAServerError
    elif not _UNRESERVED.issuperset(host):
        raise NotAServerError
    number = _number(port, 5) if colon else _PORTS[kind]
    if not host or not 0 < number <= _MAX_PORT:
        raise NotAServerError
    return host, number


def _number(text: str, max_digits: int = _MAX_DATABASE_DIGITS) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= max_digits):
        raise NotAServerError
    return int(text)


def hide_passwords(text: str) -> str:
    """Return a text without the passwords in URLs, in what looks like a URL, and in lines of settings."""
    for word in _SECRETS:
        if word in text.lower():
            text = _hide_after(text, word)
    before, at, place = text.rpartition("@")
    scheme = before.find("://")
    start = scheme + 3 if scheme >= 0 else max(before.rfind(mark) for mark in _MARKS) + 1
    return f"{before[:start]}{HIDDEN if before[start:] else ''}{at}{place}"


def _hide_after(text: str, word: str) -> str:
    """Hide what a word is set to, unless that is the path of a file."""
    end = text.lower().index(word) + len(word)
    name, equals, value = text[end:].partition("=")
    if not equals or name.strip().startswith("_file"):
        return text
    return f"{text[:end]}{name}={HIDDEN if value.strip() else value}"
