"""Count the work that something takes, in calls of functions and in bytes: no test asserts a time."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType


@contextmanager
def counted(*functions: Callable[..., object]) -> Iterator[dict[str, int]]:
    """Count the calls of functions inside the block, by their names; a profiler would be asked at every call of any."""
    found = {function.__name__: 0 for function in functions}  # no other name, so that a renamed one is missed
    replaced = [(function, function.__code__) for function in functions if isinstance(function, FunctionType)]
    assert len(replaced) == len(functions)
    try:
        for function, _ in replaced:
            _count_calls(function, found)
        yield found
    finally:
        for function, code in replaced:
            function.__code__ = code


def _count_calls(function: FunctionType, found: dict[str, int]) -> None:
    """Give a function other code, so that it is counted by whatever name it is called."""
    name = function.__name__
    real = FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
    real.__kwdefaults__ = function.__kwdefaults__

    def call(*args: object, **named: object) -> object:
        found[name] += 1
        return real(*args, **named)

    function.__globals__[f"_counted_{name}"] = call
    function.__code__ = _calling.__code__.replace(co_names=(f"_counted_{name}",))


def _calling(*args: object, **named: object) -> object:
    return _counted(*args, **named)  # type: ignore[name-defined]  # noqa: F821 - a name of the counted one's module


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
