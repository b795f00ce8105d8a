"""What issue 3 says must be seen, each judged by what was measured."""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from budget_competitors import FILE, FLOOR, LIMITS, MEMORY, OURS, PEERS, PYRATE, THROTTLED
from budget_costs import LARGEST
from budget_measurement import Cell, Group

Cells = dict[Group, dict[str, Cell]]
FLOOR_SHARE, TIMES_PYRATE, TIMES_LIMITS, TIMES_THROTTLED, TIMES_COST = 0.5, 30, 3, 2, 1.5


class Claim(NamedTuple):
    """A sentence, what was measured, and whether it holds."""

    sentence: str
    measured: str
    holds: bool

    def __str__(self) -> str:
        return f"{self.sentence}: {self.measured}, {'holds' if self.holds else '**does not hold**'}"


def ratio(one: Cell, other: Cell) -> float:
    """Return how many times faster one is than another, as the median of the rounds they ran side by side."""
    return statistics.median(mine / theirs for mine, theirs in zip(one.rates, other.rates, strict=True))


def judge_claims(
    cells: Cells, close: dict[str, Cell], direct: tuple[float, float], cost: list[float]
) -> Iterator[Claim]:
    """Judge every claim."""
    yield _floor(close, direct)
    for processes in sorted({1, max(group.processes for group in cells)}):
        yield from _faster(cells, processes, (FILE, PYRATE), TIMES_PYRATE)
    yield from _tails(cells)
    yield from _faster(cells, 1, (MEMORY, LIMITS), TIMES_LIMITS)
    yield from _faster(cells, 1, (MEMORY, THROTTLED), TIMES_THROTTLED)
    small, large = cost
    measured = f"{large:.0f} ns to {small:.0f} ns, {large / small:.2f} times"
    sentence = f"an admitted hit at {LARGEST:,} a minute costs at most {TIMES_COST} times one at 60"
    yield Claim(sentence, measured, large <= TIMES_COST * small)
    yield _exact(cells)


def _floor(cells: dict[str, Cell], direct: tuple[float, float]) -> Claim:
    """Compare the best of many short rounds: what else runs on the machine only ever takes away."""
    floor, ours = (1e9 / max(cells[name].rates) for name in (FLOOR, FILE))
    share, (hit, flocks) = floor / ours, direct
    middle = ratio(cells[FILE], cells[FLOOR])
    measured = (
        f"{share:.2f}, {ours:.0f} ns to {floor:.0f} ns a call, all admitted "
        f"({middle:.2f} in the median round; in a bare loop {flocks / hit:.2f}, {hit:.0f} ns to {flocks:.0f} ns)"
    )
    return Claim(f"the file ledger reaches {FLOOR_SHARE} of the floor", measured, share >= FLOOR_SHARE)


def _faster(cells: Cells, processes: int, names: tuple[str, str], times: float) -> Iterator[Claim]:
    ours, peer = names
    found = {group: ratio(cell[ours], cell[peer]) for group, cell in cells.items() if group.processes == processes}
    shown = "; ".join(f"{_short(group)} {times:.1f}" for group, times in found.items())
    plain, count_with_noun = ours.strip("*"), "es" if processes > 1 else ""
    sentence = f"{plain}, is at least {times} times {peer}, {processes} process{count_with_noun}"
    yield Claim(sentence, shown, min(found.values()) >= times)


def _tails(cells: Cells) -> Iterator[Claim]:
    most = max(group.processes for group in cells)
    pairs = {
        _short(group): (cell[FILE].microseconds(0.999), cell[PYRATE].microseconds(0.99))
        for group, cell in cells.items()
        if group.processes == most
    }
    shown = "; ".join(f"{name} {ours:,.0f} to {theirs:,.0f} us" for name, (ours, theirs) in pairs.items())
    sentence = f"our p99.9 is below {PYRATE}'s p99, {most} processes"
    yield Claim(sentence, shown, all(ours < theirs for ours, theirs in pairs.values()))


def _short(group: Group) -> str:
    keys = "" if group.processes == 1 else " same key" if group.is_same_key else " own keys"
    return f"{group.limit:,}{keys}"


def _exact(cells: Cells) -> Claim:
    """Compare round by round; a round is over before any hit leaves the window."""
    off: dict[str, int] = {}
    rounds = 0
    for group in cells.values():
        for name, cell in group.items():
            if PEERS[name].is_limiter:
                wrong = sum(got != may for got, may in zip(cell.admitted, cell.may, strict=True))
                off[name] = off.get(name, 0) + wrong
                rounds += len(cell.rounds) if name in OURS else 0
    peers = ", ".join(f"{name} off in {count}" for name, count in off.items() if name not in OURS and count)
    mine = sum(off[name] for name in OURS)
    return Claim(
        "ours admits exactly the limit", f"{rounds - mine} of {rounds} rounds; peers: {peers or 'all'}", not mine
    )
