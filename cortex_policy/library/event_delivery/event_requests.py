"""Events as HTTP requests: the three content modes of the HTTP binding of CloudEvents 1.0 (docs/audit.md)."""

import json
import re

from cortex_policy.core import Value
from cortex_policy.core.json_text import format_ascii_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Never

STRUCTURED, BINARY, BATCH = "structured", "binary", "batch"
MODES = (STRUCTURED, BINARY, BATCH)
MAX_BATCH_EVENTS = 100
MAX_BATCH_BYTES = 1 << 18  # of the events in a body; one event may be larger
_CONTENT_TYPES = {
    STRUCTURED: "application/cloudevents+json; charset=utf-8",
    BATCH: "application/cloudevents-batch+json; charset=utf-8",
}
_OUR_TYPE = "com.cortex."
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}")
_NO_ATTRIBUTES = ("data", "datacontenttype")  # they have no header of their own


class EventRequest(Value):
    """The headers that are the event's, and the body."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def is_event_line(line: bytes) -> bool:
    """Whether a line is an event of ours that a receiver can read: valid CloudEvents, and JSON by the letter."""
    return _decode_event(line) is not None


def make_event_request(lines: "Sequence[bytes]", mode: str) -> EventRequest:
    """Return the request that carries these events, of which only a batch has more than one."""
    if mode == BINARY:
        return _binary_request(lines[0])
    body = b"[" + b",".join(lines) + b"]" if mode == BATCH else lines[0]
    return EventRequest((("Content-Type", _CONTENT_TYPES[mode]),), body)


def _binary_request(line: bytes) -> EventRequest:
    event = _decode_event(line) or {}
    attributes = [(f"ce-{name}", _header_value(value)) for name, value in event.items() if name not in _NO_ATTRIBUTES]
    return EventRequest(
        (("Content-Type", "application/json"), *attributes),
        format_ascii_json(event.get("data"), ",", ":").encode("ascii"),
    )


def _decode_event(line: bytes) -> "dict[str, Any] | None":
    try:
        event = json.loads(line.decode(), parse_constant=_raise_value_error)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and _is_valid(event) else None


def _raise_value_error(word: str) -> "Never":
    raise ValueError(word)  # `NaN` is not JSON


def _is_valid(event: "dict[str, Any]") -> bool:
    names = [name for name in event if name != "data"]
    return (
        event.get("specversion") == "1.0"
        and all(_ATTRIBUTE.fullmatch(name) and _is_text(event[name]) for name in names)
        and all(name in event for name in ("id", "source", "type"))
        and event["type"].startswith(_OUR_TYPE)
        and event.get("datacontenttype") == "application/json"
        and isinstance(event.get("data"), dict)
    )


def _is_text(value: object) -> bool:
    """Whether an attribute is a text as CloudEvents has them; ours have no other type."""
    return isinstance(value, str) and value != "" and value.isprintable()


def _header_value(text: str) -> str:
    """Percent-encode what the binding wants encoded: spaces, quotes, percents, all that is not printable ASCII."""
    return "".join(
        character if "!" <= character <= "~" and character not in '"%' else _percent_encode(character)
        for character in text
    )


def _percent_encode(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
