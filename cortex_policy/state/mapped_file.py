"""A file of a ledger that stays open and mapped, and the hits that it takes: two stores under a lock.

One module of more than 250 lines: all of it reads one ring, and a call into another module costs a hit time.
"""

import mmap
import os
from time import clock_gettime_ns

from cortex_policy.core.input_values import require_budget_arguments
from cortex_policy.core.model import Budget
from cortex_policy.state import CLOCK, fcntl, lock_within_one_second, unlock_and_close, unlock_file
from cortex_policy.state.ledger import MAX_LIMIT
from cortex_policy.state.ledger_ring import (
    AT_HEAD,
    COARSE_SLOTS,
    EXACT_LIMIT,
    HEADER,
    PRIME,
    TICK_BITS,
    WINDOW_TICKS,
    WORD,
    BudgetFileKey,
    DamagedFileError,
    Ring,
    read_ticks_since_boot,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LOOK_AHEAD = 64  # hits: as the ring is ordered, all fit where the last of them does
_SPAN = WINDOW_TICKS * PRIME  # a window, as the difference of two sealed words
_SECOND = (10**9 >> TICK_BITS) * PRIME
_TRY, _UNLOCK = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN
_flock = fcntl.flock
_NEVER = 1 << 63  # no word is that
_FEW_STEPS = 4


class MappedFile:
    """A mapped file, and the last denial of it. No two threads use it at once: they would share its lock."""

    __slots__ = (
        "denied_head",
        "denied_limit",
        "denied_until",
        "descriptor",
        "first_used",
        "hits_per_slot",
        "limit_end",
        "look_at",
        "mask",
        "min_limit",
        "slots",
        "tag",
        "words",
    )

    denied_head: int
    denied_limit: int
    denied_until: int
    descriptor: int
    first_used: int
    hits_per_slot: int
    min_limit: int
    look_at: int
    mask: int
    limit_end: int
    tag: int
    words: "memoryview[int]"

    def __init__(self, descriptor: int, mapping: mmap.mmap, ring: Ring) -> None:
        """Take over the descriptor of a mapped file that was verified under its lock."""
        self.descriptor = descriptor
        self.words = memoryview(mapping).cast("q")
        slots, self.mask = self.words[HEADER // WORD :], (1 << ring.slot_bits) - 1
        self.slots: memoryview[int] | _CoarseSlots = slots
        if ring.hits_per_slot > 1:
            self.slots, self.mask = _CoarseSlots(slots, ring.hits_per_slot, self.mask), -1
        self.tag, self.hits_per_slot = ring.tag, ring.hits_per_slot
        # the limits that it counts: above all hits fit in, below it counts too coarsely
        self.limit_end = min((ring.hits_per_slot << ring.slot_bits) - ring.hits_per_slot, MAX_LIMIT + 1)
        self.min_limit = max(EXACT_LIMIT, (ring.hits_per_slot - 1) * COARSE_SLOTS) + 1 if ring.hits_per_slot > 1 else 1
        self.look_at = read_ticks_since_boot() * PRIME + ring.tag + _SECOND  # then its name is looked up again
        self.denied_limit = self.denied_head = self.denied_until = 0
        self.first_used = 0  # all hits below this number have left the window

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


def _take_hits(file: MappedFile) -> "Generator[bool, int, None]":  # noqa: C901, PLR0912 - a call inside costs 3 %
    """Say for each limit that is sent whether a hit fits, and take it; end where the file must be opened again.

    All that a hit needs is in local variables of a generator, the fastest there are; a call of a part of it would cost
    a hit 3 %, so that it is one function of more than 40 lines. It answers one at a time: what is
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
            limit, free, ahead = require_budget_arguments("", "", asked, 1)[2], 0, 0
            if not file.min_limit <= limit < file.limit_end:
                return
        if file.denied_until:
            if is_still_denied(file, limit):
                answer = False
                continue
            file.denied_until = 0
        try:
            try:
                flock(descriptor, exclusive)
            except BlockingIOError:
                lock_within_one_second(descriptor)
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


def map_and_unlock(descriptor: int, key: BudgetFileKey) -> MappedFile | None:
    """Map a locked file and unlock it; None if it is damaged, or closed for now."""
    try:
        ring = Ring(descriptor, key.identity)
        is_kept = ring.closed_until <= read_ticks_since_boot()
        mapping = mmap.mmap(descriptor, HEADER + (WORD << ring.slot_bits)) if is_kept else None
        unlock_file(descriptor)
    except DamagedFileError:
        mapping = None  # the next hit notices it, and says so
    except BaseException:
        unlock_and_close(descriptor)
        raise
    if mapping is None:
        unlock_and_close(descriptor)
        return None
    return MappedFile(descriptor, mapping, ring)


def make_hit_function(file: MappedFile) -> "Callable[[int], bool]":
    """Return what takes a hit of the file, within a limit."""
    hits = _take_hits(file)
    next(hits)
    return hits.send


def is_still_denied(file: MappedFile, limit: int) -> bool:
    """Whether the last denial still holds: the file was opened lately, none took or dropped a hit, none is too old."""
    if limit > file.denied_limit or file.words[AT_HEAD] != file.denied_head:
        return False
    now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + file.tag
    return now < file.denied_until and now < file.look_at


def read_budget_of_denial_or_none(file: MappedFile, limit: int) -> Budget | None:
    """Return what a denial that still holds says of the budget; None if the file must be read."""
    full, head, until, tag = file.denied_limit, file.denied_head, file.denied_until, file.tag
    now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + tag
    before = file.slots[(head // PRIME - limit - file.hits_per_slot) & file.mask]
    # a limit that was lowered leaves more hits in the window than it allows
    if limit != full or (before != tag and before > now - _SPAN) or now >= until:
        return None
    return Budget(limit, limit, 0, ((until - now) // PRIME << TICK_BITS) / 1e9, 0)


def peek_used_hits_and_seconds_left(file: MappedFile, limit: int) -> tuple[int, float] | None:
    """Return what is used, and the seconds until one more fits; None if the file must be looked up or read again."""
    stamp = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + file.tag
    return read_usage_just_after_taking_hit(file, limit) if stamp < file.look_at else None


def read_usage_just_after_taking_hit(file: MappedFile, limit: int) -> tuple[int, float] | None:
    """Return what is used right after a hit of this process, and the seconds until one more fits.

    None if the file must be read. Nothing is locked: hits that others took by now are in it.
    """
    tag, word = file.tag, file.words[AT_HEAD]
    if word < 0 or word % PRIME != tag or not file.min_limit <= limit < file.limit_end:
        return None
    head = word // PRIME
    now = (clock_gettime_ns(CLOCK) >> TICK_BITS) * PRIME + tag
    first = _first_used(file, head, now - _SPAN)
    oldest = file.slots[(head - limit) & file.mask] if head >= limit else tag
    if first is None or oldest % PRIME != tag:
        return None
    wait = max(0, (oldest + _SPAN - now) // PRIME) if oldest != tag else 0
    return head - first, (wait << TICK_BITS) / 1e9


def _first_used(file: MappedFile, head: int, expired: int) -> int | None:
    """Return the number of the oldest hit in the window, most often that of the last time; None if it is damaged."""
    slots, mask, tag, size = file.slots, file.mask, file.tag, len(file.words) - HEADER // WORD
    lowest = max(0, head - (size - 1) * file.hits_per_slot)
    low = file.first_used if lowest <= file.first_used <= head else lowest
    high, steps = head, 0
    while low < high:
        # a few have left since the last time; if more have, they are found by halving, as the ring is ordered
        middle = low if steps < _FEW_STEPS else (low + high) // 2
        word = slots[middle & mask]
        if word % PRIME != tag:
            return None
        if word != tag and word > expired:
            if middle == low:
                break
            high = middle
        else:
            low = middle + 1
        steps += 1
    file.first_used = low
    return low
