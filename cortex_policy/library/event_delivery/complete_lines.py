"""Read the complete lines of a file that others append to, block by block."""

from cortex_policy.library.event_delivery.cursor import MAX_TAIL_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ReadAt = Callable[[int, int], bytes]  # size and offset, as `os.pread`; less at the end of the file

_BLOCK = 1 << 18
MAX_LINE_BYTES = 1 << 21  # no event is longer
_TOO_LONG = b"(too long)"  # what is yielded in its place


def iterate_lines_with_end_offsets(read_at: "ReadAt", offset: int, tail: bytes) -> "Iterator[tuple[bytes, int, bytes]]":
    """Yield each complete line after an offset, without its newline, with the offset and the last bytes after it.

    `tail` is what the file has before the offset. An incomplete line is left for later, and read again then: its writer
    may take it back. A line longer than any event is replaced by a few words.
    """
    while True:
        lines, rest = _read_block(read_at, offset)
        for line in lines:
            offset += len(line) + 1
            tail = (tail + line[-MAX_TAIL_BYTES:] + b"\n")[-MAX_TAIL_BYTES:]
            yield line, offset, tail
        if lines:
            continue
        if rest < MAX_LINE_BYTES:
            return
        end = _find_newline(read_at, offset + rest)
        if end < 0:
            return
        offset = end
        tail = read_at(MAX_TAIL_BYTES, offset - MAX_TAIL_BYTES)
        yield _TOO_LONG, offset, tail


def _read_block(read_at: "ReadAt", offset: int) -> tuple[list[bytes], int]:
    """Return the complete lines of a block, and the bytes after them, which are many only if a line is too long."""
    size = _BLOCK
    while True:
        data = read_at(size, offset)
        *lines, rest = data.split(b"\n")
        if lines or len(data) < size or size >= MAX_LINE_BYTES:
            return lines, len(rest)
        size *= 2


def _find_newline(read_at: "ReadAt", offset: int) -> int:
    """Return the offset after the next newline, -1 if there is none."""
    while data := read_at(_BLOCK, offset):
        at = data.find(b"\n")
        if at >= 0:
            return offset + at + 1
        offset += len(data)
    return -1
