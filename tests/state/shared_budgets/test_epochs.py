"""Nothing that a server loses, and no clock that somebody sets, reopens a budget."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cortex_policy.core.model import StateError
from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets
from tests.support.chance import chance
from tests.support.redis_servers import RedisServer, fresh_name, redis_budgets, shared_budgets
from tests.support.stopped_time import WINDOW_US, StoppedTime, stopped_time

SECOND, HOUR = 1_000_000, 3_600_000_000
CLOSED_US = WINDOW_US + 500_000
LIMIT = 30
STEPS = (500_000, SECOND, 59 * SECOND, 61 * SECOND, HOUR)


def full_budget(server: RedisServer, state: Path) -> RedisBudgets:
    """Return budgets one of which is full."""
    budgets = redis_budgets(server.url, state)
    budgets.reset_all()
    assert sum(budgets.hit("t", "a", LIMIT) for _ in range(LIMIT + 5)) == LIMIT
    return budgets


def assert_closed_for_a_minute(budgets: RedisBudgets, time: StoppedTime, reason: str) -> None:
    """Every budget of the name is closed, for the reason given, and open after a window."""
    for action in ("a", "never used"):
        budget = budgets.peek("t", action, LIMIT)
        assert budget.closed
        assert reason in budget.closed_because
        assert (budget.used, budget.remaining) == (LIMIT, 0)
        assert not budgets.hit("t", action, LIMIT)
    time.pass_time(CLOSED_US)
    assert budgets.hit("t", "a", LIMIT)
    assert budgets.hit("t", "never used", LIMIT)


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_is_set_forward_closes_all_budgets(server: RedisServer, tmp_path: Path, step: int) -> None:
    """The host that asks next sees it, whichever budget it asks for."""
    with stopped_time(server) as time:
        budgets = full_budget(server, tmp_path)
        time.set_clock(step)
        assert not budgets.hit("t", "other", LIMIT)
        assert_closed_for_a_minute(budgets, time, "the clock of the server was set forward")


@pytest.mark.parametrize("step", [500_000, 30 * SECOND])
def test_a_clock_that_is_set_between_two_hits_is_seen_by_the_second(
    server: RedisServer, tmp_path: Path, step: int
) -> None:
    """Over a connection that has just been used, where the hit has a script of its own."""
    with stopped_time(server) as time:
        budgets = redis_budgets(server.url, tmp_path)
        budgets.reset_all()
        assert all(budgets.hit("t", "a", LIMIT) for _ in range(3))
        time.set_clock(step)
        assert not budgets.hit("t", "a", LIMIT)
        assert_closed_for_a_minute(budgets, time, "the clock of the server was set forward")


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_clock_that_is_set_back_closes_all_budgets(server: RedisServer, tmp_path: Path, step: int) -> None:
    """The next call of a budget that was used sees it."""
    with stopped_time(server) as time:
        budgets = full_budget(server, tmp_path)
        budgets.forget()
        time.set_clock(-step - 1)
        time.pass_time(SECOND // 2)
        budgets = redis_budgets(server.url, tmp_path / "other", budgets.name)
        if step == SECOND:  # not a second behind any more: the window only lasts longer
            assert not budgets.hit("t", "a", LIMIT)
            return
        assert not budgets.hit("t", "a", LIMIT)
        assert_closed_for_a_minute(budgets, time, "the clock of the server was set back")


def test_a_process_remembers_the_clock_for_the_next_one(server: RedisServer, tmp_path: Path) -> None:
    """In the state directory of its host; a host that never asked cannot know."""
    with stopped_time(server) as time:
        name = fresh_name()
        shared_budgets(server.url, tmp_path / "host", name).reset_all()
        shared_budgets(server.url, tmp_path / "host", name).take("t", "a", 1)
        time.set_clock(61 * SECOND)
        assert shared_budgets(server.url, tmp_path / "new", name).peek("t", "a", 1).remaining == 1
        budget = shared_budgets(server.url, tmp_path / "host", name).take("t", "a", 1)
        assert budget.closed
        assert shared_budgets(server.url, tmp_path / "new", name).peek("t", "a", 1).closed


def test_hosts_that_see_one_step_close_the_budgets_once(server: RedisServer, tmp_path: Path) -> None:
    """The second host, a while later, finds that the first one did."""
    with stopped_time(server) as time:
        one = full_budget(server, tmp_path / "one")
        two = redis_budgets(server.url, tmp_path / "two", one.name)
        assert not two.hit("t", "a", LIMIT)
        time.set_clock(HOUR)
        assert not one.hit("t", "b", LIMIT)
        time.pass_time(40 * SECOND)
        assert two.peek("t", "a", LIMIT).closed
        time.pass_time(CLOSED_US - 40 * SECOND)
        assert two.hit("t", "a", LIMIT)


def test_a_clock_that_drifts_closes_nothing(server: RedisServer, tmp_path: Path) -> None:
    """Half a thousandth, as a kernel may adjust it, either way for an hour."""
    with stopped_time(server) as time:
        budgets = redis_budgets(server.url, tmp_path)
        budgets.reset_all()
        for drift in (500, -500):
            for _ in range(60):
                time.pass_time(60 * SECOND)
                time.set_clock(60 * drift)
                assert budgets.hit("t", "a", 1000)


def test_small_steps_that_add_up_close_the_budgets(server: RedisServer, tmp_path: Path) -> None:
    """Each is within the slack, but a host keeps the answer that bounds the clock best."""
    with stopped_time(server) as time:
        budgets = full_budget(server, tmp_path)
        for _ in range(10):
            time.set_clock(15_000)
            budgets.peek("t", "b", LIMIT)
        assert budgets.peek("t", "a", LIMIT).closed


def test_a_new_identity_closes_all_budgets(own_server: RedisServer, tmp_path: Path) -> None:
    """As after a restart, or when a replica takes over; a connection that stays open sees it within a tenth of a second."""
    with stopped_time(own_server) as time:
        budgets = full_budget(own_server, tmp_path)
        assert budgets.hit("t", "b", LIMIT)
        own_server.client.execute_command("DEBUG", "CHANGE-REPL-ID")
        time.pass_time(100_001)
        assert not budgets.hit("t", "b", LIMIT)
        assert_closed_for_a_minute(budgets, time, "the server was restarted, or took over from another one")


def test_hits_right_before_a_new_identity_is_seen_still_count(own_server: RedisServer, tmp_path: Path) -> None:
    """The budget stays closed until they have left the window."""
    with stopped_time(own_server) as time:
        budgets = redis_budgets(own_server.url, tmp_path)
        budgets.reset_all()
        assert budgets.hit("t", "a", 2)
        own_server.client.execute_command("DEBUG", "CHANGE-REPL-ID")
        time.pass_time(99_999)
        assert budgets.hit("t", "a", 2)
        last = time.boot_us
        other = redis_budgets(own_server.url, tmp_path, budgets.name)
        assert not other.hit("t", "a", 3)
        time.pass_time(CLOSED_US)
        assert other.hit("t", "a", 1)
        assert time.boot_us - last >= WINDOW_US


def test_lost_data_closes_all_budgets(own_server: RedisServer, tmp_path: Path) -> None:
    """A host that has asked before knows that there were some."""
    with stopped_time(own_server) as time:
        budgets = full_budget(own_server, tmp_path)
        own_server.client.flushall()
        time.set_clock(0)
        assert_closed_for_a_minute(budgets, time, "the server has lost its data")


def test_the_first_use_of_a_new_server_waits(own_server: RedisServer, tmp_path: Path) -> None:
    """Nobody knows what it knew before; an operator who does opens a budget with a reset."""
    own_server.client.flushall()
    with stopped_time(own_server):
        budgets = shared_budgets(own_server.url, tmp_path)
        budget = budgets.take("t", "a", 1)
        assert "has started less than a minute ago" in budget.closed_because
        assert 0 < (budget.retry_after_seconds or 0) <= 62
        with pytest.raises(StateError, match="closed"):
            budgets.usage("t", "a")
        assert not budgets.reset("t", "a")
        assert budgets.take("t", "a", 1).consumed == 1
        assert budgets.take("t", "b", 1).closed


def test_a_peek_at_what_must_be_closed_writes_nothing(own_server: RedisServer, tmp_path: Path) -> None:
    """It says what a take would say."""
    with stopped_time(own_server):
        budgets = full_budget(own_server, tmp_path)
        own_server.client.execute_command("DEBUG", "CHANGE-REPL-ID")
        before = {key: own_server.client.get(key) for key in own_server.client.scan_iter()}
        assert budgets.peek("t", "b", LIMIT).closed
        assert {key: own_server.client.get(key) for key in own_server.client.scan_iter()} == before


@chance(100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20 * SECOND), st.sampled_from([0, 0, 0, *STEPS, *(-step for step in STEPS)])),
        max_size=40,
    )
)
def test_no_true_minute_holds_more_than_the_limit(
    server: RedisServer, tmp_path: Path, rounds: list[tuple[int, int]]
) -> None:
    """Four greedy hosts, while somebody sets the server's clock."""
    with stopped_time(server) as time:
        name, taken = fresh_name(), []
        hosts = [redis_budgets(server.url, tmp_path / str(host), name) for host in range(4)]
        hosts[0].reset_all()
        for host in hosts:
            host.hit("t", "another", 100)
        for pause, step in rounds:
            time.pass_time(pause)
            time.set_clock(step)
            for _ in range(6):
                for host in hosts:
                    time.pass_time(1)
                    if host.hit("t", "a", LIMIT):
                        taken.append(time.boot_us)
        assert all(later - earlier >= WINDOW_US for earlier, later in zip(taken, taken[LIMIT:], strict=False))
