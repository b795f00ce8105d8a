"""Send the events of an audit log to a receiver: the log itself is the spool, and a cursor beside it says how far."""

import os
from hashlib import sha256
from shlex import quote
from time import time_ns

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.library.event_delivery.cursor import Cursor
from cortex_policy.library.event_delivery.line_delivery_queue import LineQueue
from cortex_policy.library.event_delivery.receiver import EventReceiver
from cortex_policy.library.event_delivery.refused_events import RefusedEvents
from cortex_policy.library.event_delivery.sender import EventSender
from cortex_policy.manage.audit.log_files import list_log_files, open_logs
from cortex_policy.manage.audit.unsent_lines import LogLines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

_DIGITS = 8


class SendResult(Value):
    """What was sent so far, in events, and why the rest waits, '' if nothing does."""

    delivered: int
    refused: int
    skipped: int
    gaps: int
    problem: str


def make_cursor_path_beside_log(log: str, url: str) -> str:
    """Return the usual cursor for a log and a receiver: a name beside the log, into which no grant allows a path."""
    return f"{os.path.abspath(log)}.sent-{sha256(url.encode('utf-8', 'surrogateescape')).hexdigest()[:_DIGITS]}"


class LogSender:
    """Sends what is in a log, after a cursor that no other process uses meanwhile."""

    def __init__(
        self, log: str, receiver: EventReceiver, cursor: str, mode: str, report: "Callable[[str], object]"
    ) -> None:
        """Open and lock the cursor; raise NotDoneError. `report` gets sentences about what fails."""
        with open_logs(list_log_files(os.path.abspath(log))):
            pass  # a wrong name leaves no cursor
        self.retry_seconds: float | None = None
        self._receiver, self._cursor = receiver, _lock_cursor(cursor)
        self._lines = LogLines(os.path.abspath(log), self._cursor.read(), report)
        self._queue = LineQueue(self._lines.follow(), self._cursor)
        self._sender = EventSender(self._queue, receiver, mode, RefusedEvents(f"{cursor}.refused", time_ns), report)

    def send(self) -> "Iterator[None]":
        """Send what waits, and yield once for each event; then `retry_seconds` is None, or a request has failed.

        Raises NotDoneError if the log cannot be read, or the cursor cannot be written.
        """
        while True:
            before = self._sender.delivered + self._sender.refused
            try:
                self.retry_seconds = self._sender.send_next()
            except OSError as error:
                raise NotDoneError(f"`{self._cursor.path}`: {format_os_error_cause(error)}") from None
            for _ in range(self._sender.delivered + self._sender.refused - before):
                yield None
            if self.retry_seconds != 0.0:
                return

    @property
    def result(self) -> SendResult:
        """What was sent so far."""
        sender = self._sender
        return SendResult(sender.delivered, sender.refused, self._queue.skipped, self._lines.gaps, sender.problem)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.close()
        self._cursor.close()


def _lock_cursor(path: str) -> Cursor:
    cursor = Cursor(path)
    if cursor.try_lock():
        return cursor
    cursor.close()
    raise NotDoneError(f"another process is sending, and uses `{path}`", f"see which with `fuser {quote(path)}`")
