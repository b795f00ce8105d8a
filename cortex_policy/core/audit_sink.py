"""Where events of answered calls may go besides the audit log."""

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Sink(Protocol):
    """Gets the event of each answered call: a CloudEvents 1.0 object as in docs/audit.md, as a mapping.

    It must not change it. What it raises counts as a call that could not be recorded: `audit.on_error` says what then.
    """

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Take an event; it is called before the answer is given, so that it should not wait for others."""
