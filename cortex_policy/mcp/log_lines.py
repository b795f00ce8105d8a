"""Log lines of a server on standard error: one line each, tagged, without a traceback, and escaped."""

import logging
import os

from cortex_policy.hook_server.log_line import print_server_log_line


class _LogLines(logging.Handler):
    """Writes a line to standard error, where a bug is and not what a message held, unless nobody reads."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or nothing."""
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage() + (f": {format_bug_with_place(error)}" if error is not None else "")
        print_server_log_line(self._command, text)


def prepare_logging(command: str) -> None:
    """Write the errors and warnings of this program and of what it uses to standard error."""
    handler = _LogLines(command)
    for name in ("cortex_policy.mcp", "mcp", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)


def format_bug_with_place(error: BaseException) -> str:
    """Name a bug, and where it is."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place is not None else ""
    return f"a bug in this program{where}: {type(error).__name__}"
