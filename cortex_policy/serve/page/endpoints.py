"""The answers at the paths of the page: its files, a session for a code, and its data."""

import os
from hashlib import sha256

from starlette.responses import Response
from starlette.routing import Route

from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.serve.errors import RefusedError
from cortex_policy.serve.page.access import FILES, SESSION, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.requests import Request

    from cortex_policy.serve.page.access import PageAccess
    from cortex_policy.serve.page.cached_overview import PageState

MAX_FIND = 128  # characters
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_JSON = "application/json"
_BEARER = "bearer "
# `Guard` adds `Cache-Control: no-store` and `X-Content-Type-Options: nosniff` to every answer
FIELDS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class PageEndpoints:
    """The page, for a server whose clients the kernel knows (no access) or that need a session."""

    def __init__(self, state: "PageState", access: "PageAccess | None") -> None:
        """Read the files of the page."""
        self._state, self._access = state, access
        self._files = {path: (_read_file(name), _TYPES[name.rpartition(".")[2]]) for path, name in FILES.items()}

    def routes(self) -> list[Route]:
        """Return what is at each path."""
        return [
            *(Route(path, self._send_file) for path in FILES),
            Route(SESSION, self.open_session, methods=["POST"]),
            Route(STATE, self._send_state),
        ]

    async def _send_file(self, request: "Request") -> Response:
        """Send a file of the page: it holds nothing of the root."""
        data, kind = self._files[request.url.path]
        return Response(data, headers={**FIELDS, "content-type": kind})

    async def open_session(self, request: "Request") -> Response:
        """Exchange a one-time code for a session; the code is sent as a bearer token, so that no body is read."""
        given = request.headers.get("authorization", "")
        code = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
        session = self._access.open_session(code) if self._access is not None else None
        if session is None:
            raise RefusedError(401, "the link was used before, or is older than a minute")
        return Response(format_ascii_json({"session": session}), headers={**FIELDS, "content-type": _JSON})

    async def _send_state(self, request: "Request") -> Response:
        """Send the data of the page, unless the client has them already."""
        find = request.query_params.get("find", "")
        if len(find) > MAX_FIND:
            raise RefusedError(400, f"`find` has at most {MAX_FIND} characters")
        body = await self._state.read(find)
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={**FIELDS, "etag": tag})
        return Response(body, headers={**FIELDS, "content-type": _JSON, "etag": tag})


def _read_file(name: str) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), name), "rb") as file:
        return file.read()
