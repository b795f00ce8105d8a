"""What an answer means, and how long to wait after it."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.library.event_delivery.outcomes import (
    FIRST_DELAY_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    Outcome,
    classify_http_status,
    compute_retry_delay,
    parse_retry_after_or_zero,
)

NOW = 1_764_500_000.0


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (Outcome.DELIVERED, (200, 201, 202, 204, 299)),
        (Outcome.REFUSED, (400, 406, 409, 413, 422, 431, 499)),
        (Outcome.WRONG_ADDRESS, (301, 302, 307, 308, 401, 403, 404, 405, 407, 410, 415)),
        (Outcome.LATER, (100, 101, 408, 425, 429, 500, 501, 502, 503, 504, 599, 600, 999)),
    ],
)
def test_a_status_says_what_becomes_of_the_event(outcome: Outcome, statuses: tuple[int, ...]) -> None:
    """Only what is the event's own fault refuses it; an address or a token can be fixed."""
    assert {classify_http_status(status) for status in statuses} == {outcome}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("999999999", MAX_RETRY_AFTER_SECONDS),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        (None, 0.0), ("", 0.0), ("-5", 0.0), ("1e9", 0.0), ("soon", 0.0), ("٣", 0.0), ("9" * 400, 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms(text: str | None, seconds: float) -> None:
    """A number of seconds, or a date; at most an hour."""
    assert parse_retry_after_or_zero(text, NOW) == seconds


@given(st.integers(1, 10_000), st.sampled_from([Outcome.LATER, Outcome.WRONG_ADDRESS]), st.text(max_size=40))
def test_a_delay_is_bounded_whatever_a_receiver_sends(failures: int, outcome: Outcome, text: str) -> None:
    """Never none, never more than an hour."""
    assert FIRST_DELAY_SECONDS / 2 <= compute_retry_delay(failures, outcome, text, NOW) <= MAX_RETRY_AFTER_SECONDS


def test_delays_grow_up_to_a_minute() -> None:
    """Each is at least half of twice the one before."""
    delays = [compute_retry_delay(number, Outcome.LATER, None, NOW) for number in range(1, 40)]
    assert all(delay <= MAX_DELAY_SECONDS for delay in delays)
    assert delays[-1] >= MAX_DELAY_SECONDS / 2
    assert compute_retry_delay(1, Outcome.LATER, "20", NOW) == 20.0
