"""Work that may wait for a disk, done beside an event loop: shared by all who ask for the same at one time."""

from asyncio import get_running_loop
from concurrent.futures import Future as Work
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable

    from cortex_policy.core.model import Decision, Grant

    _Key = tuple[AbstractEventLoop, str]
    _Load = Callable[[], Grant]

THREADS = 8  # so many may wait for a disk at one time


class Flights:
    """The threads of one store; used from any number of event loops."""

    def __init__(self) -> None:
        """Start no thread before there is something to do."""
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="cortex-policy")
        self._boarding: dict[_Key, list[Future[Grant]]] = {}
        self._flying: set[_Key] = set()

    async def alone(self, work: "Callable[[], Decision]") -> "Decision":
        """Do work for one who waits."""
        return await get_running_loop().run_in_executor(self._pool, copy_context().run, work)

    async def shared(self, name: str, load: "_Load") -> "Grant":
        """Load for all who wait by this name.

        Nobody gets what was begun before they asked, as it may be older than a write they know of: who comes while a
        load is under way shares the next one.
        """
        loop = get_running_loop()
        key, seat = (loop, name), loop.create_future()
        seats = self._boarding.get(key)
        if seats is not None:
            seats.append(seat)
        else:
            self._boarding[key] = [seat]
            if key not in self._flying:
                loop.call_soon(self._depart, key, load)
        grant: Grant = await seat
        return grant

    def close(self) -> None:
        """End the threads once they have done what they do; what was not begun is cancelled."""
        self._pool.shutdown(cancel_futures=True)

    def leave_to_parent(self) -> None:
        """Do nothing in a child, which has no such threads, and makes others."""

    def _depart(self, key: "_Key", load: "_Load") -> None:
        seats = self._boarding.pop(key)
        self._flying.add(key)
        try:
            work = self._pool.submit(load)
        except RuntimeError as error:  # closed meanwhile
            work = Work()
            work.set_exception(error)
        work.add_done_callback(lambda done: self._arrive(key, seats, load, done))

    def _arrive(self, key: "_Key", seats: "list[Future[Grant]]", load: "_Load", done: "Work[Grant]") -> None:
        with suppress(RuntimeError):  # the loop was closed, and nobody waits in it
            key[0].call_soon_threadsafe(self._land, key, seats, load, done)
            return
        self._flying.discard(key)
        self._boarding.pop(key, None)

    def _land(self, key: "_Key", seats: "list[Future[Grant]]", load: "_Load", done: "Work[Grant]") -> None:
        self._flying.discard(key)
        if key in self._boarding:
            self._depart(key, load)
        for seat in seats:
            if seat.done():  # cancelled, which concerns nobody else
                continue
            error = None if done.cancelled() else done.exception()
            if done.cancelled():
                seat.cancel()
            elif error is not None:
                seat.set_exception(error)
            else:
                seat.set_result(done.result())
