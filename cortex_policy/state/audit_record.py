"""Record an answered call: its event, as a line of the audit log and for the sinks of its caller."""

import os
import stat
from time import time_ns

from cortex_policy.core.audit_event import FULL, Event, event_to_cloudevent_line, parse_trace_id_or_none, to_cloudevent
from cortex_policy.core.decode import MalformedError, decode_json, to_whole_number
from cortex_policy.core.model import STATE_UNAVAILABLE, CortexPolicyError, StateError
from cortex_policy.state import (
    compute_sha256_hex,
    make_policy_directory_path,
    read_up_to,
    read_working_directory_or_none,
)
from cortex_policy.state.paths import find_protected_paths, resolve_path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Protocol

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.core.model import Decision, Grant, ResolvedPath, Settings
    from cortex_policy.state.audit_log import AuditLog

    class AnsweredCall(Protocol):
        """A call, with the grant and settings that decided it, and the decision, if there is one."""

        grant_id: str
        action: str
        args: "Mapping[str, object]"
        cost: int
        peek: bool
        settings: Settings
        root: str | None
        grant: Grant | None
        decision: Decision | None


_STAMP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
MAX_STAMP_BYTES = 1 << 24
_HEAD = b'{\n  "format": 1,\n  "version": '  # of a stamp that this program wrote
_MOST_DIGITS = 16


def record_answered_call(
    call: "AnsweredCall", error: CortexPolicyError | None, log: "AuditLog | None", sinks: "Iterable[Sink]" = ()
) -> None:
    """Write the event of a call, to the log first; raise StateError if one fails, unless that is ignored."""
    detail, is_ignored = call.settings.audit_args, call.settings.audit_on_error == "ignore"
    event = _event_of(call, error, with_places=detail == FULL)
    if log is not None:
        try:
            log.append(event_to_cloudevent_line(event, detail, compute_sha256_hex))
        except StateError:
            if not is_ignored:
                raise
    for sink in sinks:
        try:
            sink.record(to_cloudevent(event, detail, compute_sha256_hex))
        except Exception as failure:
            if not is_ignored:
                raise make_sink_error(sink, failure) from failure


def make_sink_error(sink: object, failure: Exception) -> StateError:
    """Return the error of a call whose event a sink did not take."""
    why = f"audit sink `{type(sink).__name__}`: {type(failure).__name__}: {failure}"
    return StateError(STATE_UNAVAILABLE, why, "fix the sink, or set `audit.on_error` to `ignore`")


def _event_of(call: "AnsweredCall", error: CortexPolicyError | None, *, with_places: bool) -> Event:
    grant, decision = call.grant, call.decision
    is_allowed = error is None and bool(decision)
    reason = error.reason if error is not None else decision.reason if decision is not None else ""
    origin = grant.origin if grant is not None else None
    root = origin.root if origin is not None else getattr(error, "root", None) or call.root
    return Event(
        os.urandom(16).hex(), time_ns(), call.grant_id, grant.tool if grant is not None else call.grant_id,
        str(call.action), call.args, is_allowed, reason, call.cost, call.peek,
        _resolved_paths(call) if with_places else None, root,
        read_working_directory_or_none(), read_stamp_version(root),
        os.environ.get("CORTEX_RUN_ID", ""), parse_trace_id_or_none(os.environ.get("TRACEPARENT", "")),
        decision.approval.id if decision is not None and decision.approval is not None else None,
        decision is not None and decision.budget is not None and decision.budget.repeat,
        decision is not None and decision.budget is not None and decision.budget.local,
    )  # fmt: skip


def _resolved_paths(call: "AnsweredCall") -> "tuple[ResolvedPath, ...] | None":
    """Return the resolved paths of a call; resolve them now if the answer came before that."""
    decision, origin = call.decision, call.grant.origin if call.grant is not None else None
    if decision is not None and decision.paths:
        return tuple(path for path, _ in decision.paths)
    if call.grant is None or origin is None:
        return None
    try:
        return resolve_path_arguments(call.grant, origin, call.args, find_protected_paths(origin, call.settings))
    except StateError:  # no descriptor was left: the answer says so
        return None


def read_stamp_version(root: str | None) -> int | None:
    """Return the version in the stamp of a root, None if there is none; never raise, and check nothing."""
    if root is None:
        return None
    try:
        descriptor = os.open(f"{make_policy_directory_path(root)}/stamp.json", _STAMP)
    except (OSError, ValueError):
        return None
    try:
        return _read_version(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except (OSError, MalformedError):
        return None
    finally:
        os.close(descriptor)


def _read_version(descriptor: int) -> int | None:
    head = os.read(descriptor, 1 << 12)
    digits, comma, _ = head.removeprefix(_HEAD).partition(b",\n")
    if head.startswith(_HEAD) and comma and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        return int(digits)
    document = decode_json(
        head + read_up_to(descriptor, MAX_STAMP_BYTES), MAX_STAMP_BYTES
    )  # laid out by another program
    return to_whole_number(document.get("version")) if isinstance(document, dict) else None
