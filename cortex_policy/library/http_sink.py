"""A sink that sends events to a receiver over HTTP, by way of a spool on the disk (docs/audit.md)."""

import atexit
import json
import os
from time import monotonic
from weakref import WeakSet, finalize

from cortex_policy.core.audit_event import shorten_cloudevent
from cortex_policy.core.json_text import encode_json_line
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun
from cortex_policy.library.event_delivery.event_requests import MODES, STRUCTURED
from cortex_policy.library.event_delivery.receiver import EventReceiver
from cortex_policy.library.event_delivery.sender_thread import CLOSE_SECONDS, SenderThread, log
from cortex_policy.library.event_delivery.spool import EventSpool, SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

DEFAULT_MAX_BYTES = 1 << 26
_parts: "WeakSet[EventSpool | SenderThread]" = WeakSet()


class HttpSink:
    """Sends each event to a URL as CloudEvents over HTTP, at least once and in order, from a thread of its own.

    `record` only writes to the spool, a directory of yours alone that several processes may share; it does not wait for
    the network. It raises SpoolError if the event cannot be written, or `max_bytes` of events wait. What waits when the
    process ends is sent by the next one that uses the spool.
    """

    def __init__(
        self,
        url: str,
        *,
        spool: "str | os.PathLike[str]",
        mode: str = STRUCTURED,
        token_file: "str | os.PathLike[str] | None" = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        """Take an https URL, or one of this host; `mode` is `structured`, `binary` or `batch`.

        `token_file` holds a bearer token, and is readable only for its owner. Raises UsageError or SpoolError.
        """
        if mode not in MODES:
            raise UsageError(f"unknown mode `{mode}`", f"the modes are {', '.join(MODES)}")
        receiver = EventReceiver(url, None if token_file is None else os.path.abspath(os.fspath(token_file)))
        self._spool = EventSpool(os.fspath(spool), max_bytes)
        self._thread = SenderThread(self._spool.directory, receiver, mode)
        self._lost = 0
        _parts.add(self._spool)
        _parts.add(self._thread)
        finalize(
            self, _release, self._thread, self._spool
        ).atexit = False  # at the exit, all are given some time together

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Write an event to the spool; raise SpoolError if that fails."""
        self._append(_line_of(event, self._spool.max_line_bytes))

    def record_line(self, line: bytes, /) -> None:
        """Write an event that is a line already, as a store does it."""
        if len(line) > self._spool.max_line_bytes:
            self.record(json.loads(line))
        else:
            self._append(line)

    def _append(self, line: bytes) -> None:
        try:
            self._spool.append(line)
        except SpoolError as error:
            self._lost += 1
            if self._lost == 1:
                log.warning("brAInwav: %s", escape_message_to_one_line(f"an event cannot be sent: {error}"))
            raise
        finally:
            self._thread.wake_or_start()
        if self._lost:
            number, self._lost = self._lost, 0
            log.warning("brAInwav: %s could not be written to the spool", format_count_with_noun(number, "event"))

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Deliver what waits, for a bounded time, and end the thread. A later `record` starts another one."""
        self._thread.stop(timeout_seconds)
        self._thread.join(timeout_seconds)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line_of(event: "Mapping[str, object]", max_bytes: int) -> bytes:
    """Return the line of an event; one that is too long goes without arguments and paths, and then with names cut."""
    line = encode_json_line(event)
    data = event.get("data")
    if len(line) > max_bytes and isinstance(data, dict):
        less = {**event, "data": {**{name: data[name] for name in data if name != "paths"}, "args": None}}
        line = encode_json_line(less)
        if len(line) > max_bytes:
            line = encode_json_line(shorten_cloudevent(less))
    if len(line) > max_bytes:
        raise UsageError(f"the event has {len(line):,} bytes, and at most {max_bytes:,} are sent")
    return line


def _release(thread: SenderThread, spool: EventSpool) -> None:
    thread.stop()
    spool.close()


def _reset_after_fork() -> None:
    for part in list(_parts):
        part.make_usable_after_fork()


def _close_at_exit() -> None:
    """Give all threads some time together to deliver what waits."""
    end = monotonic() + CLOSE_SECONDS
    threads = [part for part in list(_parts) if isinstance(part, SenderThread)]
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))


os.register_at_fork(after_in_child=_reset_after_fork)
atexit.register(_close_at_exit)
