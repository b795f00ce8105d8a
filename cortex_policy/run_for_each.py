"""What `run --for-each` needs of the system: the paths on standard input, and a child for each command."""

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` loads `enum`, which costs 6 ms
import os

from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Never

MAX_PATH_BYTES = 1 << 16  # more than any system takes; only a list without separators has a longer one
INTERNAL_ERROR = 70
INTERRUPTED = 130
_SIGNAL_BASE = 128  # a shell adds the signal's number to it for a process that a signal has ended


def read_paths_from_stdin(*, nul: bool = False) -> "Iterator[str]":
    """Yield the paths on standard input as they come, one a line or up to a NUL.

    Raises UsageError if there is no path, or if the input is not such a list.
    """
    separator, rest, is_empty = b"\0" if nul else b"\n", b"", True
    while data := _read_input():
        is_empty = False
        *names, rest = (rest + data).split(separator)
        for name in names:
            yield _decode_path(name)
        if len(rest) > MAX_PATH_BYTES:
            break
    if is_empty:
        message = "no path on standard input"
        raise UsageError(message)
    if rest:
        yield _decode_path(rest)


def _read_input() -> bytes:
    try:
        return os.read(0, MAX_PATH_BYTES)
    except OSError as error:
        message = f"standard input cannot be read: {os.strerror(error.errno or 0).lower()}"
        raise UsageError(message) from None


def _decode_path(name: bytes) -> str:
    if b"\0" in name:
        message = "a line of standard input holds a NUL"
        raise UsageError(message, "`-0` reads paths that end with NUL")
    if len(name) > MAX_PATH_BYTES:
        message = f"a path on standard input is longer than {MAX_PATH_BYTES:,} bytes"
        raise UsageError(message, "give one path a line, or end each with NUL and add `-0`")
    return os.fsdecode(name)


def fork_and_wait(become: "Callable[[], int]") -> int:
    """Run a child that becomes a command, and return its exit code as a shell does.

    `become` returns only if there is no command to become; then its code is the child's. An interrupt waits for the
    command, then goes on. Raises OSError if no process can be started.
    """
    # INVARIANT: while SIGCHLD is ignored, the kernel drops the status of a child, and a failure would look like 0
    inherited = _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    child = 0
    try:
        child = os.fork()
        if child == 0:
            _become_child(become, inherited)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except KeyboardInterrupt:
        if child:
            _wait_for_end(child)  # a terminal interrupts it too, and it may clean up; a second interrupt leaves it
        raise
    finally:
        _signal.signal(_signal.SIGCHLD, inherited)
    return code if code >= 0 else _SIGNAL_BASE - code


def _wait_for_end(child: int) -> None:
    try:
        os.waitpid(child, 0)
    except ChildProcessError:  # it had ended when the interrupt came
        return


def _become_child(become: "Callable[[], int]", inherited: "Any") -> "Never":
    """Become the command in a child, which reads nothing: the paths on standard input are not its own."""
    code = INTERNAL_ERROR
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _signal.signal(_signal.SIGCHLD, inherited)
        code = become()
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        os._exit(code)
