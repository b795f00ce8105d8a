"""Count the work that something takes, in calls of functions and in bytes: no test asserts a time."""

import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType


@contextmanager
def counted(*functions: object) -> Iterator[Counter[str]]:
    """Count the calls of functions inside the block, by their names."""
    codes = {function.__code__: function.__name__ for function in functions if isinstance(function, FunctionType)}
    assert len(codes) == len(functions)
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in codes:
            found[codes[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield found
    finally:
        sys.setprofile(before)


@contextmanager
def peak_memory(most: int) -> Iterator[None]:
    """Assert that at no time the block holds more bytes than this."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= most, f"{peak:,} bytes"
