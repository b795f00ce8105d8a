"""A pool of workers that share one budget, with each other and with every other process that uses the grant `digests`.

    python workers.py ROOT JOBS

A line of the file JOBS is a job, `ALGORITHM TEXT`; a line of the output is what became of it. Who finds the budget used
up waits as long as it is told to. SIGTERM and Ctrl-C end it: what runs is finished, and what waits or was not begun is
told as not done. It ends with 1 where anything was not done.
"""

import asyncio
import hashlib
import json
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TextIO

from cortex_policy import AccessDenied, CortexPolicyError, PolicyStore, enforced

WORKERS = 4
LONGEST_LINE = 1_000_000  # characters
Job = tuple[int, str, str]  # number, algorithm, text
Work = Callable[[str, str], Awaitable[str]]


def worker_of(store: PolicyStore) -> Work:
    """Return the work, which does not begin where the grant says no; put yours in its place."""

    @enforced("digests", "compute", store=store, algorithm="algorithm")
    async def compute(algorithm: str, text: str) -> str:
        return await asyncio.to_thread(lambda: hashlib.new(algorithm, text.encode()).hexdigest())

    return compute


class Pool:
    """Takes jobs no faster than they are done; each is told once, done or not."""

    def __init__(self, work: Work, tell: Callable[[int, dict[str, object]], None]) -> None:
        """Keep what does a job, and who is told what became of it."""
        self._work, self._tell = work, tell
        self._queue: asyncio.Queue[Job | None] = asyncio.Queue(maxsize=2 * WORKERS)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more; what runs is finished."""
        self._stopping.set()

    async def run(self, jobs: Iterable[Job]) -> None:
        """Do all jobs, or as many as there is time for."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WORKERS):
                tasks.create_task(self._take())
            for job in jobs:
                await self._queue.put(job)  # waits while the queue is full
            for _ in range(WORKERS):
                await self._queue.put(None)

    async def _take(self) -> None:
        while (job := await self._queue.get()) is not None:
            number, algorithm, text = job
            if self._stopping.is_set():
                self._tell(number, {"done": False, "reason": "shutdown"})
                continue
            try:
                digest = await self._patiently(partial(self._work, algorithm, text))
            except CortexPolicyError as error:
                self._tell(number, {"done": False, "reason": error.reason, "message": str(error)})
            except Exception as error:  # noqa: BLE001 - a job that fails ends no worker
                self._tell(number, {"done": False, "reason": "failed", "message": repr(error)})
            else:
                self._tell(number, {"done": True, "digest": digest})

    async def _patiently(self, call: Callable[[], Awaitable[str]]) -> str:
        """Call until there is budget for it, and sleep meanwhile; raise every other no, and this one on shutdown."""
        while True:
            try:
                return await call()
            except AccessDenied as denied:
                budget = denied.decision.budget
                if not denied.decision.retryable or budget is None or self._stopping.is_set():
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), budget.retry_after_seconds)


def read(file: TextIO) -> Iterator[Job]:
    """Yield the jobs of a file; a line without an end fills no memory."""
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), ""), 1):
        algorithm, _, text = line.rstrip("\n").partition(" ")
        yield number, algorithm, text


async def work(root: str, file: TextIO) -> int:
    """Do the jobs of a file; return the exit code."""
    codes = {0}

    def tell(number: int, what: dict[str, object]) -> None:
        codes.add(0 if what["done"] else 1)
        print(json.dumps({"job": number, **what}), flush=True)

    async with PolicyStore(root) as store:
        for error in store.preload(["digests"]).failures.values():
            print(f"workers: {error}; {error.hint}", file=sys.stderr)
        pool = Pool(worker_of(store), tell)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, pool.stop)
        await pool.run(read(file))
    return max(codes)


def main() -> int:
    """Work in a root; return the exit code."""
    parser = ArgumentParser(description="do jobs as often as a grant lets it")
    parser.add_argument("root", help="the directory that holds .cortex/policy")
    parser.add_argument("jobs", help="a file with lines of ALGORITHM TEXT")
    arguments = parser.parse_args()
    code = 3
    try:
        with open(arguments.jobs, encoding="utf-8") as file:
            code = asyncio.run(work(arguments.root, file))
    except* (OSError, UnicodeDecodeError, CortexPolicyError) as errors:  # a group where they come out of the pool
        print(*(f"workers: {error}" for error in errors.exceptions), sep="\n", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
