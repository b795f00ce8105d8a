"""Threads for what reads files and may wait for a lock, and a bound for how often it is asked."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import anyio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


class BoundedThreads:
    """Calls functions in a limited number of threads.

    A client that cancels its requests gets no more of them: a thread counts until its function returns.
    """

    def __init__(self, count: int) -> None:
        """Start none yet."""
        self._pool = ThreadPoolExecutor(count)
        self._free = anyio.Semaphore(count)

    async def run(self, function: "Callable[..., T]", *args: object) -> "T":
        """Return what a function returns; raise what it raises."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()

        def give_back(_: object) -> None:
            """Let another one run."""
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._free.release)

        future = self._pool.submit(function, *args)
        future.add_done_callback(give_back)
        return await asyncio.wrap_future(future)


class Pace:
    """Lets a limited number of calls begin each second, all at once or not; others wait for their turn."""

    def __init__(self, per_second: int) -> None:
        """Have had no call yet."""
        self._step = 1 / per_second
        self._next = 0.0

    async def wait_for_turn(self, count: int = 1) -> None:
        """Wait until a call may begin that counts as `count` calls."""
        now = anyio.current_time()
        self._next = max(self._next, now - 1) + self._step * count
        await anyio.sleep(max(0.0, self._next - now))
