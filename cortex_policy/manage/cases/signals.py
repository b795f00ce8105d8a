"""Ends by a signal: what was made is removed first, and nothing is left half made or half removed."""

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
    """The handler of signals that end a process: by an exception, as soon as nothing is undisturbed any more."""

    def __init__(self) -> None:
        self.held = False
        self.came = 0
        # one that is ignored, as by `nohup`, or handled by others, stays so
        self._handled = [number for number, usual in _DEFAULTS.items() if signal.getsignal(number) is usual]
        for number in self._handled:
            signal.signal(number, self)

    def __call__(self, number: int, _: "FrameType | None") -> None:
        self.came = self.came or number
        if not self.held:
            self.interrupt()

    def interrupt(self) -> "Never":
        """Leave what runs, as by an exception; a second signal ends the process at once."""
        self.restore()
        raise KeyboardInterrupt if self.came == signal.SIGINT else _SignalReceived

    @contextmanager
    def allow_signals(self) -> "Iterator[None]":
        """Let no signal wait within the block."""
        self.held = False
        if self.came:
            self.interrupt()
        try:
            yield
        finally:
            self.held = True

    def restore(self) -> None:
        """Leave signals to what is usual."""
        for number in self._handled:
            signal.signal(number, _DEFAULTS[signal.Signals(number)])


@contextmanager
def cleanup_on_signal() -> "Iterator[None]":
    """Leave the block as by an exception where a signal is to end this process, which then dies of that signal."""
    ending = _SignalHandler()
    try:
        yield
    except _SignalReceived:
        os.kill(os.getpid(), ending.came)
    finally:
        ending.restore()


@contextmanager
def defer_signals() -> "Iterator[Callable[[], AbstractContextManager[None]]]":
    """Let a signal of `tidied` wait for the end of the block, or for a block within it of what is yielded here.

    So what is made before that one is removed behind it: `with undisturbed() as disturbed`, then `with disturbed()`.
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
    if ending.came:
        ending.interrupt()
