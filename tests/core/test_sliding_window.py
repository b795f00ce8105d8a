"""The sliding window as the contract says it."""

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.sliding_window import make_budget_from_hit_counts, make_budget_from_times


def test_a_hit_leaves_the_window_after_60_seconds() -> None:
    """Not a moment earlier."""
    assert make_budget_from_times([0.0], 59.999, 1).retry_after_seconds == 60.0 - 59.999
    assert make_budget_from_times([0.0], 60.0, 1).remaining == 1


def test_a_cost_waits_for_the_last_hit_in_its_way() -> None:
    """With 1 of 3 left, a cost of 2 waits for the older of two."""
    left = make_budget_from_times([10.0, 20.0], 30.0, 3, cost=2)
    assert (left.used, left.remaining, left.retry_after_seconds) == (2, 1, 40.0)
    assert make_budget_from_times([10.0, 20.0], 30.0, 3, cost=4).retry_after_seconds is None


def test_a_lowered_limit_waits_until_enough_have_left() -> None:
    """Five hits under a limit of two: the fourth oldest must leave."""
    assert make_budget_from_times([1.0, 2.0, 3.0, 4.0, 5.0], 10.0, 2).retry_after_seconds == 54.0


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 9)), max_size=9), st.integers(1, 40), st.integers(1, 45)
)  # fmt: skip
def test_counted_hits_are_as_many_single_ones(hits: list[tuple[int, int]], limit: int, cost: int) -> None:
    """However many there are at one time."""
    each = [float(at) for at, number in hits for _ in range(number)]
    assert make_budget_from_hit_counts(hits, 100.0, limit, cost) == make_budget_from_times(each, 100.0, limit, cost)
