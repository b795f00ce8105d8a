"""Log lines of a server on standard error: one line each, tagged, without a traceback, and escaped."""

import logging
import os
import select
from contextlib import suppress

from cortex_policy.core.text import message_line


class _OneLine(logging.Formatter):
    """Writes where a bug is, and not what a message held."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._head = f"brAInwav cortex-policy {command}: "

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        error = record.exc_info[1] if record.exc_info else None
        return self._head + message_line(record.getMessage() + (f": {bug_text(error)}" if error is not None else ""))


class _IfRead(logging.Handler):
    """Writes a line to standard error, unless nobody reads it: then the server goes on without."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or nothing."""
        line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        with suppress(OSError):
            if select.select([], [2], [], 0)[1]:  # a pipe that can be written has room for a line
                os.write(2, line)


def prepare_logging(command: str) -> None:
    """Write the errors and warnings of this program and of what it uses to standard error."""
    handler = _IfRead()
    handler.setFormatter(_OneLine(command))
    for name in ("cortex_policy.mcp", "mcp", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)


def bug_text(error: BaseException) -> str:
    """Name a bug, and where it is."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place is not None else ""
    return f"a bug in this program{where}: {type(error).__name__}"
