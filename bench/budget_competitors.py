"""What bench/budgets.py measures: ours, what people use now, and the floor, each as one call that answers yes or no."""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import NamedTuple

from filelock import FileLock
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, RateItem, SQLiteBucket
from throttled import RateLimiterType, Throttled, rate_limiter, store

from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.memory_budgets import MemoryBudgets
from cortex_policy.state.settings import find_state_directory

Hit = Callable[[], bool]
TOOL, ROOT = "bench", (1, 1)
WINDOW_NS = 60_000_000_000


class Peer(NamedTuple):
    """A limiter: how it is opened for a key and a limit, and whether processes share what it counts."""

    opened: Callable[[str, str, int], AbstractContextManager[Hit]]
    is_shared: bool
    is_limiter: bool = True


@contextmanager
def ours_file(directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Hit budgets in files that stay mapped."""
    os.environ["CORTEX_POLICY_STATE_DIR"] = f"{directory}/state"
    hit = FileBudgets(ROOT).hit
    yield lambda: hit(TOOL, key, limit)


@contextmanager
def ours_one_shot(directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Take from a budget that is opened for each call, as `check` does."""
    os.environ["CORTEX_POLICY_STATE_DIR"] = f"{directory}/state"
    take = Ledger(ROOT, find_state_directory()).take
    yield lambda: take(TOOL, key, limit).consumed == 1


@contextmanager
def ours_memory(_directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Hit a budget of this process."""
    hit = MemoryBudgets().hit
    yield lambda: hit(TOOL, key, limit)


@contextmanager
def pyrate_sqlite(directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Put into a bucket in a database of its own; `Limiter` would answer no whenever another process holds the lock."""
    path = f"{directory}/{key}.pyrate"
    bucket = SQLiteBucket.init_from_file([Rate(limit, Duration.MINUTE)], db_path=path, use_file_lock=True)
    with closing(bucket):
        yield lambda: bucket.put(RateItem(key, bucket.now()))


@contextmanager
def pyrate_memory(_directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Acquire from a limiter with a list of hits."""
    with Limiter(InMemoryBucket([Rate(limit, Duration.MINUTE)])) as limiter:
        yield lambda: limiter.try_acquire(key, blocking=False)


@contextmanager
def limits_memory(_directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Hit a moving window."""
    hit, item = MovingWindowRateLimiter(MemoryStorage()).hit, RateLimitItemPerMinute(limit)
    yield lambda: hit(item, key)


@contextmanager
def throttled_memory(_directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Ask a GCRA whose burst is the limit."""
    quota = rate_limiter.per_min(limit)
    throttle = Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=store.MemoryStore())
    yield lambda: not throttle.limit(key).limited


@contextmanager
def json_counter(directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Count in a small file, rewritten under a lock: a fixed window, as such scripts have it."""
    path = f"{directory}/{key}.json"
    lock = FileLock(f"{path}.lock")
    yield lambda: _count(lock, path, limit)


def _count(lock: FileLock, path: str, limit: int) -> bool:
    with lock:
        now = time.time_ns()
        try:
            with open(path, encoding="utf-8") as file:
                state = json.load(file)
        except FileNotFoundError:
            state = {"since": now, "count": 0}
        if now - state["since"] >= WINDOW_NS:
            state = {"since": now, "count": 0}
        if state["count"] >= limit:
            return False
        state["count"] += 1
        with open(path, "w", encoding="utf-8") as file:
            json.dump(state, file)
        return True


@contextmanager
def sqlite_window(directory: str, key: str, limit: int) -> Iterator[Hit]:
    """Keep an exact window in SQLite, tuned: a database a key, WAL, no fsync, hits numbered so that none is counted."""
    path = f"{directory}/{key}.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as database:
        execute = database.execute
        with FileLock(f"{path}.lock"):  # the change to WAL waits for nobody
            execute("PRAGMA journal_mode=WAL")
            execute("PRAGMA synchronous=OFF")
            execute("CREATE TABLE IF NOT EXISTS hits (number INTEGER PRIMARY KEY, at INTEGER)")
        yield lambda: _insert(execute, limit)


def _insert(execute: Callable[..., sqlite3.Cursor], limit: int) -> bool:
    execute("BEGIN IMMEDIATE")
    now = time.monotonic_ns()
    head = execute("SELECT max(number) FROM hits").fetchone()[0] or 0
    oldest = execute("SELECT at FROM hits WHERE number = ?", (head + 1 - limit,)).fetchone()
    if oldest is not None and oldest[0] > now - WINDOW_NS:
        execute("ROLLBACK")
        return False
    execute("INSERT INTO hits VALUES (?, ?)", (head + 1, now))
    if oldest is not None:
        execute("DELETE FROM hits WHERE number <= ?", (head + 1 - limit,))
    execute("COMMIT")
    return True


@contextmanager
def floor(directory: str, key: str, _limit: int) -> Iterator[Hit]:
    """Lock and unlock a file that stays open, and count nothing."""
    descriptor = os.open(f"{directory}/{key}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    flock, exclusive, unlock = fcntl.flock, fcntl.LOCK_EX, fcntl.LOCK_UN

    def twice() -> bool:
        flock(descriptor, exclusive)
        flock(descriptor, unlock)
        return True

    try:
        yield twice
    finally:
        os.close(descriptor)


@contextmanager
def nothing(_directory: str, _key: str, _limit: int) -> Iterator[Hit]:
    """Call an empty function: what the harness itself takes."""
    yield lambda: True


FILE, MEMORY, FLOOR, NOTHING = "**ours, file**", "**ours, memory**", "floor: two `flock`", "the harness itself"
PYRATE, LIMITS, THROTTLED = "pyrate-limiter, SQLite", "limits, memory", "throttled-py, memory"
ONE_SHOT = "**ours, one-shot**"
PEERS = {
    FILE: Peer(ours_file, is_shared=True),
    FLOOR: Peer(floor, is_shared=True, is_limiter=False),
    ONE_SHOT: Peer(ours_one_shot, is_shared=True),
    PYRATE: Peer(pyrate_sqlite, is_shared=True),
    "JSON under filelock": Peer(json_counter, is_shared=True),
    "SQLite, exact window": Peer(sqlite_window, is_shared=True),
    MEMORY: Peer(ours_memory, is_shared=False),
    "pyrate-limiter, memory": Peer(pyrate_memory, is_shared=False),
    LIMITS: Peer(limits_memory, is_shared=False),
    THROTTLED: Peer(throttled_memory, is_shared=False),
    NOTHING: Peer(nothing, is_shared=False, is_limiter=False),
}
OURS = (FILE, ONE_SHOT, MEMORY)
