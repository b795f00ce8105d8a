"""What callers admitted, each in its own file, and whether that was ever more than the limit."""

import os
import struct
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from cortex_policy.state import ledger_ring as rings
from cortex_policy.state import mapped_file

WINDOW = 60_000_000_000
_RECORD = struct.Struct("=6q")


_speed = [1]


def now() -> int:
    """Return the nanoseconds since boot, at the speed of this run."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _speed[0]


def hasten(speed: int) -> None:
    """Let time run faster for this process and those it forks, so that windows slide and files fall idle all the time."""
    _speed[0] = speed
    rings.read_ticks_since_boot = mapped_file.read_ticks_since_boot = lambda: now() >> rings.TICK_BITS
    mapped_file.clock_gettime_ns = lambda _: now()


DROPPED = -1


class Event(NamedTuple):
    """A hit that was admitted, or a drop, which happened between two instants."""

    group: int
    number: int
    before: int
    after: int
    cost: int  # 0 for a drop that may have been, DROPPED for one that was
    limit: int


class Notebook:
    """The file of one process: one write each, so that a kill loses at most the last."""

    def __init__(self, directory: str) -> None:
        name = f"{directory}/{os.getpid()}-{os.urandom(4).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self.hits = os.open(f"{name}.hits", flags, 0o600)
        self.faults = f"{name}.fault"

    def write(self, event: Event) -> None:
        """Remember an event."""
        os.write(self.hits, _RECORD.pack(*event))

    def fault(self, text: str) -> None:
        """Remember what must not happen."""
        with open(self.faults, "a", encoding="utf-8") as file:
            file.write(text + "\n")


def events(directory: Path) -> Iterator[Event]:
    """Read all files; a record cut short by a kill is none."""
    for path in directory.glob("*.hits"):
        data = path.read_bytes()
        yield from (Event(*row) for row in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]))


def violations(all_events: list[Event]) -> list[str]:
    """Say where more than the limit was admitted, in any window and whatever order the doubtful ones had."""
    keys: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in all_events:
        keys[event[:2]].append(event)
    return [fault for key, found in keys.items() for fault in _over(key, found)]


def _over(key: tuple[int, int], found: list[Event]) -> Iterator[str]:
    hits = sorted((event for event in found if event.cost > 0), key=lambda event: event.before)
    drops = _drops(found)
    starts = [event.before for event in hits]
    by_end = sorted(hits, key=lambda event: event.after)
    ends = [event.after for event in by_end]
    started, finished = _sums(hits), _sums(by_end)
    slow = [event for event in hits if event.after - event.before >= WINDOW]
    highest = max((event.limit for event in hits), default=0)
    for hit in hits:
        end = hit.before + WINDOW
        # those that began in the window and ended in it: their instant is in it for certain
        sure = finished[bisect_left(ends, end)] - started[bisect_left(starts, hit.before)]
        sure += sum(event.cost for event in slow if event.before < hit.before and event.after >= end)
        fresh = 1 + sum(1 for drop in drops if drop.after >= hit.before and drop.before < end)
        if sure > highest * fresh:
            yield f"key {key}: {sure} hits in the window from {hit.before}, limit {highest}, drops {fresh - 1}"
    if not drops:
        yield from _over_own_limit(key, hits, by_end)


def _drops(found: list[Event]) -> list[Event]:
    """Return what may have been dropped, each with the earliest end that is known."""
    earliest: dict[int, Event] = {}
    for event in sorted((event for event in found if event.cost <= 0), key=lambda event: -event.after):
        earliest[event.before] = event
    return list(earliest.values())


def _over_own_limit(key: tuple[int, int], hits: list[Event], by_end: list[Event]) -> Iterator[str]:
    """Hold each hit to the limit it was asked with: those certainly before it, in the window that ends with it."""
    ends, finished = [event.after for event in by_end], _sums(by_end)
    starts, started = [event.before for event in hits], _sums(hits)
    for hit in hits:
        begin = hit.after - WINDOW
        # all that ended before it began, less those that began before the window: at least that many are inside
        sure = finished[bisect_right(ends, hit.before)] - started[bisect_right(starts, begin)] + hit.cost
        if sure > hit.limit:
            yield f"key {key}: {sure} hits in the window up to {hit.after}, asked with limit {hit.limit}"


def _sums(hits: list[Event]) -> list[int]:
    return [0, *accumulate(event.cost for event in hits)]


def faults(directory: Path) -> list[str]:
    """Read what processes noted that must not happen."""
    return [line for path in directory.glob("*.fault") for line in path.read_text(encoding="utf-8").splitlines()]
