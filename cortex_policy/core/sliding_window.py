"""The sliding window in its simplest form; tests compare the ledger's ring with it."""

from cortex_policy.core.model import Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW_SECONDS = 60.0


def make_budget_from_times(hits: "Iterable[float]", now: float, limit: int, cost: int = 1) -> Budget:
    """Return the budget that `limit` leaves at `now` after hits at these times (seconds), and whether `cost` more fit.

    A hit leaves the window exactly 60 s after it was taken. `retry_after_seconds` is 0 if the cost fits,
    None if it never can.
    """
    return make_budget_from_hit_counts(((hit_at, 1) for hit_at in hits), now, limit, cost)


def make_budget_from_hit_counts(hits: "Iterable[tuple[float, int]]", now: float, limit: int, cost: int = 1) -> Budget:
    """Return the same for pairs of a time and a number of hits."""
    inside = sorted((hit_at, number) for hit_at, number in hits if now - hit_at < WINDOW_SECONDS)
    used = sum(number for _, number in inside)
    remaining = max(0, limit - used)
    if cost > limit:
        return Budget(limit, used, remaining, None, 0)
    excess = used + cost - limit
    if excess <= 0:
        return Budget(limit, used, remaining, 0.0, 0)
    last = 0
    while excess > inside[last][1]:
        excess -= inside[last][1]
        last += 1
    return Budget(limit, used, remaining, inside[last][0] + WINDOW_SECONDS - now, 0)
