"""Ends by a signal, after what was made is removed."""

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class _Ended(BaseException):
    """A signal that would have ended this process at once."""


@contextmanager
def tidied() -> "Iterator[None]":
    """Leave the block as by an exception where a signal is to end this process, which then dies of that signal.

    One that is ignored, as by `nohup`, stays so. A second one ends it at once.
    """
    came: list[int] = []
    handled = [number for number in _ENDINGS if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: "FrameType | None") -> None:
        came.append(number)
        default()
        raise _Ended

    def default() -> None:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)

    try:
        for number in handled:
            signal.signal(number, end)
        yield
    except _Ended:
        os.kill(os.getpid(), came[0])
    finally:
        default()
