"""Sends what waits in a queue, in its order, until the receiver has it or has refused it."""

from time import time

from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.library.event_delivery.event_requests import (
    BATCH,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    make_event_request,
)
from cortex_policy.library.event_delivery.outcomes import Outcome, classify_http_status, compute_retry_delay
from cortex_policy.library.event_delivery.receiver import DeliveryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.library.event_delivery.line_delivery_queue import LineQueue
    from cortex_policy.library.event_delivery.receiver import EventReceiver
    from cortex_policy.library.event_delivery.refused_events import RefusedEvents


class EventSender:
    """Sends one request at a time; `report` gets a sentence when deliveries begin to fail, and when they go on.

    `delivered` and `refused` count events; `problem` says why the last request failed.
    """

    delivered: int
    problem: str
    refused: int

    def __init__(
        self,
        queue: "LineQueue",
        receiver: "EventReceiver",
        mode: str,
        refused: "RefusedEvents",
        report: "Callable[[str], object]",
    ) -> None:
        """Take what to send, where to, how, and where the receiver's refusals are kept."""
        self._queue, self._receiver, self._mode = queue, receiver, mode
        self._refused, self._report = refused, report
        self._max_events = self._events = MAX_BATCH_EVENTS if mode == BATCH else 1
        self._failures = 0
        self.problem = ""
        self.delivered = self.refused = 0

    def send_next(self) -> "float | None":
        """Send the next request; return the seconds to wait before the one after it, None if nothing waits.

        Raises OSError if the cursor, or what was refused, cannot be written: then nothing is lost, and it may be tried
        again.
        """
        lines = self._queue.peek(self._events, MAX_BATCH_BYTES)
        if not lines:
            return None
        try:
            answer = self._receiver.post(make_event_request(lines, self._mode))
        except DeliveryError as error:
            return self._wait(str(error), Outcome.LATER, None)
        outcome = classify_http_status(answer.status)
        if outcome is Outcome.DELIVERED:
            self._go_on(len(lines))
            self.delivered += len(lines)
        elif outcome is Outcome.REFUSED:
            self._split_or_set_aside(lines, answer.status)
        else:
            return self._wait(f"the receiver answers {answer.status}", outcome, answer.retry_after)
        return 0.0

    def _go_on(self, count: int) -> None:
        self._queue.commit(count)
        self._events = min(self._max_events, self._events + 1)
        if self._failures:
            self._report(f"`{self._receiver.url.shown}` takes events again")
        self._failures, self.problem = 0, ""

    def _split_or_set_aside(self, lines: list[bytes], status: int) -> None:
        """Send fewer events at once; one that is refused by itself is set aside."""
        if len(lines) > 1:
            self._events = len(lines) // 2
            return
        self._refused.add(lines[0], status)
        self._go_on(1)
        self.refused += 1
        self._report(
            f"`{self._receiver.url.shown}` answers {status} to an event, which is kept in `{self._refused.path}`"
        )

    def _wait(self, problem: str, outcome: Outcome, retry_after: "str | None") -> float:
        self._failures += 1
        delay = compute_retry_delay(self._failures, outcome, retry_after, time())
        if problem != self.problem:
            self.problem = problem
            self._report(escape_message_to_one_line(f"events for `{self._receiver.url.shown}` wait: {problem}"))
        return delay
