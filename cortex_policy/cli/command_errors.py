"""Run every command: print its errors, return their exit code, and handle an output that cannot be written."""

import errno
import os
import sys

from cortex_policy.cli.streams import find_earlier_stdout_error, replace_standard_streams
from cortex_policy.core.model import NOT_DONE, CortexPolicyError
from cortex_policy.core.text import (
    elide_middle,
    escape_job_commands_in_ascii_json,
    escape_message_to_one_line,
    format_os_error_cause,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Invocation:
    """What is known of a command line by the time its command runs."""

    changes: bool  # it does more than print, or its exit code is a decision
    is_json: bool  # programs read its output

    def __init__(self, *, changes: bool = False, is_json: bool = False) -> None:
        """Take what is known before."""
        self.changes, self.is_json = changes, is_json


def run_to_exit_code(command: "Callable[[], int]", invocation: Invocation) -> int:
    """Run a command and return its exit code, even if its output cannot be written.

    If the command only printed and its output could not be written, the exit code is 3, unless the reader closed the
    pipe. Where programs read the output, an error is printed there too, unless something was printed already.
    """
    if sys.stdin is None:  # it was closed; `main` has opened it on /dev/null
        sys.stdin = os.fdopen(0, closefd=False)
    replace_standard_streams()
    try:
        code = command()
    except CortexPolicyError as error:
        # a command that only reads has nothing that it could have left unchanged
        message = error.detail if error.reason is NOT_DONE and not invocation.changes else ""
        print_error(error, message)
        if invocation.is_json:
            print_json_error(message or str(error), error.hint, error.exit_code)
        code = error.exit_code
    sys.stdout.flush()
    lost = find_earlier_stdout_error()
    if code == 0 and lost is not None and lost.errno != errno.EPIPE and not invocation.changes:
        sys.stderr.write(f"cortex-policy: the output cannot be written: {format_os_error_cause(lost)}\n")
        code = NOT_DONE.exit_code
    sys.stderr.flush()
    return code


def print_error(error: CortexPolicyError, message: str = "") -> None:
    """Print an error, in other words if there are any, and its hint."""
    hint = f"hint: {escape_message_to_one_line(error.hint)}\n" if error.hint else ""
    sys.stderr.write(f"cortex-policy: {escape_message_to_one_line(message or str(error))}\n{hint}")


def print_json_error(message: str, hint: str, exit_code: int) -> None:
    """Print an error on standard output as JSON, unless a reader has got something else there already."""
    if getattr(sys.stdout, "is_used", False):
        return
    import json  # noqa: PLC0415 - only an error needs it

    error = {"message": elide_middle(message), "hint": elide_middle(hint) or None, "exit_code": exit_code}
    sys.stdout.write(escape_job_commands_in_ascii_json(json.dumps({"error": error})) + "\n")
