"""Calls on a clock that is given: bursts, the edges of the window, costs, limits that change, a clock that goes back."""

from typing import Any

from scripts.vectors.chance import Chance
from scripts.vectors.rate_answers import AmbiguousRateError, answer_rate
from scripts.vectors.texts import Vector

_MS = 1_000_000
_WINDOW = 60_000 * _MS
_BEFORE, _AFTER = 1_000, 9_000  # nanoseconds beside the edge of the window, where every engine knows the answer


def rate_vector(chance: Chance) -> Vector | None:
    """Make a vector of the kind `rate`; None if several answers are right."""
    vector = {"kind": "rate", "events": _events(chance)}
    try:
        answer_rate(vector)
    except AmbiguousRateError:
        return None
    return vector


def _events(chance: Chance) -> list[dict[str, Any]]:
    at, limit = chance.number(61_000, 900_000_000) * _MS, chance.pick((1, 1, 2, 3, 5, 10))
    events: list[dict[str, Any]] = []
    for _ in range(chance.number(3, 14)):
        earlier = chance.pick(events)["at"] if events else at
        at += chance.made((_burst, _burst, _burst, _pause, _pause, _long))
        if chance.is_true(0.2):
            at = max(at, earlier + _WINDOW + chance.pick((-_BEFORE, _AFTER)))
        if chance.is_true(0.04):
            at -= chance.number(1, 90_000) * _MS
        if chance.is_true(0.08):
            limit = max(1, limit + chance.pick((-3, -1, 1, 4)))
        cost = chance.pick((1, 1, 1, 1, 2, 3, limit, limit + 1))
        events.append(
            {"at": max(at, 0), "op": "peek" if chance.is_true(0.25) else "take", "limit": limit, "cost": cost}
        )
    return events


def _burst(chance: Chance) -> int:
    return chance.pick((0, 0, 1, 1_000, _MS, chance.number(1, 900) * _MS))


def _pause(chance: Chance) -> int:
    return chance.number(1, 40) * 1_000 * _MS


def _long(chance: Chance) -> int:
    return chance.number(59, 130) * 1_000 * _MS
