"""The ledger of long-lived processes: its files stay open and mapped, so that most hits are two stores under a lock."""

import mmap
import os
from _thread import _local
from time import clock_gettime_ns
from weakref import WeakSet

from cortex_policy.core.model import Budget, StateError
from cortex_policy.core.plain_values import exact_budget_call
from cortex_policy.state import CLOCK, boot_id, fcntl, unlock_and_close, unlock_file, wait_for_lock
from cortex_policy.state.ledger import MAX_LIMIT, Ledger, open_state
from cortex_policy.state.ledger_ring import (
    AT_HEAD,
    COARSE_SLOTS,
    EXACT_LIMIT,
    HEADER,
    PRIME,
    TICK_BITS,
    WINDOW_TICKS,
    WORD,
    BudgetKey,
    DamagedFile,
    Ring,
    now_ticks,
    open_file,
)
from cortex_policy.state.settings import find_state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MAX_OPEN = 64  # files that are kept open, two descriptors each
LOOK_AHEAD = 64  # hits: as the ring is ordered, all fit where the last of them does
_SPAN = WINDOW_TICKS * PRIME  # a window, as the difference of two sealed words
_SECOND = (10**9 >> TICK_BITS) * PRIME
_TRY, _UNLOCK = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN
_flock = fcntl.flock
_ONE = 1
_Kept = dict[str, dict[str, "tuple[Callable[[int], bool], _File]"]]  # by tool and action
_NEVER = 1 << 63  # no word is that
_alive: "WeakSet[FileBudgets]" = WeakSet()


