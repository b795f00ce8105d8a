"""Calls that wait for a human, and the answers: lines of JSON, and the status of each call.

The lines are those of the TypeScript package, with what binds them to a call and to the clock of a boot beside it.
"""

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import APPROVED, DENIED, EXPIRED, USED, WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cortex_policy.core.model import Grant, Origin, Request

MAX_LINE_BYTES = 1 << 16  # bytes of a line; no human reads more
MAX_ANSWERED = 50  # calls that are over, and kept to be looked at
MAX_REASON = 500  # characters of a denial's reason
_SECOND = 1_000_000_000


class TimeSinceBoot(Value):
    """Now, in nanoseconds since a boot, which no setting of a clock moves; and the id of that boot."""

    boot: str
    now_ns: int


class ApprovalAnswer(Value):
    """The answer of a human; `boot` is '' if another program wrote it, which has no such clock."""

    approved: bool
    boot: str
    at_ns: int
    members: "Mapping[str, object]"


class ApprovalRequest(Value):
    """A call that was put to a human, all that was said about it, and the lines that say so.

    `call` is the fingerprint of all it is bound to, '' if another program asks.
    """

    id: str
    call: str
    boot: str
    at_ns: int
    timeout_seconds: int
    members: "Mapping[str, object]"
    answers: tuple[ApprovalAnswer, ...]
    is_used: bool
    lines: tuple[bytes, ...]


class RequestStatus(Value):
    """The status of a request, and how long it lasts."""

    status: str
    left_ns: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it still decides what becomes of the call."""
        return self.left_ns > 0


def make_fingerprint_input(grant: "Grant", origin: "Origin", request: "Request", cwd: str | None, uid: int) -> str:
    """Return the one text of all that an approval is bound to: any difference makes another text.

    A relative word may be a path even if it is not declared as one, so that the working directory always counts.
    """
    return format_ascii_json(
        _tag_types({
            "root": [origin.root, *origin.root_identity],
            "grant": [grant.id, origin.sha256],
            "action": request.action,
            "args": request.args,
            "places": [[path.argument, path.given, path.resolved] for path in request.paths],
            "cost": request.cost,
            "cwd": cwd,
            "uid": uid,
            **({"unseen": request.unseen} if request.unseen else {}),
        })
    )  # fmt: skip


def _tag_types(value: object) -> object:
    """Return a tree in which no two different values look the same: neither 1 and 1.0, nor NaN and "NaN"."""
    if isinstance(value, dict):
        return {"{": [[name, _tag_types(value[name])] for name in sorted(value)]}
    if isinstance(value, list | tuple):
        return [_tag_types(part) for part in value]
    if isinstance(value, float):
        return {"f": float.hex(value)}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"i": f"{int(value):#x}"}
    return value


def escape_surrogates(text: str) -> str:
    """Return a text that JSON can hold, lone surrogates escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def call_to_dict(grant: "Grant", origin: "Origin", request: "Request", cwd: str | None) -> dict[str, object]:
    """Return what a human is shown of a call; the arguments are a text, however deep they are."""
    paths = [
        {
            "argument": escape_surrogates(path.argument),
            "given": escape_surrogates(path.given),
            "resolved": escape_surrogates(path.resolved or ""),
        }
        for path in request.paths
    ]
    return {
        "dataClass": grant.data_class,
        "grant": grant.id,
        "sha256": origin.sha256,
        "tool": escape_surrogates(grant.tool),
        "action": escape_surrogates(request.action),
        "args": format_ascii_json(request.args),
        "paths": paths,
        "cost": format_ascii_json(request.cost),
        "cwd": escape_surrogates(cwd) if cwd is not None else None,
        "root": escape_surrogates(origin.root),
    }


def parse_approval_requests(data: bytes) -> list[ApprovalRequest]:
    """Return the calls that a store holds, in their order; lines that say nothing readable count for nothing."""
    found: dict[str, _RequestBuilder] = {}
    for line in data.split(b"\n"):
        members = _parse_members(line)
        kind = members.get("type")
        name = members.get("id" if kind == "request" else "requestId")
        if not isinstance(name, str):
            continue
        draft = found.get(name)
        if kind == "request" and draft is None:
            found[name] = _RequestBuilder(members, line)
        elif draft is not None:
            draft.add_line(kind, members, line)
    return [draft.build(name) for name, draft in found.items()]


