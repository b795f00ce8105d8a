"""Children that do one thing and die where they are told to."""

import fcntl
import gc
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import cortex_policy.state.ledger_directory
import cortex_policy.state.ledger_maintenance  # noqa: F401
from cortex_policy.core.model import StateError

PATIENCE = 30.0  # seconds after which a process hangs; never a measure of speed
HUNG, ALLOWED, DENIED, UNKNOWN, CRASHED = -99, 0, 14, 24, 70
SYSTEM_CALLS = ("open", "close", "mkdir", "stat", "pread", "pwrite", "write", "rename", "unlink", "listdir", "fstat")


def answer(work: Callable[[], object]) -> int:
    """Return what `check` would end with where the work takes a hit."""
    try:
        taken = work()
    except StateError:
        return UNKNOWN
    return ALLOWED if getattr(taken, "consumed", taken) else DENIED


def start(work: Callable[[], object]) -> int:
    """Let a child do the work and end with its answer; return its process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    gc.disable()  # it would copy all that the tests hold
    code = CRASHED
    try:
        code = answer(work)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a child; return its exit code, minus the signal that ended it, or HUNG."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HUNG


def in_child(work: Callable[[], object]) -> int:
    """Do the work in a child and return how it ended."""
    return ended(start(work))


class Death:
    """Counts system calls and kills its own process at one of them: before it, or with half of its bytes written."""

    def __init__(self, at: int, *, torn: bool = False, is_write: memoryview | None = None) -> None:
        self.left = at
        self.torn = torn
        self.is_write = is_write  # set to 1 if the call is a write, where the parent sees it

    def arm(self) -> None:
        """Wrap all calls that the ledger makes."""
        for name in SYSTEM_CALLS:
            setattr(os, name, self._counted(getattr(os, name)))
        fcntl.flock = self._counted(fcntl.flock)

    def step(self) -> None:
        """Count one call, and die at the last."""
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            if self.left == 0 and call.__name__ in ("write", "pwrite"):
                self._begin(call, *args)
            self.step()
            return call(*args, **named)

        return counted

    def _begin(self, call: Callable[..., Any], descriptor: int, data: bytes, *rest: Any) -> None:
        if self.torn:
            call(descriptor, data[: len(data) // 16 * 8], *rest)
        if self.is_write is not None:
            self.is_write[0] = 1


class DeathByDeath:
    """An iteration over the points at which a child can die: before each system call, and within each write."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.at = 0
        self.is_over = False
        self._torn = False
        self._is_write = memoryview(mmap.mmap(-1, 1))

    def die(self) -> bool:
        """Let the next child die; return whether it did, and not come to its end."""
        self._is_write[0] = 0
        death = Death(self.at, torn=self._torn, is_write=self._is_write)

        def work() -> object:
            death.arm()
            return self.work()

        code = in_child(work)
        assert code in (-signal.SIGKILL, ALLOWED, DENIED, UNKNOWN)
        self.is_over = code != -signal.SIGKILL
        self._torn = bool(self._is_write[0]) and not self._torn
        self.at += not self._torn
        return not self.is_over