class _File:
    """A mapped file, and the last denial of it. No two threads use it at once: they would share its lock."""

    __slots__ = (
        "denied_head",
        "denied_limit",
        "denied_until",
        "descriptor",
        "hits_per_slot",
        "least",
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
        slots, self.mask = self.words[HEADER // WORD :], (1 << ring.bits) - 1
        self.slots: memoryview[int] | _CoarseSlots = slots
        if ring.hits_per_slot > 1:
            self.slots, self.mask = _CoarseSlots(slots, ring.hits_per_slot, self.mask), -1
        self.tag, self.hits_per_slot = ring.tag, ring.hits_per_slot
        # the limits that it counts: above all hits fit in, below it counts too coarsely
        self.most = min((ring.hits_per_slot << ring.bits) - ring.hits_per_slot, MAX_LIMIT + 1)
        self.least = max(EXACT_LIMIT, (ring.hits_per_slot - 1) * COARSE_SLOTS) + 1 if ring.hits_per_slot > 1 else 1
        self.look_at = now_ticks() * PRIME + ring.tag + _SECOND  # then its name is looked up again
        self.denied_limit = self.denied_head = self.denied_until = 0

    def __del__(self) -> None:
        os.close(self.descriptor)


class _CoarseSlots:
    """Slots of several hits each, by the number of a hit."""

    __slots__ = ("_grain", "_mask", "_slots")

    def __init__(self, slots: "memoryview[int]", grain: int, mask: int) -> None:
        """Take the slots, how many hits share each, and what makes the numbers of slots a ring."""
        self._slots, self._grain, self._mask = slots, grain, mask

    def __getitem__(self, hit: int) -> int:
        return self._slots[hit // self._grain & self._mask]

    def __setitem__(self, hit: int, word: int) -> None:
        self._slots[hit // self._grain & self._mask] = word


def _take_hits(file: _File) -> "Generator[bool, int, None]":  # noqa: C901, PLR0912 - a call inside costs 3 %
    """Say for each limit that is sent whether a hit fits, and take it; end where the file must be opened again.

    All that a hit needs is in local variables of a generator, the fastest there are. It answers one at a time: what is
    sent in the middle of a hit, by another thread or by the handler of a signal, is a ValueError.
    """
    descriptor, words, slots, mask, tag = file.descriptor, file.words, file.slots, file.mask, file.tag
    look_at, at_head, clock, prime = file.look_at, AT_HEAD, CLOCK, PRIME
    flock, exclusive, unlocked = _flock, _TRY, _UNLOCK
    limit: int = None  # type: ignore[assignment] # none that was sent is the same
    last, head, answer = _NEVER, 0, False  # last: the word of the head as it was left here
    free = ahead = 0  # below the one a hit fits, wherever the head is; at the other it is looked how many more do
    while True:
        asked = yield answer
        if asked is not limit:
            limit, free, ahead = exact_budget_call("", "", asked, 1)[2], 0, 0
            if not file.least <= limit < file.most:
                return
        if file.denied_until:
            if _is_still_full(file, limit):
                answer = False
                continue
            file.denied_until = 0
        try:
            try:
                flock(descriptor, exclusive)
            except BlockingIOError:
                wait_for_lock(descriptor)
            word = words[at_head]
            if word != last:
                if word < 0 or word % prime != tag:
                    return
                if word < last:  # new here, or gone back by whole turns
                    free = ahead = 0
                last, head = word, word // prime
            stamp = (clock_gettime_ns(clock) >> TICK_BITS) * prime + tag
            if stamp >= look_at:
                return
            if head >= free:
                oldest = slots[(head - limit) & mask]
                if oldest != tag:
                    if oldest % prime != tag:
                        return
                    if oldest > stamp - _SPAN:
                        file.denied_limit, file.denied_head, file.denied_until = limit, word, oldest + _SPAN
                        answer = False
                        continue
                if head >= ahead:
                    ahead = head + min(LOOK_AHEAD, limit - file.hits_per_slot)
                    newest = slots[(ahead - 1 - limit) & mask]
                    if newest == tag or (newest % prime == tag and newest <= stamp - _SPAN):
                        free = ahead
            # INVARIANT: slot before head: a torn hit lies beyond the head and is never looked at
            slots[head & mask] = stamp
            words[at_head] = last = word + prime
            head += 1
            answer = True
        finally:
            flock(descriptor, unlocked)


class FileBudgets(Ledger):
    """The budgets of one root for a process that asks often; counts in the same files as every other process.

    `hit` is 5 to 10 times faster than `take`. A file that somebody else truncates while it is mapped ends the
    process (SIGBUS): drop state with `cortex-policy rate purge`, never by hand. It counts, and sees no emergency stop:
    `enforce(..., budgets=...)` does.
    """

    def __init__(self, root_identity: tuple[int, int], state_dir: str | None = None) -> None:
        """Take the root's (device, inode), which names its directory, and where that is, if the settings were read."""
        super().__init__(root_identity, state_dir or "")
        self._named = state_dir
        self.forget()
        _alive.add(self)

    @property
    def state_dir(self) -> str:
        """The state directory that holds these budgets: unless one is named, what the settings say by now."""
        return find_state_directory() if self._named is None else self._named

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
        """Take `cost` hits if they fit into `limit` a minute, and say so; raise StateError where nobody can know."""
        if cost is not _ONE or not type(tool) is type(action) is str:
            tool, action, limit, cost = exact_budget_call(tool, action, limit, cost)
            if cost != 1:
                return self.take(tool, action, limit, cost).consumed == cost
        try:
            ask = self._kept[tool][action][0]
        except KeyError:
            return self._reopen(self._kept, tool, action, limit)
        try:
            return ask(limit)
        except StopIteration:  # its file is gone, damaged, or was opened a second ago
            return self._reopen(self._kept, tool, action, limit)
        except ValueError as error:
            if not _is_in_use(error):
                raise
        return self._hit_in_this_thread(tool, action, limit)

    def denial(self, tool: str, action: str, limit: int) -> Budget | None:
        """Return what `take` would say to a thread whose `hit` was just denied; None where the file must be asked."""
        tool, action, limit, _ = exact_budget_call(tool, action, limit, 1)
        for kept in (self._local.__dict__.get("kept", {}), self._kept):
            _, file = kept.get(tool, {}).get(action, (None, None))
            if file is not None and file.denied_until and _is_still_full(file, limit):
                return _budget_of_denial(file, limit)
        return None

    def forget(self) -> None:
        """Close the files that are kept open; the next hit of a key opens its file again."""
        self._kept: _Kept = {}
        self._local = _local()  # files of threads that found another one in the middle of a hit

    def _hit_in_this_thread(self, tool: str, action: str, limit: int) -> bool:
        """Take a hit by a file of this thread alone."""
        kept: _Kept = self._local.__dict__.setdefault("kept", {})
        ask, _ = kept.get(tool, {}).get(action, (None, None))
        try:
            return self._reopen(kept, tool, action, limit) if ask is None else ask(limit)
        except StopIteration:
            return self._reopen(kept, tool, action, limit)
        except ValueError as error:
            if not _is_in_use(error):
                raise
        return (
            self.take(tool, action, limit).consumed == 1
        )  # a signal came in the middle of a hit, and asks for another

    def _reopen(self, kept: _Kept, tool: str, action: str, limit: int) -> bool:
        """Answer as any process does, then keep the file open for the next hit."""
        tool, action, limit, _ = exact_budget_call(tool, action, limit, 1)
        kept.get(tool, {}).pop(action, None)
        consumed = self.take(tool, action, limit).consumed
        while sum(map(len, list(kept.values()))) >= MAX_OPEN:
            _close_oldest(kept)
        file = self._map_file(tool, action)
        if file is not None:
            kept[tool] = kept.pop(tool, {}) | {action: (_start_hits(file), file)}  # the last of all
        return consumed == 1

    def _map_file(self, tool: str, action: str) -> _File | None:
        """Map the file of a key; None where it must be asked each time: closed, or no descriptor left."""
        try:
            boot = boot_id()
            key = BudgetKey(boot, tool, action)
            directory = open_state(self.root_identity, boot, self.state_dir)
            try:
                descriptor = open_file(directory, key.name)
            finally:
                os.close(directory)
            return _to_file(descriptor, key) if descriptor is not None else None
        except (OSError, StateError, ValueError):  # the hit itself is decided; the next one goes the same long way
            return None


def _to_file(descriptor: int, key: BudgetKey) -> _File | None:
    try:
        ring = Ring(descriptor, key.identity)
        is_kept = ring.closed <= now_ticks()
        mapping = mmap.mmap(descriptor, HEADER + (WORD << ring.bits)) if is_kept else None
        unlock_file(descriptor)
    except DamagedFile:
        mapping = None  # the next hit notices it, and says so
    except BaseException:
        unlock_and_close(descriptor)
        raise
    if mapping is None:
        unlock_and_close(descriptor)
        return None
    return _File(descriptor, mapping, ring)


def _start_hits(file: _File) -> "Callable[[int], bool]":
    hits = _take_hits(file)
    next(hits)
    return hits.send


def _is_in_use(error: ValueError) -> bool:
    """Whether a hit was asked for in the middle of another: nothing below the call that asked raised the error."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def _close_oldest(kept: _Kept) -> None:
    """Close the file that was opened before all others; another thread may do so too."""
    for tool in list(kept)[:1]:
        actions = kept.get(tool, {})
        for action in list(actions)[:1]:
            actions.pop(action, None)
        if not actions:
            kept.pop(tool, None)


def _is_still_full(file: _File, limit: int) -> bool:
    """Whether the last denial still holds: the file was opened lately, none took or dropped a hit, none is too old."""
    if limit > file.denied_limit or file.words[AT_HEAD] != file.denied_head:
        return False
    now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + file.tag
    return now < file.denied_until and now < file.look_at


def _budget_of_denial(file: _File, limit: int) -> Budget | None:
    """Return what a denial that still holds says of the budget; None where the file must be asked."""
    full, head, until, tag = file.denied_limit, file.denied_head, file.denied_until, file.tag
    now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + tag
    before = file.slots[(head // PRIME - limit - file.hits_per_slot) & file.mask]
    # a limit that was lowered leaves more hits in the window than it allows
    if limit != full or (before != tag and before > now - _SPAN) or now >= until:
        return None
    return Budget(limit, limit, 0, ((until - now) // PRIME << TICK_BITS) / 1e9, 0)


def _forget_after_fork() -> None:
    """Drop what a fork made shared: a descriptor that two processes have is one lock for both."""
    for budgets in _alive:
        budgets.forget()


os.register_at_fork(after_in_child=_forget_after_fork)
