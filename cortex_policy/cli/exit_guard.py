"""Run every command: print its errors, return their exit code, and handle an output that cannot be written."""

import errno
import os
import sys

from cortex_policy.cli.streams import open_streams, stdout_write_error
from cortex_policy.core.model import NOT_DONE, CortexPolicyError
from cortex_policy.core.text import message_line, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def run_guarded(command: "Callable[[], int]", changes: "Callable[[], bool]" = lambda: False) -> int:
    """Run a command and return its exit code, even if its output cannot be written.

    If the command only printed and its output could not be written, the exit code is 3, unless the reader closed the
    pipe. `changes` returns, after the command ran, whether it did more than print, or its exit code is a decision.
    """
    if sys.stdin is None:  # it was closed; `main` has opened it on /dev/null
        sys.stdin = os.fdopen(0, closefd=False)
    open_streams()
    try:
        code = command()
    except CortexPolicyError as error:
        print_error(error)
        code = error.exit_code
    sys.stdout.flush()
    lost = stdout_write_error()
    if code == 0 and lost is not None and lost.errno != errno.EPIPE and not changes():
        sys.stderr.write(f"cortex-policy: the output cannot be written: {os_error_text(lost)}\n")
        code = NOT_DONE.exit_code
    sys.stderr.flush()
    return code


def print_error(error: CortexPolicyError) -> None:
    """Print an error and its hint."""
    hint = f"hint: {message_line(error.hint)}\n" if error.hint else ""
    sys.stderr.write(f"cortex-policy: {message_line(str(error))}\n{hint}")
