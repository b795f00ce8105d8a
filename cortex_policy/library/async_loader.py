"""Work that may wait for a disk, done in threads beside an event loop. Callers that load the same grant share it."""

from asyncio import get_running_loop
from concurrent.futures import Future as PoolFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable
    from typing import TypeVar

    from cortex_policy.core.model import Grant

    T = TypeVar("T")
    _Key = tuple[AbstractEventLoop, str]
    _Load = Callable[[], Grant]

MAX_THREADS = 8  # that may wait for a disk at one time


class AsyncExecutor:
    """The threads of one store; used from any number of event loops."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="cortex-policy")
        self._waiting: dict[_Key, list[Future[Grant]]] = {}  # for a load that has not started
        self._running: set[_Key] = set()

    async def run_in_thread(self, work: "Callable[[], T]") -> "T":
        """Do work in a thread, with the context variables of the caller."""
        return await get_running_loop().run_in_executor(self._pool, copy_context().run, work)

    async def run_shared(self, name: str, load: "_Load") -> "Grant":
        """Load in a thread, once for all callers that wait for this name.

        A caller never gets a load that started before its call: it may be older than a write that the caller knows
        of. A call during a load shares the next one.
        """
        loop = get_running_loop()
        key, future = (loop, name), loop.create_future()
        futures = self._waiting.get(key)
        if futures is not None:
            futures.append(future)
        else:
            self._waiting[key] = [future]
            if key not in self._running:
                loop.call_soon(self._start_load, key, load)
        grant: Grant = await future
        return grant

    def close(self) -> None:
        """End the threads after their current work; cancel work that has not started."""
        self._pool.shutdown(cancel_futures=True)

    def _start_load(self, key: "_Key", load: "_Load") -> None:
        futures = self._waiting.pop(key)
        self._running.add(key)
        try:
            work = self._pool.submit(load)
        except RuntimeError as error:  # the store was closed
            work = PoolFuture()
            work.set_exception(error)
        work.add_done_callback(lambda done: self._on_load_done(key, futures, load, done))

    def _on_load_done(
        self, key: "_Key", futures: "list[Future[Grant]]", load: "_Load", finished: "PoolFuture[Grant]"
    ) -> None:
        with suppress(RuntimeError):  # the loop was closed, and no one waits in it
            key[0].call_soon_threadsafe(self._deliver_result, key, futures, load, finished)
            return
        self._running.discard(key)
        self._waiting.pop(key, None)

    def _deliver_result(
        self, key: "_Key", futures: "list[Future[Grant]]", load: "_Load", finished: "PoolFuture[Grant]"
    ) -> None:
        self._running.discard(key)
        if key in self._waiting:
            self._start_load(key, load)
        for future in futures:
            if future.done():  # this caller was cancelled; the others still wait
                continue
            error = None if finished.cancelled() else finished.exception()
            if finished.cancelled():
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(finished.result())
