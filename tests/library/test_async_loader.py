"""An event loop goes on while a disk or a lock blocks, and calls for the same grant share one read."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cortex_policy import load_grant_async
from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import Grant, GrantError, UsageError
from cortex_policy.library.async_loader import AsyncExecutor
from cortex_policy.library.store import PolicyStore
from tests.support.roots import GIT

STILL = 0.03
PATH = {"path": "docs/guide.md"}


@contextmanager
def ledger_held(state: Path) -> Iterator[None]:
    """Hold the lock of every budget, like a process that was stopped in the middle of a hit."""
    held = [os.open(file, os.O_RDWR) for file in state.glob("*/*") if not file.name.startswith(".")]
    assert held
    for descriptor in held:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)


async def ticks_while(waiting: "asyncio.Task[object]", least: int) -> int:
    """Count how often the loop runs while a task is not done, up to a number."""
    count = 0
    while not waiting.done() and count < least:
        await asyncio.sleep(0.001)
        count += 1
    return count


def test_the_loop_goes_on_while_a_lock_is_held(root: Path, state: Path) -> None:
    """A real lock, on a real descriptor, for as long as the loop takes to run 50 times."""

    async def main() -> None:
        async with PolicyStore(root) as store:
            store.enforce("git", "tree", PATH)
            with ledger_held(state):
                call = asyncio.create_task(store.enforce_async("git", "tree", PATH))
                assert await ticks_while(call, 50) == 50
                assert not call.done()
            assert await call

    asyncio.run(main())


class Pipe:
    """A read that blocks until something is written: a FIFO in place of a slow disk."""

    def __init__(self, directory: Path) -> None:
        self.name = directory / "fifo"
        self.reads = 0
        os.mkfifo(self.name)

    def read(self) -> Grant:
        self.reads += 1
        tool = self.name.read_text()
        return Grant(tool, tool, (), None, {})  # type: ignore[arg-type] # only its name is looked at

    async def write(self, text: str) -> None:
        await asyncio.to_thread(self.name.write_text, text)


def test_many_callers_share_one_read_and_cancelling_one_cancels_no_other(tmp_path: Path) -> None:
    """The loop goes on. A call during a read gets the next one, which starts after the call."""

    async def main() -> None:
        executor, pipe = AsyncExecutor(), Pipe(tmp_path)
        many = [asyncio.create_task(executor.run_shared("git", pipe.read)) for _ in range(20)]
        assert await ticks_while(many[0], 30) == 30
        many[0].cancel()
        late = [asyncio.create_task(executor.run_shared("git", pipe.read)) for _ in range(20)]
        await asyncio.sleep(0)
        late[3].cancel()
        await pipe.write("first")
        results = await asyncio.gather(*many, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert {grant.tool for grant in results[1:] if isinstance(grant, Grant)} == {"first"}
        assert pipe.reads <= 2
        await pipe.write("second")
        others = await asyncio.gather(*late, return_exceptions=True)
        assert [grant.tool for grant in others if isinstance(grant, Grant)] == ["second"] * 19
        assert pipe.reads == 2
        executor.close()

    asyncio.run(main())


def test_many_loads_at_once_are_one_read(root: Path) -> None:
    """Each gets the same object."""
    time.sleep(STILL)

    async def main() -> None:
        async with PolicyStore(root) as store:
            grants = await asyncio.gather(*(store.load_async("git") for _ in range(100)))
            assert len({id(grant) for grant in grants}) == 1
            assert store.stats().misses == 1

    asyncio.run(main())


def test_a_load_after_a_write_gets_what_was_written(root: Path) -> None:
    """Even while an older load still runs."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"

    async def main() -> None:
        async with PolicyStore(root) as store:
            for number in range(30):
                older = asyncio.create_task(store.load_async("git"))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                file.write_text(json.dumps({**GIT, "tool": f"t{number}"}))
                assert (await store.load_async("git")).tool == f"t{number}"
                await asyncio.wait([older])
                older.exception()  # it may have read half of the text

    asyncio.run(main())


def test_each_caller_gets_the_error_when_it_awaits(root: Path) -> None:
    """Not when the coroutine is created; the methods that are not async raise in the caller's frame."""

    async def main() -> None:
        async with PolicyStore(root) as store:
            pending = store.enforce_async("git", "push")
            with pytest.raises(AccessDenied):
                await pending
            failed = await asyncio.gather(*(store.load_async("nobody") for _ in range(5)), return_exceptions=True)
            assert all(isinstance(error, GrantError) for error in failed)
            with pytest.raises(AccessDenied):
                store.enforce("git", "push")
            with pytest.raises(GrantError):
                await load_grant_async("nobody")
        with pytest.raises(UsageError, match="closed"):
            await store.load_async("git")

    asyncio.run(main())


def test_a_store_serves_one_loop_after_another(root: Path) -> None:
    """The last one closes it."""
    store = PolicyStore(root)
    for _ in range(3):
        assert asyncio.run(store.load_async("git")).tool == "git-map"
    store.close()


def test_a_child_of_a_fork_has_threads_of_its_own(root: Path) -> None:
    """The threads of its parent do not exist in it."""
    with PolicyStore(root) as store:
        asyncio.run(store.load_async("git"))
        child = os.fork()
        if not child:
            code = 1
            try:
                code = 0 if asyncio.run(asyncio.wait_for(store.load_async("git"), 20)).tool == "git-map" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert asyncio.run(load_grant_async("git")).tool == "git-map"
