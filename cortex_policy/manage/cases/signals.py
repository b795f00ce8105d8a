"""Clean up when a signal ends the process: nothing is left half created or half removed."""

import os
import signal
from contextlib import contextmanager, nullcontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import Any, Never

_DEFAULTS: "dict[signal.Signals, Any]" = {
    signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler,
}  # fmt: skip


class _SignalReceived(BaseException):
    """A signal that would have ended this process at once."""


class _SignalHandler:
    """Handles signals that end the process: raises an exception, as soon as signals are not deferred."""

    def __init__(self) -> None:
        self.held = False
        self.number = 0
        # one that is ignored, as by `nohup`, or handled by others, stays so
        self._handled = [number for number, usual in _DEFAULTS.items() if signal.getsignal(number) is usual]
        for number in self._handled:
            signal.signal(number, self)

    def __call__(self, number: int, _: "FrameType | None") -> None:
        self.number = self.number or number
        if not self.held:
            self.interrupt()

    def interrupt(self) -> "Never":
        """Raise an exception for the signal; a second signal ends the process at once."""
        self.restore()
        raise KeyboardInterrupt if self.number == signal.SIGINT else _SignalReceived

    @contextmanager
    def allow_signals(self) -> "Iterator[None]":
        """Do not defer signals within the block."""
        self.held = False
        if self.number:
            self.interrupt()
        try:
            yield
        finally:
            self.held = True

    def restore(self) -> None:
        """Restore the default handlers."""
        for number in self._handled:
            signal.signal(number, _DEFAULTS[signal.Signals(number)])


@contextmanager
def leave_block_on_signal() -> "Iterator[None]":
    """Leave the block by an exception if a signal is to end the process, which then dies of that signal."""
    ending = _SignalHandler()
    try:
        yield
    except _SignalReceived:
        os.kill(os.getpid(), ending.number)
    finally:
        ending.restore()


@contextmanager
def defer_signals() -> "Iterator[Callable[[], AbstractContextManager[None]]]":
    """Defer a signal of `leave_block_on_signal` to the end of the block, or to an inner block that allows signals.

    So what is created before the inner block is removed: `with defer_signals() as allow`, then `with allow()`.
    """
    ending = signal.getsignal(signal.SIGTERM)
    if not isinstance(ending, _SignalHandler):
        yield nullcontext
        return
    ending.held = True
    try:
        yield ending.allow_signals
    finally:
        ending.held = False
    if ending.number:
        ending.interrupt()
