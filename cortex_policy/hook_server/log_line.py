"""What a server says on standard error: a line for each call that it denied by itself, and the like."""

import os
import select

from cortex_policy.core.text import escape_message_to_one_line

COMMAND = "hook serve"
_STDERR = 2


def print_server_log_line(command: str, message: str) -> None:
    """Write a line of a command, or nothing if nobody reads: a server never waits for it."""
    line = f"brAInwav cortex-policy {command}: {escape_message_to_one_line(message)}\n".encode(
        "utf-8", "backslashreplace"
    )
    try:
        if select.select([], [_STDERR], [], 0)[1]:  # then a pipe takes as much as this at once
            os.write(_STDERR, line)
    except (OSError, ValueError):
        return  # it is closed
