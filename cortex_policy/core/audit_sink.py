"""The interface of sinks: events of answered calls go there besides the audit log."""

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Sink(Protocol):
    """Receives the event of each answered call: a CloudEvents 1.0 object as in docs/audit.md, as a mapping.

    It must not change the event. If it raises, the call counts as not recorded, and `audit.on_error` applies.
    """

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Record an event; this runs before the call is answered, so it should not block."""


class LineSink(Sink, Protocol):
    """A sink that takes an event as a line of the log, too; a store makes those faster."""

    def record_line(self, line: bytes, /) -> None:
        """Record an event that is JSON already, in ASCII with its newline, without a digest."""
