"""The last lines of an audit log, and its new lines, through rotations."""

import os
from contextlib import ExitStack, suppress

from cortex_policy.manage.audit.log_files import list_log_files, open_logs, read_device_and_inode
from cortex_policy.manage.audit.reader import MAX_LINE_BYTES
from cortex_policy.state.audit_rotated_names import strip_compression_suffix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_BLOCK = 1 << 16
_MAX_BYTES = 1 << 26  # bytes to search for the last lines


def tail_log_lines(file: str, max_lines: int, is_over: "Callable[[], bool] | None" = None) -> "Iterator[bytes]":
    """Yield the last lines of a log and of its rotated files; then new lines, until `is_over` returns True.

    `is_over` is called whenever there is nothing to read, and does the waiting. Raises NotDoneError.
    """
    names = [name for name in list_log_files(file) if strip_compression_suffix(name) == name]
    with open_logs(names) as files:
        all_lines: list[bytes] = []
        position = 0
        for _, log in reversed(files):
            if len(all_lines) >= max_lines and position:
                break
            lines, end = _last_lines(log, max_lines - len(all_lines))
            all_lines[:0], position = lines, position or end
        current = os.fdopen(os.dup(files[-1][1].fileno()), "rb")
    with current:
        yield from all_lines
        if is_over is not None:
            current.seek(position)
            yield from _new_lines(file, current, is_over)


def _last_lines(log: "BinaryIO", max_lines: int) -> tuple[list[bytes], int]:
    """Return the last complete lines, and the offset where they end."""
    descriptor, size = log.fileno(), _BLOCK
    end = os.fstat(descriptor).st_size
    while True:
        start = max(0, end - size)
        data = os.pread(descriptor, end - start, start)
        if not start or data.count(b"\n") > max_lines or size >= _MAX_BYTES:
            break
        size *= 2
    *lines, rest = data.split(b"\n")
    lines = lines[1:] if start else lines  # the first one may be the end of a line
    last_lines = lines[-max_lines:] if max_lines else []
    return last_lines, end - len(rest)


def _new_lines(file: str, current: "BinaryIO", is_over: "Callable[[], bool]") -> "Iterator[bytes]":
    """Yield complete lines as they are written, also from the files that replace this one."""
    with ExitStack() as stack:
        while True:
            yield from _lines_to_end(current)
            newer = _open_newer_logs(file, current)
            if newer:
                yield from _lines_to_end(current)  # no more lines are written to it
                for log in newer:
                    stack.callback(log.close)
                    yield from _lines_to_end(log)
                current = newer[-1]
            elif is_over():
                return


def _lines_to_end(log: "BinaryIO") -> "Iterator[bytes]":
    """Yield the complete lines up to the end; an incomplete line is left for later."""
    if os.fstat(log.fileno()).st_size < log.tell():
        log.seek(0)  # it was truncated
    while line := log.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n"):
            yield line
        elif len(line) < MAX_LINE_BYTES:
            log.seek(-len(line), os.SEEK_CUR)
            return


def _open_newer_logs(file: str, current: "BinaryIO") -> "list[BinaryIO]":
    """Open the files that came after this one, the oldest first; none while this one has its name."""
    seen, logs = {read_device_and_inode(current)}, []
    for name in reversed(list_log_files(file)):
        log: BinaryIO | None = None
        if strip_compression_suffix(name) == name:
            with suppress(OSError):  # it is being renamed
                log = open(name, "rb")  # noqa: SIM115 - closed by the caller
        if log is None:
            continue
        identity = read_device_and_inode(log)
        if identity in seen:
            log.close()
            if identity == read_device_and_inode(current):
                break
            continue
        seen.add(identity)
        logs.append(log)
    return logs[::-1]
