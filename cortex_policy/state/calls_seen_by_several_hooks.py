"""Which deliveries of tool calls were counted: several lines of an agent may deliver one call (docs/hooks.md).

The n-th delivery of a call by one line and the n-th by another are one call, two by the same line are two calls. A
table for each root keeps a mark of each counted delivery for two minutes. In doubt a delivery is counted again.
"""

import os
import sys

from cortex_policy.core import Value
from cortex_policy.state import read_time_namespace_id, sha256
from cortex_policy.state.ledger_ring import WINDOW_TICKS, WORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.payload import ToolCall

MAX_MARKS = 4096
LIFETIME_TICKS = 2 * WINDOW_TICKS
_MAGIC = b"CPDELIV1"
_KEY = 16  # bytes of the key of all hashes, which the table alone holds
_CALL, _TAG = 16, 8  # bytes of the hashes in a mark; the tick of the delivery follows them
_MARK = _CALL + _TAG + WORD
_AT_NEXT, _AT_KEY = len(_MAGIC), len(_MAGIC) + WORD
_HEADER = _AT_KEY + _KEY
_SIZE = _HEADER + MAX_MARKS * _MARK


class CallDelivery(Value):
    """One delivery of a tool call: what identifies the call, and the tag of the line that delivered it."""

    call: bytes
    tag: str


def make_call_delivery(call: "ToolCall", tag: str) -> CallDelivery:
    """Return the delivery of a call by the line with a tag."""
    identity = ascii((call.session, call.call_id, call.tool, call.inputs))
    return CallDelivery(sha256(identity.encode("ascii")).digest(), tag)


class CountedCallDeliveries:
    """The open and locked table of a root, for one delivery.

    INVARIANT: the caller holds the lock of the budget's ring (of the table, if a server counts), so that two deliveries
    of a call come one after another.
    """

    def __init__(self, descriptor: int | None, budget: int, delivery: CallDelivery, now: int) -> None:
        """Take the table, None for an empty one, the identity of a budget, and the time in ticks.

        Raises OSError.
        """
        self._descriptor, self._budget, self._delivery, self._now = descriptor, budget, delivery, now
        self._data = b""
        self._call = self._tag = b""
        if descriptor is not None:
            self._read(descriptor)

    def _read(self, descriptor: int) -> None:
        self._data = os.pread(descriptor, _SIZE + 1, 0)
        if not _is_table(self._data):  # damaged: all its marks are lost, and so their calls are counted again
            self._data = bytes(make_empty_table())
            os.ftruncate(descriptor, 0)
            _write(descriptor, self._data, 0)
        key = self._data[_AT_KEY:_HEADER]
        where = b"%d %d " % (self._budget, read_time_namespace_id())
        self._call = sha256(key + b"call " + where + self._delivery.call).digest()[:_CALL]
        self._tag = sha256(key + b"tag " + self._delivery.tag.encode("utf-8", "surrogatepass")).digest()[:_TAG]

    @property
    def is_repeat(self) -> bool:
        """Whether another line has delivered this call before, so that its hit was taken.

        INVARIANT: never in a full table: a repeat without a mark would be one again, as often as its line delivers it.
        """
        if self._is_full:
            return False
        counts: dict[bytes, int] = {}
        at = self._data.find(self._call, _HEADER) if self._data else -1
        while at >= 0:
            if (at - _HEADER) % _MARK == 0 and self._is_alive(at):
                tag = self._data[at + _CALL : at + _CALL + _TAG]
                counts[tag] = counts.get(tag, 0) + 1
            at = self._data.find(self._call, at + 1)
        return counts.get(self._tag, 0) < max(counts.values(), default=0)

    def add(self) -> None:
        """Mark the delivery as counted; a full table marks nothing."""
        if self._descriptor is None or self._is_full:
            return
        index = self._next_index
        # INVARIANT: the next place first: a mark beyond it would look like the oldest one of a full table
        _write(self._descriptor, ((index + 1) % MAX_MARKS).to_bytes(WORD, sys.byteorder), _AT_NEXT)
        mark = self._call + self._tag + self._now.to_bytes(WORD, sys.byteorder)
        _write(self._descriptor, mark, _HEADER + _MARK * index)

    @property
    def _next_index(self) -> int:
        return int.from_bytes(self._data[_AT_NEXT:_AT_KEY], sys.byteorder) % MAX_MARKS

    @property
    def _is_full(self) -> bool:
        """Whether the oldest mark is still needed."""
        return self._is_alive(_HEADER + _MARK * self._next_index)

    def _is_alive(self, at: int) -> bool:
        return _is_alive(self._data, at, self._now)


def is_idle_table(descriptor: int, now: int) -> bool:
    """Whether no mark in an open table is needed any more."""
    data = os.pread(descriptor, _SIZE + 1, 0)
    return not _is_table(data) or not any(_is_alive(data, at, now) for at in range(_HEADER, _SIZE, _MARK))


def _is_table(data: bytes) -> bool:
    return len(data) == _SIZE and data.startswith(_MAGIC)


def _is_alive(data: bytes, at: int, now: int) -> bool:
    tick = int.from_bytes(data[at + _CALL + _TAG : at + _MARK], sys.byteorder)
    return bool(tick) and 0 <= now - tick < LIFETIME_TICKS  # a tick of the future is damage or of another clock


def make_empty_table() -> memoryview:
    """Return the bytes of a table without marks, with a new key."""
    return memoryview(_MAGIC + bytes(WORD) + os.urandom(_KEY) + bytes(_SIZE - _HEADER))


def _write(descriptor: int, data: bytes, offset: int) -> None:
    if os.pwrite(descriptor, data, offset) != len(data):
        raise OSError(28, "short write")
