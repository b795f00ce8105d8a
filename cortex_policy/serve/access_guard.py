"""What each request must be before anything of it is decided: addressed to us, by one of ours, and unambiguous.

INVARIANT: nothing of the body is read before the token was compared.
"""

import hmac
import logging
import time

from cortex_policy.core import Value
from cortex_policy.serve.errors import BAD_REQUEST, RefusedError, send_error_as_plain_text
from cortex_policy.serve.openapi import METRICS, READY
from cortex_policy.serve.page.access import OPEN_PATHS, PATHS, STATE, is_loopback_host
from cortex_policy.state import find_resource_shortage_error_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cortex_policy.serve.metrics import Metrics
    from cortex_policy.serve.page.access import PageAccess

MAX_REQUEST_ID = 256
FIELDS = "cortex_policy.fields"  # of a scope: the fields that may come once
_ONCE = frozenset(
    (
        b"host", b"origin", b"authorization", b"content-type", b"content-length", b"content-encoding",
        b"transfer-encoding", b"x-request-id",
    )
)  # fmt: skip
# what a page of a name that was rebound could read of this root: it would say no `Origin`, as it does with each POST
_READABLE = PATHS | {READY, METRICS}
_CLOSE = (b"connection", b"close")
_ALWAYS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_PRINTABLE = frozenset(range(0x20, 0x7F))
_BEARER = b"bearer "
log: logging.Logger = logging.getLogger("cortex_policy.serve")


class Access(Value):
    """Who may ask: what `Host` and `Origin` may be (no names: a unix socket), and the bearer token, '' for none.

    `page` knows the sessions of the page, None where there is no token.
    """

    names: frozenset[str]
    origins: frozenset[str]
    token: str
    page: "PageAccess | None" = None


class Guard:
    """Answers each request that must not reach the application, and every error of it."""

    def __init__(self, app: "ASGIApp", access: Access, metrics: "Metrics", paths: frozenset[str]) -> None:
        """Take the application, who may ask it, and the paths that metrics name."""
        self._app, self._access, self._metrics, self._paths = app, access, metrics, paths
        self._token = access.token.encode("ascii")

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        start, status, fields = time.perf_counter(), 0, list(_ALWAYS)

        async def send_checked(message: "Message") -> None:
            """Pass a message on; note the status of the answer, and add our fields to it."""
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= BAD_REQUEST:  # what else came may be part of the same request, or of the next
                    fields.append(_CLOSE)
                message["headers"] = [*message["headers"], *fields]
            await send(message)

        try:
            given = _parse_fields(scope["headers"])
            if b"x-request-id" in given:
                fields.append((b"x-request-id", _checked_identifier(given[b"x-request-id"])))
            self._check(scope, given)
            scope[FIELDS] = given
            await self._app(scope, receive, send_checked)
        except RefusedError as error:
            await send_error_as_plain_text(error, send_checked)
        except Exception as error:  # noqa: BLE001 - a bug is never an allowance
            refused = _unexpected_error(error)
            if status:  # the answer cannot be taken back, but it is not ended either: the connection is closed
                return
            await send_error_as_plain_text(refused, send_checked)
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._metrics.count_request(path, status, time.perf_counter() - start)

    def _check(self, scope: "Scope", given: "dict[bytes, bytes]") -> None:
        self._check_framing(scope, given)
        self._check_sender(scope, given)
        if b"%" in scope["raw_path"]:  # none of our paths has one: a proxy may have taken it for another
            raise RefusedError(404, "there is nothing at this path")

    def _check_framing(self, scope: "Scope", given: "dict[bytes, bytes]") -> None:
        coding = given.get(b"transfer-encoding")
        if coding is not None and (
            coding.lower() != b"chunked" or b"content-length" in given or scope["http_version"] != "1.1"
        ):
            raise RefusedError(400, "the end of the request is ambiguous")

    def _check_sender(self, scope: "Scope", given: "dict[bytes, bytes]") -> None:
        host = given.get(b"host", b"").decode("latin-1").lower()
        is_forwarded = not self._access.names and scope["path"] in _READABLE  # a socket, for a browser
        if self._access.names:
            if host not in self._access.names:
                raise RefusedError(403, "`Host` is not this server")
        elif b"host" not in given and scope["http_version"] == "1.1":
            raise RefusedError(400, "`Host` is missing")
        elif is_forwarded and not is_loopback_host(host):  # a name that was rebound
            raise RefusedError(403, "`Host` is not this server")
        origin = given.get(b"origin")
        origins = (f"http://{host}",) if is_forwarded else self._access.origins
        if origin is not None and origin.decode("latin-1") not in origins:
            raise RefusedError(403, "requests from pages of another origin are refused")
        if self._token:
            token = _bearer_token(given.get(b"authorization", b""))
            if not hmac.compare_digest(token, self._token) and not self._may_read_page(scope["path"], token):
                raise RefusedError(401, "the bearer token is missing or wrong")

    def _may_read_page(self, path: str, session: bytes) -> bool:
        page = self._access.page
        return path in OPEN_PATHS or (
            path == STATE and page is not None and page.has_session(session.decode("latin-1"))
        )


def _bearer_token(authorization: bytes) -> bytes:
    kind, token = authorization[: len(_BEARER)], authorization[len(_BEARER) :]
    return token.strip(b" ") if kind.lower() == _BEARER else b""


def _checked_identifier(value: bytes) -> bytes:
    if not 1 <= len(value) <= MAX_REQUEST_ID or any(one not in _PRINTABLE for one in value):
        raise RefusedError(400, f"`X-Request-ID` must be 1 to {MAX_REQUEST_ID} printable ASCII characters")
    return value


def _unexpected_error(error: Exception) -> RefusedError:
    """Return what a client is told; a bug is logged, without what a request may hold."""
    lack = find_resource_shortage_error_or_none(error)
    if lack is not None:
        return RefusedError(503, lack.detail)
    log.error("%s", format_server_bug_with_place(error))
    return RefusedError(500, "internal error")


def format_server_bug_with_place(error: BaseException) -> str:
    """Say where a bug is, without what the request held."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else ""
    return f"a bug in this program: {type(error).__name__}{where}"


def _parse_fields(headers: "list[tuple[bytes, bytes]]") -> "dict[bytes, bytes]":
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _ONCE:
            if name in given:
                raise RefusedError(400, f"`{name.decode('ascii')}` is given twice")
            given[name] = value
    return given
