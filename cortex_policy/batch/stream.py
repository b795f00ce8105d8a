"""Lines in, lines out: from a file or a pipe, without end if it has none, in memory that does not grow."""

import os
import select

from cortex_policy.batch.request_line import MAX_LINE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_LINE = 2  # exit code
_CHUNK = 1 << 16


class LineAnswerLoop:
    """Answers lines, and remembers the first exit code that is not 0."""

    first_code: int | None = None  # None before the first line

    def __init__(self, answer: "Callable[[bytes], tuple[str, int]]") -> None:
        """Take what answers a line."""
        self._answer = answer

    @property
    def exit_code(self) -> int:
        """The code of the first line that was not allowed, 0 if all were; no line at all is a usage error."""
        return NO_LINE if self.first_code is None else self.first_code

    def answer_all(self, source: int, target: int) -> None:
        """Answer each line of a descriptor on another one, in order.

        Answers are written before the next read, so that whoever waits for one gets it. Raises OSError if a line cannot
        be read or an answer cannot be written.
        """
        for lines in _read_lines(source):
            texts = []
            for line in lines:
                text, code = self._answer(line)
                texts.append(text)
                self.first_code = self.first_code or code
            write_all(target, "".join(texts).encode())


def _read_lines(source: int) -> "Iterator[list[bytes]]":
    """Yield the lines of each read; of a line that is too long only as much as shows that."""
    rest = b""
    while chunk := read_when_ready(source):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: MAX_LINE_BYTES + 1]
        yield lines
    if rest:
        yield [rest]


def read_when_ready(source: int) -> bytes:
    """Return what a descriptor has next, b'' at its end; raises OSError."""
    while True:
        try:
            return os.read(source, _CHUNK)
        except BlockingIOError:  # another program made the pipe so
            select.select([source], [], [])


def write_all(target: int, data: bytes) -> None:
    """Write all bytes to a descriptor; raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except BlockingIOError:
            select.select([], [target], [])
