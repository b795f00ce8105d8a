"""The body of a request, as far as there is room for it."""

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.serve.errors import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import Receive

MAX_HELD = 64 * MAX_BYTES  # of all requests that are read or answered at once
_JSON = b"application/json"
_MAX_DIGITS = 20  # of a length; zeros before it too


class ClientGoneError(RefusedError):
    """The client has closed: nobody reads an answer."""


class BodyReader:
    """Reads bodies; all of them together have a bound."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held = 0

    async def read(self, fields: "dict[bytes, bytes]", receive: "Receive") -> bytes:
        """Return the whole JSON body; raise RefusedError if it is of another kind, or there is no room.

        INVARIANT: the caller gives each body back once it is answered.
        """
        if b"content-encoding" in fields:  # a proxy could read another body than we
            raise RefusedError(400, "`Content-Encoding` is not supported")
        kind = fields.get(b"content-type", b"")
        if kind != _JSON and kind.partition(b";")[0].strip().lower() != _JSON:
            raise RefusedError(400, "`Content-Type` must be `application/json`")
        length = fields.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > _MAX_DIGITS or int(length) > MAX_BYTES:
            raise _too_long()
        parts = bytearray()
        try:
            while await self._read_part(receive, parts):
                pass
        except BaseException:
            self._held -= len(parts)
            raise
        return bytes(parts)

    def give_back(self, body: bytes) -> None:
        """Make the room of an answered body free."""
        self._held -= len(body)

    async def _read_part(self, receive: "Receive", parts: bytearray) -> bool:
        """Add what comes next; return whether more will come."""
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError(400, "the client has closed")
        part = message.get("body", b"")
        parts += part
        self._held += len(part)
        if len(parts) > MAX_BYTES:
            raise _too_long()
        if self._held > MAX_HELD:
            raise RefusedError(503, "too many requests at once; try again later")
        return bool(message.get("more_body", False))


def _too_long() -> RefusedError:
    return RefusedError(413, f"a request has at most {MAX_BYTES} bytes")
