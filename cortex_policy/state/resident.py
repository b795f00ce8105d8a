"""The ledger of long-lived processes: its files stay open and mapped, so that most hits are two stores under a lock."""

import mmap
import os
from _thread import _local
from time import clock_gettime_ns
from weakref import WeakSet

from cortex_policy.core.exact import exact_hit
from cortex_policy.core.model import Budget, StateError
from cortex_policy.state.ledger import LARGEST_LIMIT, Ledger, boot_id, open_file, open_state, release, unlock
from cortex_policy.state.ring import (
    AT_HEAD,
    CLOCK,
    COARSE_SLOTS,
    EXACT_LIMIT,
    HEADER,
    PRIME,
    TICK_BITS,
    WINDOW_TICKS,
    WORD,
    Damaged,
    Key,
    Ring,
    fcntl,
    lock,
    now_ticks,
)

MOST_OPEN = 64  # files a thread keeps open, two descriptors each
_SPAN = WINDOW_TICKS * PRIME  # a window, as the difference of two sealed words
_SECOND = (10**9 >> TICK_BITS) * PRIME
_TRY, _UNLOCK = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN
_flock = fcntl.flock
_ONE = 1
_Handles = dict[str, dict[str, "_Handle"]]  # by tool and action
_alive: "WeakSet[FileBudgets]" = WeakSet()


