"""Hold signals that end the process while what they would leave behind exists."""

import os
import signal
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

_DEFAULTS: "dict[int, Any]" = {
    signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler,
}  # fmt: skip


class _SignalReceived(BaseException):
    """A signal that ends the process once the block has been left."""


@contextmanager
def hold_signals() -> "Iterator[Callable[[], None]]":
    """Hold a signal until the block has cleaned up; yield a function that leaves the block if one was received.

    An exception at any other instant could be between the closing of a descriptor and the note that it is closed.
    A second signal ends the process at once. One that is ignored, as by `nohup`, or handled by others, stays so.
    """
    signals = _HeldSignals()
    try:
        yield signals.leave_if_received
    except _SignalReceived:
        pass
    finally:
        signals.deliver()


class _HeldSignals:
    """The signals that are held, and the one that was received; only those with their default handler are held."""

    def __init__(self) -> None:
        self._received = 0
        self._held = [number for number, default in _DEFAULTS.items() if signal.getsignal(number) is default]
        for number in self._held:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: "FrameType | None") -> None:
        self._received = number
        self._restore_defaults()

    def leave_if_received(self) -> None:
        """Raise what leaves the block if a signal was received."""
        if self._received:
            raise _SignalReceived

    def deliver(self) -> None:
        """Hold no more signals, and send the one that was received again."""
        self._restore_defaults()
        if self._received:
            os.kill(os.getpid(), self._received)

    def _restore_defaults(self) -> None:
        for number in self._held:
            signal.signal(number, _DEFAULTS[number])
