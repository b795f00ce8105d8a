"""The sliding window as the contract says it; the ledger's ring is held to it by tests."""

from cortex_policy.core.model import Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW_SECONDS = 60.0


def budget(hits: "Iterable[float]", now: float, limit: int, cost: int = 1) -> Budget:
    """Say what `limit` leaves at `now` after hits at the given times (seconds), and whether `cost` more fit.

    A hit leaves the window exactly 60 s after it was taken. `retry_after_seconds` is 0 where the cost fits,
    None where it never can.
    """
    inside = sorted(at for at in hits if now - at < WINDOW_SECONDS)
    used = len(inside)
    remaining = max(0, limit - used)
    if cost > limit:
        return Budget(limit, used, remaining, None, 0)
    if cost <= remaining:
        return Budget(limit, used, remaining, 0.0, 0)
    last_in_the_way = inside[used + cost - limit - 1]
    return Budget(limit, used, remaining, last_in_the_way + WINDOW_SECONDS - now, 0)
