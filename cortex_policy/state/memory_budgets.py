"""Budgets inside one process, for a service that wants no files: the same methods, just as exact."""

import os
from _thread import allocate_lock
from time import clock_gettime_ns
from weakref import WeakSet

from cortex_policy.core.input_values import require_budget_arguments
from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, StateError
from cortex_policy.state import CLOCK
from cortex_policy.state.ledger_ring import TICK_BITS, WINDOW_TICKS, join_tool_and_action_by_colon

MAX_HITS = 1 << 24  # of one key in a minute: each hit takes memory
_MIN_SLOTS = 16  # slots of a new ring
_NEVER = -(1 << 62)  # the tick of a slot that no hit has taken yet
_alive: "WeakSet[MemoryBudgets]" = WeakSet()


class _Ring:
    """The ticks of the last hits of one key; its size fits the busiest window so far, not the limit."""

    __slots__ = ("good_until", "head", "lock", "mask", "ticks")

    def __init__(self, good_until: int) -> None:
        self.ticks = [_NEVER] * _MIN_SLOTS
        self.mask = _MIN_SLOTS - 1
        self.head = 0
        self.lock = allocate_lock()
        self.good_until = good_until  # the next sweep; 0 after it was swept, for threads that still hold it

    def make_room(self, cost: int, horizon: int) -> None:
        """Grow until `cost` hits overwrite none that still counts; raise StateError if that is too much memory.

        Call with the lock held.
        """
        # INVARIANT: a slot is overwritten only after its hit has left the window, since the next limit may be any
        size = len(self.ticks)
        while cost > size or self.ticks[(self.head + cost - 1) & self.mask] > horizon:
            if max(size, cost) >= MAX_HITS:
                why = f"budgets in memory hold at most {MAX_HITS:,} hits of a minute"
                raise StateError(STATE_UNAVAILABLE, why, "count in files: pass no `budgets`")
            start = self.head & self.mask
            self.ticks = [_NEVER] * size + self.ticks[start:] + self.ticks[:start]
            self.head = size = 2 * size
            self.mask = size - 1

    def count_used(self, horizon: int) -> int:
        """Count the hits after the horizon by halving, as the ring is ordered."""
        low, high = self.head - len(self.ticks), self.head
        while low < high:
            middle = (low + high) // 2
            if self.ticks[middle & self.mask] > horizon:
                high = middle
            else:
                low = middle + 1
        return self.head - low

    def wait_ticks(self, limit: int, cost: int, now: int) -> int:
        """Return how long until `cost` more hits fit into `limit`."""
        if limit - cost >= len(self.ticks):  # the hit in question has left the ring, and so its window
            return 0
        return max(0, self.ticks[(self.head + cost - 1 - limit) & self.mask] + WINDOW_TICKS - now)

    def store(self, cost: int, now: int) -> None:
        """Store hits, for which there is room."""
        for hit in range(self.head, self.head + cost):
            self.ticks[hit & self.mask] = now
        self.head += cost


class MemoryBudgets:
    """The budgets of one process, for any number of threads but no signal handler; they end with the process.

    They only count and check no emergency stop: `enforce(..., budgets=...)` does.
    """

    def __init__(self) -> None:
        """Begin with unused budgets."""
        self._rings: dict[str, _Ring] = {}  # by `join_tool_and_action_by_colon`
        self._lock = allocate_lock()
        self._sweep_at = 0
        _alive.add(self)

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
        """Take `cost` hits if they fit into `limit` a minute; return whether they did."""
        if not (type(tool) is type(action) is str and type(limit) is type(cost) is int):
            tool, action, limit, cost = require_budget_arguments(tool, action, limit, cost)
        ring = self._rings.get(f"{tool}:{action}")  # `join_tool_and_action_by_colon`, inlined: a call costs 5 %
        if cost == 1 and limit > 0 and ring is not None:
            with ring.lock:
                ticks, head, mask = ring.ticks, ring.head, ring.mask
                now = clock_gettime_ns(CLOCK) >> TICK_BITS
                oldest = ticks[(head - limit if limit <= mask else head) & mask]
                if now < ring.good_until:
                    if oldest <= now - WINDOW_TICKS:
                        ticks[head & mask] = now
                        ring.head = head + 1
                        return True
                    if limit <= mask:
                        return False
        return self.take(tool, action, limit, cost).consumed == cost

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take `cost` hits if they fit into `limit` a minute; return the budget.

        Raises StateError if a minute would hold more hits than fit into memory.
        """
        return self._count(tool, action, limit, cost, consume=True)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Return what `take` would; consume nothing."""
        return self._count(tool, action, limit, cost, consume=False)

    def _count(self, tool: str, action: str, limit: int, cost: int, *, consume: bool) -> Budget:
        tool, action, limit, cost = require_budget_arguments(tool, action, limit, cost)
        if limit < cost:
            return Budget(limit, 0, limit, None, 0)
        with self._lock:
            if _now_ticks() >= self._sweep_at:
                self._drop_idle_rings()
            key = join_tool_and_action_by_colon(tool, action)
            ring = self._rings.get(key) or _Ring(self._sweep_at)
            with ring.lock:
                now = _now_ticks()  # inside the lock, so that the ring is ordered
                wait = ring.wait_ticks(limit, cost, now)
                consumed = cost if consume and not wait else 0
                if consumed:
                    ring.make_room(cost, now - WINDOW_TICKS)
                    ring.store(cost, now)
                    wait = ring.wait_ticks(limit, 1, now)  # until one more fits
                    self._rings[key] = ring
                used = ring.count_used(now - WINDOW_TICKS)
        return Budget(limit, used, max(0, limit - used), (wait << TICK_BITS) / 1e9, consumed)

    def make_usable_after_fork(self) -> None:
        """Replace the locks after a fork: a thread that held one does not exist in the child."""
        self._lock = allocate_lock()
        for ring in self._rings.values():
            ring.lock = allocate_lock()

    def _drop_idle_rings(self) -> None:
        """Once a window, drop the rings without hits in the window."""
        now = _now_ticks()
        self._sweep_at = now + WINDOW_TICKS
        for key, ring in list(self._rings.items()):
            with ring.lock:
                is_idle = ring.count_used(now - WINDOW_TICKS) == 0
                ring.good_until = 0 if is_idle else self._sweep_at
            if is_idle:
                del self._rings[key]


def _renew_all_locks() -> None:
    for budgets in _alive:
        budgets.make_usable_after_fork()


os.register_at_fork(after_in_child=_renew_all_locks)


def _now_ticks() -> int:
    return clock_gettime_ns(CLOCK) >> TICK_BITS
