"""What budgets answer to a sequence of calls, by the window as the rule says it and by the ring that enforces it."""

from typing import Any
from unittest.mock import patch

from cortex_policy.core.model import Budget
from cortex_policy.core.sliding_window import make_budget_from_hit_counts
from cortex_policy.state import memory_budgets
from cortex_policy.state.ledger_ring import TICK_BITS
from scripts.vectors.texts import Vector

_MAX_DIFFERENCE = 2e-5  # seconds: a tick of the ring is 4.1 microseconds, and a window has up to two more


class AmbiguousRateError(ValueError):
    """The rule and the ring answer differently: an event lies in the few microseconds in which either is right."""


def answer_rate(vector: Vector) -> Vector:
    """Return the answer to each event; raise AmbiguousRateError if the window and the ring disagree."""
    by_rule, by_ring = answers_by_rule(vector["events"]), answers_by_ring(vector["events"])
    for one, other in zip(by_rule, by_ring, strict=True):
        if not is_same_answer(one, other):
            message = f"{one} by the rule, {other} by the ring"
            raise AmbiguousRateError(message)
    return {"answers": by_rule}


def is_same_answer(one: Vector, other: Vector) -> bool:
    """Whether two answers are equal, up to the microseconds by which an engine may count time more coarsely."""
    seconds, others = one["retry_after_seconds"], other["retry_after_seconds"]
    if seconds is None or others is None:
        return one == other
    is_near = abs(seconds - others) <= _MAX_DIFFERENCE and (seconds == 0) == (others == 0)
    return is_near and {**one, "retry_after_seconds": 0} == {**other, "retry_after_seconds": 0}


def answers_by_rule(events: list[dict[str, Any]]) -> list[Vector]:
    """Answer by the definition: a hit counts until 60 s after it was taken."""
    hits: list[tuple[int, int]] = []
    answers = []
    for event in events:
        at, limit, cost = event["at"], event["limit"], event["cost"]
        # INVARIANT: in whole nanoseconds from `at` on, so that no double is rounded
        budget = make_budget_from_hit_counts([((hit - at) / 1e9, number) for hit, number in hits], 0.0, limit, cost)
        is_taken = event["op"] == "take" and budget.retry_after_seconds == 0
        if is_taken:
            hits.append((at, cost))
            after = make_budget_from_hit_counts([((hit - at) / 1e9, number) for hit, number in hits], 0.0, limit)
            budget = Budget(limit, after.used, after.remaining, after.retry_after_seconds, cost)
        answers.append(_to_answer(budget, cost))
    return answers


def answers_by_ring(events: list[dict[str, Any]]) -> list[Vector]:
    """Answer by the budgets in memory, whose ring is that of the ledger, on the clock of the events."""
    budgets, answers = memory_budgets.MemoryBudgets(), []
    for event in events:
        with patch.object(memory_budgets, "_now_ticks", lambda at=event["at"]: at >> TICK_BITS):
            ask = budgets.take if event["op"] == "take" else budgets.peek
            answers.append(_to_answer(ask("tool", "action", event["limit"], event["cost"]), event["cost"]))
    return answers


def _to_answer(budget: Budget, cost: int) -> Vector:
    is_allowed = budget.consumed == cost or budget.retry_after_seconds == 0
    if budget.retry_after_seconds is None:
        return {"allowed": False, "retry_after_seconds": None}
    seconds = round(budget.retry_after_seconds, 6)
    return {
        "allowed": is_allowed,
        "used": budget.used,
        "remaining": budget.remaining,
        "consumed": budget.consumed,
        "retry_after_seconds": seconds,
    }
