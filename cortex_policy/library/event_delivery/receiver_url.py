"""The URL of a receiver of events: https, or http where no other host can listen."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from cortex_policy.core import Value
from cortex_policy.core.model import UsageError

_PRINTABLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]+")
_DEFAULT_PORTS = {"http": 80, "https": 443, "http+unix": 0}
_FORMS = "write `https://bus.example.org/events`, or `http://127.0.0.1:8080/` for this host"


class ReceiverUrl(Value):
    """A checked URL: `socket_path` is '' unless it is one of a unix socket; `shown` is without query."""

    scheme: str
    host: str
    port: int
    target: str
    socket_path: str
    shown: str


def parse_receiver_url(text: str) -> ReceiverUrl:
    """Check the URL of a receiver; raise UsageError unless only the named receiver can read what is sent to it."""
    try:
        parts = urlsplit(text if _PRINTABLE.fullmatch(text) else "")
        port = parts.port
    except ValueError:
        raise _not_a_url_error(text, _FORMS) from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.fragment or "\\" in text or port == 0:
        raise _not_a_url_error(text, _FORMS)
    if "@" in parts.netloc:
        raise _secret_in_url_error()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    socket_path = _socket_path(parts, text) if parts.scheme == "http+unix" else ""
    host = "localhost" if socket_path else parts.hostname
    if not _HOST.fullmatch(host) or any(len(label) > 63 for label in host.split(".")):  # noqa: PLR2004 - as DNS has it
        raise _not_a_url_error(text, _FORMS)
    if parts.scheme == "http" and not _is_loopback_name(host):
        raise UsageError(f"`{shown}` would send events unencrypted over the network", "use `https`")
    return ReceiverUrl(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], target, socket_path, shown)


def _is_loopback_name(host: str) -> bool:
    """Whether a host is `localhost` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _socket_path(parts: SplitResult, text: str) -> str:
    path = unquote(parts.netloc)
    if not path.startswith("/") or "\0" in path:
        raise _not_a_url_error(text, "write `http+unix://%2Frun%2Fbus.sock/events` for the socket `/run/bus.sock`")
    return path


def _secret_in_url_error() -> UsageError:
    return UsageError("the URL has a user name or a password in it", "put a token into a file, and name the file")


def _not_a_url_error(text: str, hint: str) -> UsageError:
    if "@" in text:  # what cannot be parsed may have a password anywhere
        return _secret_in_url_error()
    shown = text.partition("?")[0].partition("#")[0]  # what comes behind may be a secret
    return UsageError(f"`{shown}` is not the URL of a receiver", hint)
