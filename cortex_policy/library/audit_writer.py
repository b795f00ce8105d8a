"""What a store writes to the audit log: ordinary calls, a line each, by a log that stays open."""

import os
from hashlib import sha256
from time import time_ns

from cortex_policy.core.audit_event import trace_of
from cortex_policy.core.audit_line import UNKNOWN, Caller, LineForm
from cortex_policy.core.model import StateError
from cortex_policy.state.audit_log import Log
from cortex_policy.state.audit_record import version_of
from cortex_policy.state.paths import working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Decision, Settings
    from cortex_policy.library.cache import Entry

_ID_BYTES, _IDS = 16, 256
_ids: list[str] = []  # that no call has got yet
os.register_at_fork(after_in_child=_ids.clear)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


class AuditWriter:
    """The audit log of one store."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._log: Log | None = None
        self._stamped: tuple[int, int | None] = 0, None  # a generation, and the version of the stamp in it

    def open(self, settings: "Settings") -> Log | None:
        """Return the log of these settings, open and judged; raise LogError, or return None where that is ignored."""
        log = self._log
        if log is not None and log.descriptor >= 0 and log.settings is settings:
            return log
        try:
            if log is None:
                self._log = log = Log(settings, sha256)
            else:
                log.use(settings)
        except StateError:
            if settings.audit_on_error != "ignore":
                raise
            return None
        return log

    def write(self, log: Log, entry: "Entry", action: str, args: "Mapping[str, object]", answer: "Decision") -> None:
        """Write the answer of an ordinary call; raise LogError where that fails, unless it is ignored."""
        form = entry.lines.get(action) or self._form(entry, action)
        caller = _caller(form.is_full)
        generation, version = self._stamped
        if generation == 0 or generation != entry.generation:
            version = self._version_at(entry)
        text = form.line(_next_id(), time_ns(), version, args, answer, caller)
        try:
            log.append(text)
        except StateError:
            if entry.settings.audit_on_error != "ignore":
                raise

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _form(self, entry: "Entry", action: str) -> LineForm:
        grant, detail = entry.grant, entry.settings.audit_args
        root = grant.origin.root if grant.origin is not None else None
        form = entry.lines[action] = LineForm(grant.id, grant.tool, action, root, detail, _digest)
        return form

    def _version_at(self, entry: "Entry") -> int | None:
        """Read the version of the stamp, which holds as long as a generation: nothing in its directory was changed."""
        origin = entry.grant.origin
        generation = entry.generation  # INVARIANT: it began before the stamp is read
        version = version_of(origin.root if origin is not None else None)
        self._stamped = generation, version
        return version


def _caller(is_full: bool) -> Caller:  # noqa: FBT001 - a name costs more
    """Return what the environment says; that it says nothing is found out faster than by `get`."""
    known = getattr(os.environ, "_data", None)
    if type(known) is dict and b"CORTEX_RUN_ID" not in known and b"TRACEPARENT" not in known and not is_full:
        return UNKNOWN
    get = os.environ.get
    return Caller(get("CORTEX_RUN_ID", ""), trace_of(get("TRACEPARENT", "")), working_directory() if is_full else None)


def _next_id() -> str:
    try:
        return _ids.pop()
    except IndexError:
        return _new_id()


def _new_id() -> str:
    """Return an id, and keep more for later."""
    fresh, size = os.urandom(_ID_BYTES * _IDS).hex(), 2 * _ID_BYTES
    _ids.extend(fresh[start : start + size] for start in range(size, len(fresh), size))
    return fresh[:size]
