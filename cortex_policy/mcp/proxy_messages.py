"""Messages of JSON-RPC: one of a client as strictly read as a grant, and those that the proxy itself writes.

INVARIANT: no server may see a call of a tool in bytes in which the proxy sees none. Programs differ in how they read
JSON: which of two equal keys counts, whether `Method` is `method`, whether a carriage return ends a line, what a byte
order mark or a NUL means. A message that could be read in two ways is refused, so that the bytes that were decided can
be the bytes that are forwarded. A separator of lines inside a string does no harm: between quotes, letters of `method`
can only be after escaped quotes, which begin no key anywhere.
"""

import json
import re

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_MESSAGE_BYTES = 32 << 20  # of a client; as of a hook
MAX_ID_CHARACTERS = 1000
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
_MEMBERS = frozenset(("jsonrpc", "id", "method", "params", "result", "error"))
_ID = rb'"id"\s*:\s*(-?[0-9]{1,18}|"[^"\\\x00-\x1f]{0,200}")\s*'
_ID_AT_START = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?(?:"method"\s*:\s*"[^"\\]{0,200}"\s*,\s*)?' + _ID + rb","
)
_ID_AT_END = re.compile(rb"[,{]\s*" + _ID + rb"\}\s*\Z")
_EDGE = 4096  # bytes of a message in which its id is looked for


class Line(Value):
    """A line with its end; of one that is too long only its first and its last bytes."""

    data: bytes
    is_cut: bool = False


class RefusedMessage(ValueError):
    """A message that is not forwarded, and the error that its client gets."""

    def __init__(self, code: int, why: str, *request_ids: object) -> None:
        """Take the code and the message of the error, and the ids of its requests; None means no id."""
        super().__init__(why)
        self.code = code
        self.request_ids: list[object] = [one for one in request_ids if one is not None]


class LineSplitter:
    """Cuts a stream of bytes into lines, in bounded memory."""

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        """Take how many bytes a line may have."""
        self._limit = limit
        self._held = bytearray()
        self._head = b""  # of a line that is too long

    def split(self, data: bytes) -> list[Line]:
        """Return the lines that these bytes end."""
        lines, start = [], 0
        while (end := data.find(b"\n", start) + 1) > 0:
            self._hold(data[start:end])
            lines.append(self._take())
            start = end
        self._hold(data[start:])
        return lines

    def last_line(self) -> Line | None:
        """Return what has no end of line, at the end of the stream, None if there is nothing."""
        return self._take() if self._held else None

    def _hold(self, part: bytes) -> None:
        self._held += part
        if self._head or len(self._held) > self._limit:
            self._head = self._head or bytes(self._held[:_EDGE])
            del self._held[:-_EDGE]

    def _take(self) -> Line:
        line = Line(self._head + self._held, bool(self._head))
        self._held, self._head = bytearray(), b""
        return line


def decode_message(line: Line) -> "dict[str, Any]":
    """Return the message of a client; raise RefusedMessage if it is none, or one that could be read in two ways."""
    data = line.data
    if line.is_cut:
        raise RefusedMessage(INVALID_REQUEST, f"larger than {MAX_MESSAGE_BYTES} bytes", _find_id(data))
    end = len(data) - data.endswith(b"\n")
    end -= data.endswith(b"\r", 0, end)
    if data.find(b"\r", 0, end) >= 0:
        raise RefusedMessage(PARSE_ERROR, "a carriage return inside of a message", _find_id(data))
    try:
        message = decode_json(data, MAX_MESSAGE_BYTES, allow_surrogates=True)
    except MalformedError as error:
        raise RefusedMessage(PARSE_ERROR, str(error), _find_id(data)) from None
    if isinstance(message, list):
        ids = [_readable_id(one) for one in message if isinstance(one, dict)]
        raise RefusedMessage(INVALID_REQUEST, "a batch: send each message in a line of its own", *ids)
    if not isinstance(message, dict):
        raise RefusedMessage(INVALID_REQUEST, "not an object")
    _check_members(message)
    return message


def _check_members(message: "dict[str, Any]") -> None:
    """Refuse members that JSON-RPC does not have, since a server may take `Method` for `method`."""
    request_id = _readable_id(message)
    for name in message:
        if name not in _MEMBERS:
            raise RefusedMessage(INVALID_REQUEST, f"an unknown member `{name:.60}`", request_id)
    if "method" not in message:
        return
    if type(message["method"]) is not str or "result" in message or "error" in message:
        raise RefusedMessage(INVALID_REQUEST, "`method` is not a string, or the message has an answer too", request_id)
    if not (message["method"].isascii() and message["method"].isprintable()):  # some programs drop other letters
        raise RefusedMessage(METHOD_NOT_FOUND, "`method` holds other characters than those of ASCII", request_id)
    if "id" in message and request_id is None:
        raise RefusedMessage(
            INVALID_REQUEST, f"`id` is neither an integer nor a text of at most {MAX_ID_CHARACTERS} characters"
        )


def _readable_id(message: "dict[str, Any]") -> int | str | None:
    """Return the id of a request, None for one that MCP does not have, or that is too long."""
    request_id = message.get("id")
    if type(request_id) is int or (type(request_id) is str and len(request_id) <= MAX_ID_CHARACTERS):
        return request_id
    return None


def _find_id(data: bytes) -> object:
    """Return the id of a message that was not decoded, None if it is not at its start or end: an answer reaches it."""
    found = _ID_AT_START.match(data[:_EDGE]) or _ID_AT_END.search(data[-_EDGE:])
    try:
        return None if found is None else json.loads(found[1])
    except ValueError:
        return None


def encode_message(message: "dict[str, Any]") -> bytes:
    """Return a message as a line, in ASCII: half of a character is written as an escape again."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def encode_error(request_id: object, code: int, why: str) -> bytes:
    """Return the line that answers a request with an error."""
    error = {"code": code, "message": f"cortex-policy: {why}"}
    return encode_message({"jsonrpc": "2.0", "id": request_id, "error": error})


def encode_result(request_id: object, result: "dict[str, Any]") -> bytes:
    """Return the line that answers a request."""
    return encode_message({"jsonrpc": "2.0", "id": request_id, "result": result})
