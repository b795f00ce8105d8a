"""Share work among processes, if that saves time."""

import gc
import os
import pickle
from contextlib import suppress

from cortex_policy.core.not_done_error import NotDoneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, TypeVar

    Item = TypeVar("Item")
    Result = TypeVar("Result")

BATCH_SIZE = 128
MIN_PARALLEL = 4 * BATCH_SIZE  # below, a fork costs more than it saves


def map_in_processes(items: "Sequence[Item]", function: "Callable[[Item], Result]") -> "Iterator[Result]":
    """Yield the result for each item, in order; results must be small and picklable."""
    processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(items) < MIN_PARALLEL or processes == 1:
        yield from map(function, items)
        return
    started: list[tuple[int, BinaryIO]] = []
    try:
        for number in range(processes):
            started.append(_start_worker(items, function, number, processes))  # noqa: PERF401 - if one fails, all must be stopped
    except OSError:  # a job may have few processes or descriptors: one process can do all the work
        _stop_workers(started)
    try:
        for batch in range(-(-len(items) // BATCH_SIZE) if started else 0):
            yield from _receive_results(started[batch % processes][1])
    finally:
        alone = not started
        _stop_workers(started)
    if alone:
        yield from map(function, items)


def _stop_workers(started: "list[tuple[int, BinaryIO]]") -> None:
    """Stop the workers that were started, and forget them."""
    for _, pipe in started:
        pipe.close()  # a worker that still writes ends by that
    while started:
        os.waitpid(started.pop()[0], 0)


def _start_worker(
    items: "Sequence[Item]", function: "Callable[[Item], Result]", number: int, processes: int
) -> "tuple[int, BinaryIO]":
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if pid:
        os.close(writing)
        return pid, open(reading, "rb")  # closed by `_stop_workers`
    os.close(reading)
    gc.disable()  # nothing made here is a cycle, and what was made before would be copied
    with suppress(BaseException):  # INVARIANT: a child never leaves this function; the pipe has said why
        _send_results(items, function, range(number * BATCH_SIZE, len(items), processes * BATCH_SIZE), writing)
    os._exit(0)


def _send_results(
    items: "Sequence[Item]", function: "Callable[[Item], Result]", starts: range, descriptor: int
) -> None:
    with open(descriptor, "wb") as pipe:
        for start in starts:
            try:
                results: list[Result] | str = [function(item) for item in items[start : start + BATCH_SIZE]]
            except Exception:  # noqa: BLE001 - a bug: the parent reports it
                from traceback import format_exc  # noqa: PLC0415 - only a bug needs it

                results = format_exc()
            pickle.dump(results, pipe, pickle.HIGHEST_PROTOCOL)
            pipe.flush()


def _receive_results(pipe: "BinaryIO") -> "list[Result]":
    try:
        results: list[Result] | str = pickle.load(pipe)  # noqa: S301 - from our own child
    except EOFError:
        message = "a worker process was killed"
        raise NotDoneError(message, "try again") from None
    if isinstance(results, str):
        raise RuntimeError(results)  # noqa: TRY004 - a bug, reported as in the child
    return results
