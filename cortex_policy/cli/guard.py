"""What stands around every command: an output that may be gone, and errors that are told and end in their exit code."""

import os
import sys

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.wording import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO


class _Deaf:
    """A stream that goes on when nobody can hear it: an error of the output is no error of the answer."""

    def __init__(self, stream: "TextIO") -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _deafened(stream: "TextIO | None", descriptor: int) -> "TextIO":
    plain = stream if stream is not None else os.fdopen(descriptor, "w", closefd=False)
    plain.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]
    return _Deaf(plain)  # type: ignore[return-value]


def guarded(command: "Callable[[], int]") -> int:
    """Run a command and return its exit code, whatever becomes of what it prints."""
    if sys.stdin is None:  # it was closed; the door has opened it on /dev/null
        sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = _deafened(sys.stdout, 1), _deafened(sys.stderr, 2)
    try:
        code = command()
    except CortexPolicyError as error:
        hint = f"hint: {printable(error.hint)}\n" if error.hint else ""
        sys.stderr.write(f"cortex-policy: {printable(str(error))}\n{hint}")
        code = error.exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    return code
