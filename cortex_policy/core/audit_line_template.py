"""Lines of the audit log for many calls of one grant and action: what they share is written once.

Each is byte for byte what `audit_event.event_to_cloudevent_line` writes of the same call (a property test holds it
to that).
"""

from cortex_policy.core import Value
from cortex_policy.core.audit_event import (
    FINGERPRINTS,
    FULL,
    MAX_LINE_BYTES,
    Event,
    event_to_cloudevent_line,
    format_timestamp,
    make_recorded_arguments,
    make_root_path_fingerprint,
    path_to_dict,
    percent_encode_unprintable,
    to_cloudevent,
)
from cortex_policy.core.json_text import format_ascii_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cortex_policy.core.model import Decision, Reason, ResolvedPath

    Digest = Callable[[bytes], str]

_MAX_FINGERPRINTS = 512  # fingerprints of texts
_MAX_FINGERPRINT_TEXT = 256  # characters of one


class Caller(Value):
    """What the environment says of who calls: run id, trace id and working directory, as far as they are known."""

    run: str = ""
    trace: str | None = None
    cwd: str | None = None


UNKNOWN_CALLER = Caller()


class AuditLineTemplate:
    """What the lines of one grant and action have in common; `detail` says how much they show of arguments."""

    is_full: bool

    __slots__ = (
        "_answer_texts",
        "_call",
        "_detail",
        "_digest",
        "_end",
        "_fingerprints",
        "_names",
        "_no_arguments",
        "_second",
        "_untraced",
        "is_full",
    )  # fmt: skip

    def __init__(self, grant: str, tool: str, action: str, root: str | None, detail: str, digest: "Digest") -> None:
        """Write what they share."""
        example = Event("", 0, grant, tool, action, {}, is_allowed=True, reason="", root=root)
        members = to_cloudevent(example, detail, digest)
        self._call, self._detail, self._digest = (grant, tool, action, root), detail, digest
        self.is_full = detail == FULL
        self._names = f'","source":{format_ascii_json(members["source"])},"type":{format_ascii_json(members["type"])},'
        shown = root if root is None or detail == FULL else make_root_path_fingerprint(root, digest)
        self._end = f',"brand":"brAInwav","component":"policy","root":{format_ascii_json(shown)}'
        self._untraced = f',"traceId":null{self._end}}}}}\n'  # the end of most lines
        self._answer_texts: dict[Reason, str] = {}
        self._fingerprints: dict[tuple[str, str], str] = {}
        self._no_arguments = format_ascii_json(make_recorded_arguments({}, detail, digest))
        self._second = -1, ""  # the last one, and how it is written

    def make_line(
        self, call_id: str, at_ns: int, version: int | None, args: "Mapping[str, object]", answer: "Decision",
        caller: Caller,
    ) -> bytes:  # fmt: skip
        """Return the line of a call of cost 1, ASCII with its newline."""
        answer_part = self._answer_texts.get(answer.reason) or self._answer_text(answer.reason)
        number, nanoseconds = divmod(at_ns, 1_000_000_000)
        second, time = self._second
        if number != second:
            time = format_timestamp(at_ns)[:-7]  # up to the point
            self._second = number, time
        stamped = "null" if version is None else version
        written_args = self._arguments_text(args) if args else self._no_arguments
        subject, end = (
            ("", self._untraced)
            if caller is UNKNOWN_CALLER and not self.is_full
            else self._subject_and_end(answer, caller)
        )
        text = (
            f'{{"specversion":"1.0","id":"{call_id}{self._names}{subject}"time":"{time}'
            f'{nanoseconds // 1000:06}Z{answer_part}{stamped},"args":{written_args}{end}'
        ).encode("ascii")
        if len(text) <= MAX_LINE_BYTES:
            return text
        grant, tool, action, root = self._call
        event = Event(
            call_id, at_ns, grant, tool, action, args, bool(answer), answer.reason, 1, False,  # noqa: FBT003 - no peek
            _resolved_paths(answer), root, caller.cwd, version, caller.run, caller.trace,
        )  # fmt: skip
        return event_to_cloudevent_line(event, self._detail, self._digest)

    def _answer_text(self, reason: "Reason") -> str:
        decision = format_ascii_json(reason.exit_code == 0)
        grant, _, action, _ = self._call
        text = (
            f'","datacontenttype":"application/json","data":{{"decision":{decision},"reason":{format_ascii_json(reason)},'
            f'"grant":{format_ascii_json(grant)},"action":{format_ascii_json(action)},"version":'
        )
        self._answer_texts[reason] = text
        return text

    def _arguments_text(self, args: "Mapping[str, object]") -> str:
        if self._detail != FINGERPRINTS:
            return format_ascii_json(make_recorded_arguments(args, self._detail, self._digest), ",", ":")
        return "{" + ",".join([self._argument_member(name, value) for name, value in args.items()]) + "}"

    def _argument_member(self, name: str, value: object) -> str:
        """Return an argument by its fingerprint; those of short texts are kept for a while."""
        if type(value) is not str or len(value) > _MAX_FINGERPRINT_TEXT:
            return format_ascii_json(make_recorded_arguments({name: value}, FINGERPRINTS, self._digest), ",", ":")[1:-1]
        known = self._fingerprints.get((name, value))
        if known is None:
            known = format_ascii_json(make_recorded_arguments({name: value}, FINGERPRINTS, self._digest), ",", ":")[
                1:-1
            ]
            if len(self._fingerprints) >= _MAX_FINGERPRINTS:
                self._fingerprints.clear()
            self._fingerprints[name, value] = known
        return known

    def _subject_and_end(self, answer: "Decision", caller: Caller) -> tuple[str, str]:
        """Return the subject of a line, and its end, which says what is known of the caller."""
        subject = f'"subject":{format_ascii_json(percent_encode_unprintable(caller.run))},' if caller.run else ""
        trace = "null" if caller.trace is None else f'"{caller.trace}"'
        more = self._paths_text(answer, caller) if self.is_full else ""
        return subject, f',"traceId":{trace}{self._end}{more}}}}}\n'

    def _paths_text(self, answer: "Decision", caller: Caller) -> str:
        paths = format_ascii_json([path_to_dict(path) for path in _resolved_paths(answer)], ",", ":")
        return f',"cwd":{format_ascii_json(caller.cwd)},"cost":1,"paths":{paths}'


def _resolved_paths(answer: "Decision") -> "tuple[ResolvedPath, ...]":
    return tuple([path for path, _ in answer.paths])
