"""One budget on disk: an exact ring of hits in a file, with its name, seal and lock.

A file is a header of eight words, then a power of two of slots. A slot is the tick of a hit, or of the newest of a few
hits. The identity and the marks NOTHING, GONE and BROKEN are plain; all other words are sealed. The header:

- AT_MAGIC: that it is such a file, and its layout
- AT_IDENTITY: which budget it holds
- AT_SLOT_BITS: the binary logarithm of the number of slots
- AT_HITS_PER_SLOT: how many hits share a slot
- AT_CLOSED_UNTIL: the tick until which every call is denied, after damage; 0 if there was none
- AT_TIME_NAMESPACE: the time namespace whose clock gave the ticks
- AT_KEPT: the head while a process removes the file, which may be killed before it has; else NOTHING
- AT_HEAD: the number of the next hit, which gives its slot; GONE or BROKEN if the file is no longer to be used

One module of more than 250 lines, as each module costs a check time.
"""

import os
import stat
import sys
import time

from cortex_policy.state import (
    CLOCK,
    lock_file,
    make_state_unavailable_error,
    read_time_namespace_id,
    sha256,
    unlock_and_close,
)

TICK_BITS = 12  # a tick is 4,096 ns
# INVARIANT: rounded so that a hit frees a few microseconds late, never early
WINDOW_TICKS = -(-60_000_000_000 // (1 << TICK_BITS)) + 1
EXACT_LIMIT = 1_000_000  # above, a slot is for several hits: never over the limit, at most 0.1 % under
COARSE_SLOTS = 1024
PRIME = 65521
MAGIC, LAYOUT = 0x43504C, 3  # LAYOUT goes up with every change of the format
MAGIC_TAG = 4099  # seals the first word in all files alike: a flipped bit does not look like another layout
WORD, HEADER = 8, 64
AT_MAGIC, AT_IDENTITY, AT_SLOT_BITS, AT_HITS_PER_SLOT, AT_CLOSED_UNTIL, AT_TIME_NAMESPACE, AT_KEPT, AT_HEAD = range(8)
# no sealed word leaves 0 when divided by PRIME. As the head they say: look at the file's name again; it is broken
GONE, BROKEN = 0, PRIME
NOTHING = PRIME  # what AT_KEPT holds unless the file is being removed
MAX_SLOT_BITS = 30
MAX_HEAD = 1 << 46  # twice as much is the largest value that a word can hold
SWEEP_MARKER = ".swept"  # its bytes are the tick of the last sweep
DELIVERIES, SHARED_DELIVERIES = ".deliveries", ".shared-deliveries"  # tables of `calls_seen_by_several_hooks.py`
MAX_TRIES = 100  # to open a file that others keep replacing
OPEN_STATE_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DamagedFileError(Exception):
    """A word of the file is damaged."""


def read_ticks_since_boot() -> int:
    """Return the time since boot in ticks; no setting of the wall clock moves it."""
    return time.clock_gettime_ns(CLOCK) >> TICK_BITS


def compute_hits_per_slot(limit: int) -> int:
    """Return how many hits share a slot."""
    return 1 if limit <= EXACT_LIMIT else -(-limit // COARSE_SLOTS)


def join_tool_and_action_by_colon(tool: str, action: str) -> str:
    """Return the text that names a budget, joined as the original joins it: two pairs that give one text share it."""
    return f"{tool}:{action}"


class BudgetFileKey:
    """The name of a budget on disk, and the seal of its words."""

    identity: int
    name: str
    tag: int

    def __init__(self, boot: bytes, tool: str, action: str) -> None:
        """Hash the key with the boot, so that no name can be read from it and no other boot's file is opened."""
        key = join_tool_and_action_by_colon(tool, action).encode("utf-8", "surrogatepass")
        self.name = sha256(b"key " + boot + key).hexdigest()[:40]
        sealed = sha256(b"seal %d " % read_time_namespace_id() + boot + key).digest()
        # half of it is of the name, so that a sweep sees the bytes of another key
        self.identity = int(self.name[:8], 16) << 31 | int.from_bytes(sealed[:4], "big") >> 1
        self.tag = _seal_tag(self.identity)

    def seal(self, value: int) -> int:
        """Return the word that stores a value; any flipped bit of it is detected."""
        return value * PRIME + self.tag


def _seal_tag(identity: int) -> int:
    """Return the number that seals the words of a file."""
    return 1 + identity % (PRIME - 1)


class Ring:
    """One open and locked file: its header, and its budget by the slots."""

    slot_bits: int
    hits_per_slot: int
    closed_until: int
    time_namespace: int
    head: int
    identity: int
    tag: int

    def __init__(self, descriptor: int, identity: int | None = None) -> None:
        """Read and verify the header, of whatever key where none is named; raise DamagedFileError."""
        self.descriptor = descriptor
        words = memoryview(os.pread(descriptor, HEADER, 0))
        if len(words) != HEADER:
            raise DamagedFileError
        header = words.cast("q")
        _check_layout(header[AT_MAGIC])
        self.identity = header[AT_IDENTITY]
        if identity not in (None, self.identity):
            raise DamagedFileError
        self.tag = _seal_tag(self.identity)
        self.slot_bits, self.hits_per_slot, self.closed_until, self.time_namespace = map(
            self._unseal, header[AT_SLOT_BITS:AT_KEPT]
        )
        size = HEADER + (WORD << min(self.slot_bits, MAX_SLOT_BITS))
        if self.slot_bits > MAX_SLOT_BITS or not self.hits_per_slot or os.fstat(descriptor).st_size != size:
            raise DamagedFileError
        self.head = self._unseal(header[AT_KEPT if header[AT_HEAD] == GONE else AT_HEAD])
        if header[AT_KEPT] != NOTHING:  # a process was killed while it removed this file
            self._unseal(header[AT_KEPT])
            self._store(AT_HEAD, self.head)
            self._write(NOTHING.to_bytes(WORD, sys.byteorder), WORD * AT_KEPT)

    def belongs_to(self, name: str) -> bool:
        """Whether its bytes are of the key with this file name."""
        return f"{self.identity >> 31:08x}" == name[:8]

    def _unseal(self, word: int) -> int:
        """Return the value of a word; raise DamagedFileError if it has another seal."""
        value, tag = divmod(word, PRIME)
        if tag != self.tag or value < 0:
            raise DamagedFileError
        return value

    def _tick_of_hit(self, hit: int) -> int:
        """Return the tick at which a hit was taken (or one of the few that share its slot), 0 for never."""
        index = (hit // self.hits_per_slot) & ((1 << self.slot_bits) - 1)
        data = os.pread(self.descriptor, WORD, HEADER + WORD * index)
        if len(data) != WORD:
            raise DamagedFileError
        return self._unseal(memoryview(data).cast("q")[0])

    def is_too_small(self, limit: int) -> bool:
        """Whether the file is too short, or counts too coarsely, for a limit."""
        return limit >= (
            self.hits_per_slot << self.slot_bits
        ) - self.hits_per_slot or self.hits_per_slot > compute_hits_per_slot(limit)

    def wait_ticks(self, limit: int, cost: int, now: int) -> int:
        """Return how long until `cost` more hits fit into `limit`: one read, however large the limit is."""
        if now < self.closed_until:
            return self.closed_until - now
        if self.is_too_small(limit):  # for a larger limit than the file was made for: count instead
            return 0 if self.count_used(limit, now) + cost <= limit else WINDOW_TICKS
        hit = self.head - limit + cost - 1
        tick = self._tick_of_hit(hit) if hit >= 0 else 0
        # a tick of the future can only be damage or another clock: it is inside the window too
        return max(0, tick + WINDOW_TICKS - now) if tick else 0

    def add(self, cost: int, now: int) -> None:
        """Store the hits, then the head: an incomplete write is beyond the head and never read."""
        word = (now * PRIME + self.tag).to_bytes(WORD, sys.byteorder)
        first, last = self.head // self.hits_per_slot, (self.head + cost - 1) // self.hits_per_slot
        size = 1 << self.slot_bits
        while first <= last:
            run = min(last - first + 1, size - first % size)
            self._write(word * run, HEADER + WORD * (first % size))
            first += run
        self.head += cost
        if self.head >= MAX_HEAD:  # go back by whole turns, of which one is left for `used` to look at
            turn = self.hits_per_slot << self.slot_bits
            self.head = turn + self.head % turn
        self._store(AT_HEAD, self.head)

    def mark_removed(self) -> None:
        """Mark the file, under the lock, as removed for all processes that have it open."""
        self._store(AT_KEPT, self.head)  # first, so that a crash here loses no hit
        self._write(GONE.to_bytes(WORD, sys.byteorder), WORD * AT_HEAD)

    def count_used(self, limit: int, now: int) -> int:
        """Count the hits in the window by halving, as the ring is ordered."""
        if now < self.closed_until:
            return limit
        low, high = max(0, self.head - ((1 << self.slot_bits) - 1) * self.hits_per_slot), self.head
        while low < high:
            middle = (low + high) // 2
            tick = self._tick_of_hit(middle)
            if tick and tick + WINDOW_TICKS > now:
                high = middle
            else:
                low = middle + 1
        return self.head - low

    def is_idle(self, now: int) -> bool:
        """Whether it holds no live hit; only a process with the same clock can know."""
        newest = self._tick_of_hit(self.head - 1) if self.head else 0
        return (
            self.time_namespace == read_time_namespace_id()
            and now >= self.closed_until
            and newest + WINDOW_TICKS <= now
        )

    def _store(self, index: int, value: int) -> None:
        self._write((value * PRIME + self.tag).to_bytes(WORD, sys.byteorder), WORD * index)

    def _write(self, data: bytes, offset: int) -> None:
        if os.pwrite(self.descriptor, data, offset) != len(data):
            raise OSError(28, "short write")


def _check_layout(word: int) -> None:
    value, tag = divmod(word, PRIME)
    if tag != MAGIC_TAG or value >> 16 != MAGIC:
        raise DamagedFileError
    if value & 0xFFFF != LAYOUT:
        raise make_state_unavailable_error(
            "it was made by another version of this program", "drop it with `cortex-policy rate purge`"
        )


def open_and_lock_budget_file_or_none(directory: int, name: str) -> int | None:
    """Open and lock the file at a name, None if there is none; raise StateError, or OSError."""
    for _ in range(MAX_TRIES):
        try:
            descriptor = os.open(name, OPEN_STATE_FILE, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            from cortex_policy.state.ledger_directory import make_state_open_error  # noqa: PLC0415 - only a failure needs it

            raise make_state_open_error(error) from None
        try:
            lock_file(descriptor)
            if is_open_state_file_still_linked(descriptor):
                return descriptor
        except BaseException:
            unlock_and_close(descriptor)
            raise
        unlock_and_close(descriptor)
    raise make_state_unavailable_error("its file is replaced again and again")


def is_open_state_file_still_linked(descriptor: int) -> bool:
    """Whether a locked file of state is still the one at its name; raise StateError for a wrong kind of object."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
        raise make_state_unavailable_error(
            "a state file has another owner, more than one link or the wrong type",
            "drop it with `cortex-policy rate purge`",
        )
    return status.st_nlink == 1
