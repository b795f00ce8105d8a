"""The lines that wait to be delivered, and the cursor after those that are."""

from collections import deque
from itertools import islice

from cortex_policy.library.event_delivery.event_requests import is_event_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.library.event_delivery.cursor import Cursor, Position

    # yields None whenever there is no complete line at the moment, and goes on when it is asked again
    Lines = Iterator[tuple[bytes, Position] | None]


class LineQueue:
    """A window on the lines after a cursor; `skipped` counts those that are not events."""

    skipped: int

    def __init__(
        self, lines: "Lines", cursor: "Cursor", on_commit: "Callable[[Position], object] | None" = None
    ) -> None:
        """Take the lines after the cursor; `on_commit` is called with each position that was kept."""
        self._lines, self._cursor, self._on_commit = lines, cursor, on_commit
        self._waiting: deque[tuple[bytes, Position]] = deque()
        self._bytes = 0
        self.skipped = 0

    def peek(self, max_events: int, max_bytes: int) -> list[bytes]:
        """Return the first lines that wait, at least one if there is one, without their newlines; raise OSError."""
        while len(self._waiting) < max_events and self._bytes < max_bytes and (found := next(self._lines, None)):
            self._keep(*found)
        lines, size = list[bytes](), 0
        for line, _ in islice(self._waiting, max_events):
            size += len(line) + 1
            if lines and size > max_bytes:
                break
            lines.append(line)
        return lines

    def _keep(self, line: bytes, position: "Position") -> None:
        if is_event_line(line):
            self._waiting.append((line, position))
            self._bytes += len(line) + 1
        elif line.strip():
            self.skipped += 1

    def commit(self, count: int) -> None:
        """Keep that the first lines are delivered; raise OSError, after which they are delivered again."""
        position = self._waiting[count - 1][1]
        self._cursor.write(position)
        for _ in range(count):
            line, _ = self._waiting.popleft()
            self._bytes -= len(line) + 1
        if self._on_commit is not None:
            self._on_commit(position)
