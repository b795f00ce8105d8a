"""Functions that fail at a chosen call, as on a disk that fills up."""

from collections.abc import Callable
from typing import Any

import pytest


def full_disk(file: str = "x") -> OSError:
    """Return the error of a disk without room for a file."""
    return OSError(28, "No space left on device", file)


def fail_at(number: int, real: Callable[..., Any], error: OSError, *, goes_on: bool = False) -> Callable[..., Any]:
    """Return a function that does what `real` does, but raises the error at its call of this number (1 is the first).

    If that `goes_on`, it does so at all later calls as well.
    """
    left = number

    def call(*args: object, **named: object) -> Any:
        nonlocal left
        left -= 1
        if left == 0 or (goes_on and left < 0):
            raise error
        return real(*args, **named)

    return call


def patch_writes(patch: pytest.MonkeyPatch, function: Callable[..., Any]) -> None:
    """Let a function take the place of `replace_file_atomically` for grants and their stamp."""
    for module in ("writer", "stamp_file"):
        patch.setattr(f"cortex_policy.manage.transaction.{module}.replace_file_atomically", function)
