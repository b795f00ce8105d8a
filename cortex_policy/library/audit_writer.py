"""The audit log of a store: it stays open, and gets a line for each ordinary call."""

import os
from hashlib import sha256
from time import time_ns

from cortex_policy.core.audit_event import parse_trace_id_or_none
from cortex_policy.core.audit_line_template import UNKNOWN_CALLER, AuditLineTemplate, Caller
from cortex_policy.core.model import StateError
from cortex_policy.state import read_working_directory_or_none
from cortex_policy.state.audit_log import AuditLog
from cortex_policy.state.audit_record import make_sink_error, read_stamp_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cortex_policy.core.audit_sink import LineSink
    from cortex_policy.core.model import Decision, Settings
    from cortex_policy.library.grant_cache import CachedGrant

_ID_BYTES, _ID_BATCH = 16, 256
_ids: list[str] = []  # not used by a call yet
os.register_at_fork(after_in_child=_ids.clear)


def _sha256_hex_of(data: bytes) -> str:
    return sha256(data).hexdigest()


class AuditWriter:
    """Writes the audit log of one store."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._log: AuditLog | None = None
        self._version: tuple[int, int | None] = 0, None  # of the stamp, after the generation in which it was read

    def open(self, settings: "Settings") -> AuditLog | None:
        """Open the log of these settings.

        If that fails, raise AuditLogError, or return None if the settings ignore errors of the log.
        """
        log = self._log
        if log is not None and log.descriptor >= 0 and log.settings is settings:
            return log
        try:
            if log is None:
                self._log = log = AuditLog(settings, sha256)
            else:
                log.reopen(settings)
        except StateError:
            if settings.audit_on_error != "ignore":
                raise
            return None
        return log

    def write(
        self, log: AuditLog | None, entry: "CachedGrant", action: str, args: "Mapping[str, object]",
        answer: "Decision", sinks: "Sequence[LineSink]" = (),
    ) -> None:  # fmt: skip
        """Write the decision of an ordinary call, the log first; raise StateError if that fails and is not ignored."""
        form = entry.lines.get(action) or self._template_of(entry, action)
        caller = _caller_of_environment(form.is_full)
        generation, version = self._version
        if generation == 0 or generation != entry.generation:
            version = self._read_stamp_version(entry)
        text = form.make_line(_next_id(), time_ns(), version, args, answer, caller)
        is_ignored = entry.settings.audit_on_error == "ignore"
        if log is not None:
            try:
                log.append(text)
            except StateError:
                if not is_ignored:
                    raise
        for sink in sinks:
            try:
                sink.record_line(text)
            except Exception as failure:
                if not is_ignored:
                    raise make_sink_error(sink, failure) from failure

    def close(self) -> None:
        """Close the log, if one was opened."""
        if self._log is not None:
            self._log.close()

    def _template_of(self, entry: "CachedGrant", action: str) -> AuditLineTemplate:
        grant, detail = entry.grant, entry.settings.audit_args
        root = grant.origin.root if grant.origin is not None else None
        form = entry.lines[action] = AuditLineTemplate(grant.id, grant.tool, action, root, detail, _sha256_hex_of)
        return form

    def _read_stamp_version(self, entry: "CachedGrant") -> int | None:
        """Read the version of the stamp. It is valid for a generation: nothing in its directory changes in one."""
        origin = entry.grant.origin
        generation = entry.generation  # INVARIANT: it starts before the stamp is read
        version = read_stamp_version(origin.root if origin is not None else None)
        self._version = generation, version
        return version


def select_sinks_that_take_lines(sinks: "tuple[Any, ...]") -> "tuple[LineSink, ...]":
    """Return the sinks that take lines of the log; one whose `record` was replaced gets that called."""
    return tuple([
        sink for sink in sinks if "record_line" in vars(type(sink)) and "record" not in getattr(sink, "__dict__", ())
    ])  # fmt: skip


def _caller_of_environment(is_full: bool) -> Caller:  # noqa: FBT001 - a name costs more
    """Return what the environment says of the caller. Usually it says nothing: this is faster than two `get`."""
    data = getattr(os.environ, "_data", None)
    if type(data) is dict and b"CORTEX_RUN_ID" not in data and b"TRACEPARENT" not in data and not is_full:
        return UNKNOWN_CALLER
    get = os.environ.get
    return Caller(
        get("CORTEX_RUN_ID", ""),
        parse_trace_id_or_none(get("TRACEPARENT", "")),
        read_working_directory_or_none() if is_full else None,
    )


def _next_id() -> str:
    try:
        return _ids.pop()
    except IndexError:
        return _generate_ids()


def _generate_ids() -> str:
    """Return a new id, and keep more for later calls."""
    digits, size = os.urandom(_ID_BYTES * _ID_BATCH).hex(), 2 * _ID_BYTES
    _ids.extend(digits[start : start + size] for start in range(size, len(digits), size))
    return digits[:size]
