"""The process of a server behind the proxy: it gets what the proxy was started with, and does not outlive it."""

import os
import signal
import sys
import time
from contextlib import suppress

from cortex_policy.program_exec import execute_program_or_return_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Never

    from cortex_policy.core.model import CortexPolicyError

_SIGNAL_BASE = 128  # a shell adds the signal's number to it for a process that a signal has ended
_INTERNAL_ERROR = 70
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_POLL_SECONDS = 0.01


class ServerProcess:
    """A server that runs, the descriptor that it reads, and the one that it writes."""

    process: int
    stdin: int
    stdout: int

    def __init__(self, process: int, stdin: int, stdout: int) -> None:
        """Take what was started."""
        self.process, self.stdin, self.stdout = process, stdin, stdout
        self._status: int | None = None

    def send_signal(self, number: int) -> None:
        """Send a signal to the server and all that it has started, unless that has a session of its own."""
        with suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(self.process, number)
            except ProcessLookupError:
                if self._status is None:  # it has no group yet
                    os.kill(self.process, number)

    def has_ended(self) -> bool:
        """Whether it has ended."""
        if self._status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self._status = status if process else None
        return self._status is not None

    def end_remaining_processes(self, deadline: float) -> None:
        """End what a server that has ended has left behind: by SIGTERM, at the deadline by SIGKILL.

        No other process has its number meanwhile: the number of a group stays in use until its last process has ended.
        """
        self.send_signal(signal.SIGTERM)
        while self._has_rest() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.send_signal(signal.SIGKILL)

    def _has_rest(self) -> bool:
        """Whether a process of its group still runs."""
        try:
            os.killpg(self.process, 0)
        except OSError as error:
            return not isinstance(error, ProcessLookupError)
        # the first process of a container may leave those that have ended as they are
        return sys.platform != "linux" or any(map(self._is_running_member, os.listdir("/proc")))

    def _is_running_member(self, name: str) -> bool:
        """Whether an entry of /proc is a process of the group that has not ended."""
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, _, group = file.read().rpartition(b")")[2].split()[:3]
            return int(group) == self.process and state != b"Z"
        except (OSError, ValueError):  # it is gone, or no process
            return False

    @property
    def exit_code(self) -> int:
        """The exit code of a server that has ended, as a shell has it."""
        code = os.waitstatus_to_exitcode(self._status or 0)
        return code if code >= 0 else _SIGNAL_BASE - code


def start_server(
    program: str, words: list[str], handlers: "Mapping[int, Any]", report: "Callable[[CortexPolicyError], None]"
) -> ServerProcess:
    """Start a program with pipes for its input and output; raises OSError.

    It gets the signal handlers that there were before ours. `report` prints why it cannot be executed, in the child.
    """
    theirs, ours = os.pipe()
    our_output, their_output = os.pipe()
    die_with_parent = _load_die_with_parent()
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, handlers.keys())
    try:
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _become_server(lambda: die_with_parent(parent), program, words, (theirs, their_output), report)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(theirs)
    os.close(their_output)
    return ServerProcess(process, ours, our_output)


def _become_server(
    bind_to_parent: "Callable[[], None]", program: str, words: list[str], pipes: tuple[int, int],
    report: "Callable[[CortexPolicyError], None]",
) -> "Never":  # fmt: skip
    code = _INTERNAL_ERROR
    try:
        os.setsid()  # so that a signal reaches what it starts
        bind_to_parent()
        for number, pipe in enumerate(pipes):
            os.dup2(pipe, number)
        error = execute_program_or_return_error(program, words)
        report(error)
        code = error.exit_code
    finally:
        os._exit(code)


def _load_die_with_parent() -> "Callable[[int], None]":
    """Return what a child calls so that it is killed when its parent dies; does nothing where the system cannot."""
    if sys.platform != "linux":
        return lambda _: None
    from ctypes import CDLL  # noqa: PLC0415 - other systems have no prctl

    prctl = CDLL(None).prctl

    def die_with_parent(parent: int) -> None:
        """Let the kernel kill this process when its parent dies; exit at once if the parent is dead already."""
        prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before
            os._exit(_INTERNAL_ERROR)

    return die_with_parent