class _Handle:
    """One mapped file. Each thread has its own: threads that share a descriptor share its lock too."""

    __slots__ = (
        "busy",
        "denied_head",
        "denied_limit",
        "denied_until",
        "descriptor",
        "grain",
        "head",
        "last",
        "least",
        "limit",
        "look_at",
        "mask",
        "most",
        "slots",
        "tag",
        "words",
    )

    def __init__(self, descriptor: int, mapping: mmap.mmap, ring: Ring) -> None:
        """Take over the descriptor of a mapped file that was verified under its lock."""
        self.descriptor = descriptor
        self.words = memoryview(mapping).cast("q")
        self.slots = self.words[HEADER // WORD :]
        self.mask, self.grain = (1 << ring.bits) - 1, ring.grain
        self.tag = ring.tag
        # the limits that it counts: above all hits fit in, below it counts too coarsely
        self.most = min((ring.grain << ring.bits) - ring.grain, LARGEST_LIMIT + 1)
        self.least = max(EXACT_LIMIT, (ring.grain - 1) * COARSE_SLOTS) + 1 if ring.grain > 1 else 1
        self.limit: int | None = None  # the last one, which is one of them
        self.last, self.head = -1, 0  # the word of the head as it was written here, and what it says
        self.busy = False
        self.look_at = now_ticks() * PRIME + ring.tag + _SECOND  # then its name is looked up again
        self.denied_limit = self.denied_head = self.denied_until = 0

    def __del__(self) -> None:
        os.close(self.descriptor)


class FileBudgets(Ledger):
    """The budgets of one root for a process that asks often; counts in the same files as every other process.

    `hit` is 5 to 10 times faster than `take`. A file that somebody else truncates while it is mapped ends the
    process (SIGBUS): drop state with `cortex-policy rate purge`, never by hand. It counts, and sees no emergency stop:
    `enforce(..., budgets=...)` does.
    """

    def __init__(self, root_identity: tuple[int, int], state_dir: str | None = None) -> None:
        """Take the root's (device, inode), which names its directory, and where that is, if the settings were read."""
        super().__init__(root_identity, state_dir)
        self._local = _local()
        _alive.add(self)

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:  # noqa: C901 - a call inside costs 3 %
        """Take `cost` hits if they fit into `limit` a minute, and say so; raise StateError where nobody can know."""
        if not type(tool) is type(action) is str:
            tool, action, limit, cost = exact_hit(tool, action, limit, cost)
        try:
            handle = self._local.handles[tool][action]
        except (AttributeError, KeyError):
            return self._opened(tool, action, limit, cost)
        if limit is not handle.limit or cost is not _ONE:
            tool, action, limit, cost = exact_hit(tool, action, limit, cost)
            if not handle.least <= limit < handle.most:
                return self._opened(tool, action, limit, cost)
            handle.limit = limit
        if cost != 1 or handle.busy:  # busy: a signal came in the middle of a hit, and asks for another
            return self.take(tool, action, limit, cost).consumed == cost
        if handle.denied_until and _is_still_full(handle, limit):
            return False
        descriptor = handle.descriptor
        # INVARIANT: no call between these two lines, so that no signal leaves a handle busy
        handle.busy = True
        try:
            try:
                _flock(descriptor, _TRY)
            except BlockingIOError:
                lock(descriptor)
            words = handle.words
            word = words[AT_HEAD]
            tag = handle.tag
            head = handle.head if word == handle.last else word // PRIME if word % PRIME == tag else -1
            if head >= 0:
                slots = handle.slots
                mask = handle.mask
                grain = handle.grain
                stamp = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + tag
                oldest = slots[(head - limit if grain == 1 else (head - limit) // grain) & mask]
                if stamp < handle.look_at and (oldest == tag or oldest % PRIME == tag):
                    if oldest > stamp - _SPAN and oldest != tag:
                        handle.denied_limit, handle.denied_head, handle.denied_until = limit, word, oldest + _SPAN
                        return False
                    # INVARIANT: slot before head: a torn hit lies beyond the head and is never looked at
                    slots[(head if grain == 1 else head // grain) & mask] = stamp
                    words[AT_HEAD] = handle.last = word + PRIME
                    handle.head = head + 1
                    return True
        finally:
            handle.busy = False  # before the call, whose end is where a signal may raise
            _flock(descriptor, _UNLOCK)
        return self._opened(tool, action, limit, cost)  # its file is gone, damaged, or was opened a second ago

    def denial(self, tool: str, action: str, limit: int) -> Budget | None:
        """Return what `take` would say to a thread whose `hit` was just denied; None where the file must be asked."""
        tool, action, limit, _ = exact_hit(tool, action, limit, 1)
        handles: _Handles = self._local.__dict__.get("handles", {})
        handle = handles.get(tool, {}).get(action)
        if handle is None or not handle.denied_until or not _is_still_full(handle, limit):
            return None
        now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + handle.tag
        before = handle.slots[(handle.denied_head // PRIME - limit - handle.grain) // handle.grain & handle.mask]
        # a limit that was lowered leaves more hits in the window than it allows
        if (
            limit != handle.denied_limit
            or (before != handle.tag and before > now - _SPAN)
            or now >= handle.denied_until
        ):
            return None
        wait = (handle.denied_until - now) // PRIME
        return Budget(limit, limit, 0, (wait << TICK_BITS) / 1e9, 0)

    def forget(self) -> None:
        """Close the files that are kept open; the next hit of a key opens its file again."""
        self._local = _local()

    def _opened(self, tool: str, action: str, limit: int, cost: int) -> bool:
        """Answer as any process does, then keep the file open for the next hit."""
        tool, action, limit, cost = exact_hit(tool, action, limit, cost)
        handles: _Handles = self._local.__dict__.setdefault("handles", {})
        handles.get(tool, {}).pop(action, None)
        consumed = self.take(tool, action, limit, cost).consumed
        while sum(map(len, handles.values())) >= MOST_OPEN:
            _drop_first(handles)
        handle = self._mapped(tool, action)
        if handle is not None:
            handles[tool] = handles.pop(tool, {}) | {action: handle}  # the last of all
        return consumed == cost

    def _mapped(self, tool: str, action: str) -> _Handle | None:
        """Map the file of a key; None where it must be asked each time: closed, or no descriptor left."""
        try:
            boot = boot_id()
            key = Key(boot, tool, action)
            directory = open_state(self.root_identity, boot, self.state_dir)
            try:
                descriptor = open_file(directory, key.name)
            finally:
                os.close(directory)
            return _handle(descriptor, key) if descriptor is not None else None
        except (OSError, StateError, ValueError):  # the hit itself is decided; the next one goes the same long way
            return None


def _handle(descriptor: int, key: Key) -> _Handle | None:
    try:
        ring = Ring(descriptor, key.identity)
        is_kept = ring.closed <= now_ticks()
        mapping = mmap.mmap(descriptor, HEADER + (WORD << ring.bits)) if is_kept else None
        unlock(descriptor)
    except Damaged:
        mapping = None  # the next hit notices it, and says so
    except BaseException:
        release(descriptor)
        raise
    if mapping is None:
        release(descriptor)
        return None
    return _Handle(descriptor, mapping, ring)


def _drop_first(handles: _Handles) -> None:
    tool = next(iter(handles))
    actions = handles[tool]
    for action in list(actions)[:1]:
        del actions[action]
    if not actions:
        del handles[tool]


def _is_still_full(handle: _Handle, limit: int) -> bool:
    """Whether the last denial still holds: the file was opened lately, none took or dropped a hit, none is too old."""
    if limit > handle.denied_limit or handle.words[AT_HEAD] != handle.denied_head:
        return False
    now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + handle.tag
    return now < handle.denied_until and now < handle.look_at


def _forget_all() -> None:
    """Drop what a fork made shared: a descriptor that two processes have is one lock for both."""
    for budgets in _alive:
        budgets.forget()


os.register_at_fork(after_in_child=_forget_all)