class _RequestBuilder:
    """A call whose lines are still being read."""

    def __init__(self, members: "dict[str, Any]", line: bytes) -> None:
        self._members, self._lines = members, [line]
        self._answers: list[ApprovalAnswer] = []
        self._is_used = False

    def add_line(self, kind: object, members: "dict[str, Any]", line: bytes) -> None:
        """Add a line of the store; a later request of the same id makes the call count as used."""
        approved = members.get("approved")
        self._lines.append(line)
        # INVARIANT: an approval is a boolean and nothing that a program may take for one
        if kind == "decision" and isinstance(approved, bool):
            answer = ApprovalAnswer(approved, _text_of(members, "boot"), _number_of(members, "at_ns"), members)
            self._answers.append(answer)
        elif kind in ("spend", "request"):  # nobody knows which of two requests of one name was approved
            self._is_used = True

    def build(self, name: str) -> ApprovalRequest:
        """Return the request of this id, as far as its lines were readable."""
        members = self._members
        return ApprovalRequest(
            name, _text_of(members, "call"), _text_of(members, "boot"), _number_of(members, "at_ns"),
            _number_of(members, "timeout_seconds"), members, tuple(self._answers), self._is_used, tuple(self._lines),
        )  # fmt: skip


def _parse_members(line: bytes) -> "dict[str, Any]":
    if not line or len(line) > MAX_LINE_BYTES:
        return {}
    try:
        value = decode_json(line)
    except MalformedError:
        return {}
    return value if isinstance(value, dict) else {}


def _text_of(members: "dict[str, Any]", name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _number_of(members: "dict[str, Any]", name: str) -> int:
    value = members.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def find_request_status(request: ApprovalRequest, clock: TimeSinceBoot, timeout_seconds: int) -> RequestStatus:
    """Return the status of a request, by the shorter of its own timeout and the timeout that is passed.

    A request lives for this time, and so does an answer that was given in it. One of another program, without a time
    of this boot, lives no longer than the request. A denial overrides all approvals. Nothing from another boot counts.
    """
    if request.is_used:
        return RequestStatus(USED)
    span = min(request.timeout_seconds, timeout_seconds) * _SECOND
    left_ns = _time_left(request.boot, request.at_ns, span, clock)
    denied = [_time_left_of(answer, request, span, clock) for answer in request.answers if not answer.approved]
    approved = [_time_left_of(answer, request, span, clock) for answer in request.answers if answer.approved]
    if denied:
        return RequestStatus(DENIED, max(denied))
    if any(approved):
        return RequestStatus(APPROVED, max(approved))
    return RequestStatus(WAITING, left_ns) if left_ns and not approved else RequestStatus(EXPIRED)


def find_human_denial_reason(request: ApprovalRequest) -> str:
    """Return the reason that the last human who denied a request gave, '' if none."""
    reasons = [_text_of(dict(answer.members), "reason") for answer in request.answers if not answer.approved]
    return reasons[-1][:MAX_REASON] if reasons else ""


def _time_left_of(answer: ApprovalAnswer, request: ApprovalRequest, span: int, clock: TimeSinceBoot) -> int:
    if not answer.boot:
        return _time_left(request.boot, request.at_ns, span, clock)
    in_time = request.boot == answer.boot and 0 <= answer.at_ns - request.at_ns < span
    return _time_left(answer.boot, answer.at_ns, span, clock) if in_time else 0


def _time_left(boot: str, at_ns: int, span: int, clock: TimeSinceBoot) -> int:
    since = clock.now_ns - at_ns
    return span - since if boot == clock.boot and at_ns >= 0 and 0 <= since < span else 0


def encode_requests_to_keep(requests: "list[ApprovalRequest]", clock: TimeSinceBoot, timeout_seconds: int) -> bytes:
    """Return the lines that are still of use: what lives, what another program asks, and the last answers."""
    # INVARIANT: the lines of a call stay or go together, so that no approval outlives the line that says it was used
    live, answered = set[str](), list[str]()
    for request in requests:
        if not request.call or find_request_status(request, clock, timeout_seconds).is_live:
            live.add(request.id)
        elif request.answers and request.boot == clock.boot:
            answered.append(request.id)
    live.update(answered[-MAX_ANSWERED:])
    return b"".join(line + b"\n" for request in requests if request.id in live for line in request.lines)
