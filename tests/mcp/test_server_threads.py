"""A client gets a bounded number of threads, and of calls in a second, whatever it cancels."""

import threading
from unittest.mock import patch

import anyio
import pytest

from cortex_policy.mcp import server_threads
from cortex_policy.mcp.server_threads import BoundedThreads, Pace
from tests.support.mcp_client import PATIENCE


def test_a_cancelled_call_keeps_its_thread_until_it_returns() -> None:
    """So no more run at a time, however many are begun and cancelled; later ones run when there is room."""
    running, release = threading.Semaphore(0), threading.Event()

    def block() -> None:
        """Wait as for a lock."""
        running.release()
        release.wait(PATIENCE)

    async def flood() -> int:
        """Begin and cancel many calls; return how many of them have begun."""
        threads = BoundedThreads(2)
        for _ in range(20):
            with anyio.move_on_after(0.01):
                await threads.run(block)
        begun = sum(running.acquire(blocking=False) for _ in range(20))
        release.set()
        with anyio.fail_after(PATIENCE):
            assert await threads.run(len, "four") == 4
        return begun

    assert anyio.run(flood) == 2


def test_an_error_is_raised_where_the_call_is_awaited() -> None:
    """And gives its place back."""

    async def fail() -> None:
        """Fail more often than there are threads."""
        threads = BoundedThreads(1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await threads.run(lambda: 1 // 0)

    anyio.run(fail)


def test_calls_beyond_the_pace_wait_for_their_turn() -> None:
    """A second of calls begins at once; each later one waits a little longer, and a long one takes several places."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        """Note how long a call would wait."""
        waits.append(round(seconds, 3))

    async def call() -> None:
        """Call at one instant."""
        pace = Pace(10)
        for _ in range(13):
            await pace.wait_for_turn()
        await pace.wait_for_turn(20)
        await pace.wait_for_turn()

    with (
        patch.object(server_threads.anyio, "sleep", note),
        patch.object(server_threads.anyio, "current_time", lambda: 5.0),
    ):
        anyio.run(call)
    assert waits == [0.0] * 10 + [0.1, 0.2, 0.3, 2.3, 2.4]
