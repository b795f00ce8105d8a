"""What an answered call leaves: its event, as a line of the audit log and for the sinks of its caller."""

import os
import stat
from time import time_ns

from cortex_policy.core.audit_event import FULL, Event, envelope, line, trace_of
from cortex_policy.core.decode import Malformed, decode_json, whole_number
from cortex_policy.core.model import STATE_UNAVAILABLE, CortexPolicyError, StateError
from cortex_policy.state import read_all, sha256_hex
from cortex_policy.state.paths import guarded, places, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.core.model import ResolvedPath
    from cortex_policy.state.audit_log import Log
    from cortex_policy.state.enforcement import Trail

_STAMP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
LARGEST_STAMP = 1 << 24
_HEAD = b'{\n  "format": 1,\n  "version": '  # of a stamp as it is written here
_MOST_DIGITS = 16


def record(trail: "Trail", error: CortexPolicyError | None, log: "Log | None", sinks: "Iterable[Sink]" = ()) -> None:
    """Hand on what came of a call, to the log first; raise StateError where one fails, unless that is ignored."""
    detail, is_ignored = trail.settings.audit_args, trail.settings.audit_on_error == "ignore"
    event = _event(trail, error, with_places=detail == FULL)
    if log is not None:
        try:
            log.append(line(event, detail, sha256_hex))
        except StateError:
            if not is_ignored:
                raise
    for sink in sinks:
        try:
            sink.record(envelope(event, detail, sha256_hex))
        except Exception as failure:
            if not is_ignored:
                raise _failed(sink, failure) from failure


def _failed(sink: "Sink", failure: Exception) -> StateError:
    why = f"audit sink `{type(sink).__name__}`: {type(failure).__name__}: {failure}"
    return StateError(STATE_UNAVAILABLE, why, "mend the sink, or set `audit.on_error` to `ignore`")


def _event(trail: "Trail", error: CortexPolicyError | None, *, with_places: bool) -> Event:
    grant, decision = trail.grant, trail.decision
    is_allowed = error is None and bool(decision)
    reason = error.reason if error is not None else decision.reason if decision is not None else ""
    origin = grant.origin if grant is not None else None
    root = origin.root if origin is not None else getattr(error, "root", None)
    return Event(
        os.urandom(16).hex(), time_ns(), trail.grant_id, grant.tool if grant is not None else trail.grant_id,
        str(trail.action), trail.args, is_allowed, reason, trail.cost, trail.peek,
        _places(trail) if with_places else None, root, working_directory(), version_of(root),
        os.environ.get("CORTEX_RUN_ID", ""), trace_of(os.environ.get("TRACEPARENT", "")),
        decision.approval.id if decision is not None and decision.approval is not None else None,
    )  # fmt: skip


def _places(trail: "Trail") -> "tuple[ResolvedPath, ...] | None":
    """Return the paths of a call as they were resolved for its answer, which may have come before any was."""
    decision, origin = trail.decision, trail.grant.origin if trail.grant is not None else None
    if decision is not None and decision.paths:
        return tuple(place for place, _ in decision.paths)
    if trail.grant is None or origin is None:
        return None
    try:
        return places(trail.grant, origin, trail.args, guarded(origin, trail.settings))
    except StateError:  # no descriptor was left: what is answered says so
        return None


def version_of(root: str | None) -> int | None:
    """Return the version in the stamp of a root, None where there is none; it judges nothing and fails nothing."""
    if root is None:
        return None
    try:
        descriptor = os.open(f"{root.rstrip('/')}/.cortex/policy/stamp.json", _STAMP)
    except (OSError, ValueError):
        return None
    try:
        return _version_in(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except (OSError, Malformed):
        return None
    finally:
        os.close(descriptor)


def _version_in(descriptor: int) -> int | None:
    head = os.read(descriptor, 1 << 12)
    digits, comma, _ = head.removeprefix(_HEAD).partition(b",\n")
    if head.startswith(_HEAD) and comma and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        return int(digits)
    document = decode_json(head + read_all(descriptor, LARGEST_STAMP), LARGEST_STAMP)  # laid out by another program
    return whole_number(document.get("version")) if isinstance(document, dict) else None
