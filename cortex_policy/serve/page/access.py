"""Who may read the data of the page over TCP: whoever has the token, or a session that a one-time code has opened.

A session is kept by the script of the page, and not in a cookie: a browser sends a cookie to every port of a host, so
that another user of the host could listen on one and get it.
"""

import fcntl
import hmac
import os
from time import time_ns

SESSION, STATE = "/page/session", "/page/state"
_NAMES = ("style.css", "icon.svg", "page.mjs", "parts.mjs", "nodes.mjs")
FILES = {"/": "index.html", **{f"/page/{name}": name for name in _NAMES}}  # the same in every installation
OPEN_PATHS = frozenset((*FILES, SESSION))  # who asks for a session has no token: the code is examined there
PATHS = OPEN_PATHS | {STATE}
CODE_SECONDS = 60
SESSION_SECONDS = 12 * 3600
_SECOND = 1_000_000_000
_DIGITS, _MAC_DIGITS = 16, 32  # in base 16
_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))


def make_signed_page_code(token: str, origin: str, made_at: int) -> str:
    """Return the code that opens the page of a server once, for who knows its token; `made_at` is in nanoseconds."""
    return f"{made_at:x}.{_mac(token.encode('ascii'), f'page code {origin} {made_at}')}"


class PageAccess:
    """The codes and sessions of a server, for all its workers.

    INVARIANT: it is made before workers are forked. A session ends with the server, so that it is worth nothing to
    who listens on the address afterwards.
    """

    def __init__(self, token: str, origins: frozenset[str]) -> None:
        """Take the token, and the origins by which browsers know the server."""
        self._token, self._origins = token, origins
        self._key, self._last_code = os.urandom(32), _LastCode()

    def open_session(self, code: str) -> str | None:
        """Return a new session for a code; None if the code is wrong, old, or was used before."""
        made_at = _parse_time(code)
        if made_at is None or not 0 <= time_ns() - made_at <= CODE_SECONDS * _SECOND:
            return None
        codes = (make_signed_page_code(self._token, origin, made_at) for origin in self._origins)
        if not any(hmac.compare_digest(code.encode(), one.encode()) for one in codes):
            return None
        return self._session(made_at) if self._last_code.advance(made_at) else None

    def has_session(self, session: str) -> bool:
        """Whether it is a session of this server that has not ended."""
        begun_at = _parse_time(session)
        if begun_at is None or not hmac.compare_digest(session.encode(), self._session(begun_at).encode()):
            return False
        return 0 <= time_ns() - begun_at <= SESSION_SECONDS * _SECOND

    def _session(self, begun_at: int) -> str:
        return f"{begun_at:x}.{_mac(self._key, f'page session {begun_at}')}"


class _LastCode:
    """When the code was made that was used last: codes that are not newer are refused, also those before the server."""

    def __init__(self) -> None:
        self._file = os.memfd_create("cortex-policy-page")  # shared with workers, and gone with the last of them
        os.pwrite(self._file, time_ns().to_bytes(8), 0)

    def advance(self, made_at: int) -> bool:
        """Take note of a code that is used; return False if it is not newer than the last one."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            if made_at <= int.from_bytes(os.pread(self._file, 8, 0)):
                return False
            os.pwrite(self._file, made_at.to_bytes(8), 0)
            return True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def is_loopback_host(host: str) -> bool:
    """Whether `Host` is this host by a name that no other server of names can give away."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):  # no port
        name, port = name + colon + port, "0"
    return name in _LOOPBACK_NAMES and port.isascii() and port.isdigit()


def _parse_time(word: str) -> int | None:
    """Return the time that a code or a session begins with, None if it is not one of ours."""
    time, dot, mac = word.partition(".")
    if not dot or len(time) > _DIGITS or len(mac) != _MAC_DIGITS or not word.isascii() or not time.isalnum():
        return None
    try:
        return int(time, 16)
    except ValueError:
        return None


def _mac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()[:_MAC_DIGITS]
