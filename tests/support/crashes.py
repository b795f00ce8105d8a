"""Let a process die in the middle of what it does to the disk."""

import os
from collections.abc import Callable


def die_at(step: int) -> None:
    """Let this process die just before a step that changes the disk, counted from one."""
    left = [step]

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), 9)
            return real(*args, **named)

        return call

    for word in ("rename", "unlink", "write", "fsync", "fchmod", "open"):
        setattr(os, word, dying(getattr(os, word)))
