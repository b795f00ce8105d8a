"""The body of a request, as far as there is room for it."""

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.serve.errors import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import Receive

MAX_HELD = 64 * MAX_BYTES  # of all requests that are read or answered at once
_JSON = b"application/json"


class ClientGoneError(RefusedError):
    """The client has closed: nobody reads an answer."""


class BodyReader:
    """Reads bodies; all of them together have a bound."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held = 0

    async def read(self, fields: "dict[bytes, bytes]", receive: "Receive") -> bytes:
        """Return the whole JSON body; raise RefusedError if it is of another kind, or there is no room."""
        kind = fields.get(b"content-type", b"")
        if kind != _JSON and kind.partition(b";")[0].strip().lower() != _JSON:
            raise RefusedError(400, "`Content-Type` must be `application/json`")
        length = fields.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BYTES:
            raise _too_long()
        parts, size = bytearray(), 0
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGoneError(400, "the client has closed")
                part = message.get("body", b"")
                self._held += len(part)
                size += len(part)
                parts += part
                self._check_room(size)
                if not message.get("more_body", False):
                    return bytes(parts)
        finally:
            self._held -= size

    def _check_room(self, size: int) -> None:
        if size > MAX_BYTES:
            raise _too_long()
        if self._held > MAX_HELD:
            raise RefusedError(503, "too much is asked at once; try again later")


def _too_long() -> RefusedError:
    return RefusedError(413, f"a request has at most {MAX_BYTES} bytes")
