"""An answered call as a line of the audit log: a CloudEvents 1.0 object."""

from time import gmtime, strftime

from cortex_policy.core import Value
from cortex_policy.core.json_text import encode_json_line, format_canonical_json
from cortex_policy.core.model import ResolvedPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

NAMES, FINGERPRINTS, FULL, NOTHING = "names", "fingerprints", "full", "nothing"
# what to record instead if a line would be too long for most readers
_DETAIL_FALLBACKS = {
    NAMES: (NAMES, NOTHING),
    FINGERPRINTS: (FINGERPRINTS, NOTHING),
    FULL: (FULL, FINGERPRINTS, NOTHING),
}
MAX_LINE_BYTES = 1 << 20  # bytes of a line
_MAX_NAME_LENGTH = 200  # characters of a name in a line that is too long even without arguments
_FINGERPRINT_DIGITS = 16  # digits of a digest
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")  # in a URI
_HEX = frozenset("0123456789abcdef")

# the members of a path in the log, in the order of the fields of `ResolvedPath`
PATH_MEMBERS = ("argument", "given", "collapsed", "landed", "resolved", "fault", "guard")


class Event(Value):
    """An answered call; `places` is None if no path of it was resolved, `root` and `cwd` if none was known."""

    id: str
    at_ns: int
    grant: str
    tool: str
    action: str
    args: "Mapping[str, object]"
    is_allowed: bool
    reason: str
    cost: int = 1
    is_peek: bool = False
    places: tuple[ResolvedPath, ...] | None = None
    root: str | None = None
    cwd: str | None = None
    version: int | None = None
    run: str = ""
    trace: str | None = None
    approval: str | None = None
    is_repeat: bool = False
    is_local: bool = False


def event_to_cloudevent_line(event: Event, detail: str, digest: "Callable[[bytes], str]") -> bytes:
    """Return the line of an event, ASCII with its newline; `detail` is `names`, `fingerprints` or `full`.

    `digest` is SHA-256 in hexadecimal. A line over 1 MiB has fingerprints in place of arguments, and `null` in their
    place where that is still too long; then names are cut.
    """
    for less in _DETAIL_FALLBACKS[detail]:
        text = encode_json_line(to_cloudevent(event, less, digest))
        if len(text) <= MAX_LINE_BYTES:
            return text
    return encode_json_line(shorten_cloudevent(to_cloudevent(event, NOTHING, digest)))


def shorten_cloudevent(members: "Mapping[str, object]") -> dict[str, object]:
    """Return an event whose long names are cut: readers skip a line that is longer than any event."""
    return {
        name: shorten_cloudevent(value)
        if isinstance(value, dict)
        else _cut_text(value)
        if isinstance(value, str)
        else value
        for name, value in members.items()
    }


def _cut_text(text: str) -> str:
    if len(text) <= _MAX_NAME_LENGTH:
        return text
    start = text[:_MAX_NAME_LENGTH]
    half_of_byte = start.rfind("%", _MAX_NAME_LENGTH - 2)
    return f"{start if half_of_byte < 0 else start[:half_of_byte]}..."


def parse_trace_id_or_none(traceparent: str) -> str | None:
    """Return the trace id of a `traceparent` of the W3C, None if it is invalid."""
    version, *parts = traceparent.split("-")
    if len(parts) < 3 or (version == "00" and len(parts) > 3) or version == "ff":  # noqa: PLR2004 - trace, span, flags
        return None
    trace, span, flags = parts[:3]
    is_hex = _HEX.issuperset(version + trace + span + flags)
    is_sized = (len(version), len(trace), len(span), len(flags)) == (2, 32, 16, 2)
    return trace if is_hex and is_sized and trace.strip("0") and span.strip("0") else None


def to_cloudevent(event: Event, detail: str, digest: "Callable[[bytes], str]") -> dict[str, object]:
    """Return the members of an event, whatever their size; the arguments are those of the call, not copied."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"cortex.policy/{_percent_encode(event.tool)}",
        "type": percent_encode_unprintable(f"com.cortex.{event.tool}.{event.action}"),
        **({"subject": percent_encode_unprintable(event.run)} if event.run else {}),
        "time": format_timestamp(event.at_ns),
        "datacontenttype": "application/json",
        "data": _event_data(event, detail, digest),
    }


def _event_data(event: Event, detail: str, digest: "Callable[[bytes], str]") -> dict[str, object]:
    """Return the member `data`; only `full` detail has paths, working directory and cost."""
    root = event.root if event.root is None or detail == FULL else make_root_path_fingerprint(event.root, digest)
    data: dict[str, object] = {
        "decision": event.is_allowed,
        "reason": event.reason,
        "grant": event.grant,
        "action": event.action,
        "version": event.version,
        "args": make_recorded_arguments(event.args, detail, digest),
        "traceId": event.trace,
        "brand": "brAInwav",
        "component": "policy",
        "root": root,
    }
    if event.is_peek:
        data["peek"] = True
    if event.is_repeat:
        data["repeat"] = True
    if event.is_local:
        data["budget"] = "local"
    if event.approval is not None:
        data["approval"] = event.approval
    if detail == FULL:
        data |= {"cwd": event.cwd, "cost": event.cost}
        if event.places is not None:
            data["paths"] = [path_to_dict(path) for path in event.places]
    return data


def make_recorded_arguments(args: "Mapping[str, object]", detail: str, digest: "Callable[[bytes], str]") -> "Any":
    """Return what a line says of arguments: their names, their fingerprints by name, or all of them."""
    if detail == NAMES:
        return list(args)
    if detail == FINGERPRINTS:
        return {
            name: f"sha256:{digest(format_canonical_json(value).encode())[:_FINGERPRINT_DIGITS]}"
            for name, value in args.items()
        }
    return args if detail == FULL else None


def path_to_dict(path: ResolvedPath) -> dict[str, object]:
    """Return the members of a place but those at their default: a `landed` of '' is the root, none is outside of it."""
    members = {}
    for member, name in zip(PATH_MEMBERS, ResolvedPath.__match_args__, strict=True):
        value = getattr(path, name)
        if name in ("argument", "given") or value != getattr(ResolvedPath, name):
            members[member] = value
    return members


def make_root_path_fingerprint(path: str, digest: "Callable[[bytes], str]") -> str:
    """Return the id that replaces the path of a root."""
    return f"sha256:{digest(path.encode('utf-8', 'surrogateescape'))[:_FINGERPRINT_DIGITS]}"


def _percent_encode(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def percent_encode_unprintable(text: str) -> str:
    """Percent-encode what no string of CloudEvents may hold: control characters, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _percent_encode(character) for character in text)


def format_timestamp(at_ns: int) -> str:
    """Return a time since the epoch in UTC, to the microsecond."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{rest // 1000:06}Z"
