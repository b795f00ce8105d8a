"""The script on the server and the ledger in files answer the same."""

from hashlib import sha1
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cortex_policy.core.model import Budget
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.shared_budgets import lua_scripts, protocol
from tests.support.chance import chance
from tests.support.redis_servers import RedisServer, fresh_name, redis_budgets, shared_budgets
from tests.support.stopped_time import WINDOW_US, stopped_time

CALLS = st.tuples(
    st.sampled_from(["take", "peek", "hit", "hit", "hit"]),
    st.sampled_from([1, 2, 3, 16, 17, 30, 31, 64, 500]),
    st.sampled_from([1, 1, 1, 2, 3, 15, 33]),
)
PAUSES = st.one_of(
    st.integers(0, 50),
    st.integers(0, WINDOW_US),
    st.integers(WINDOW_US - 50, WINDOW_US + 1),
    st.sampled_from([31_000_000, 2 * WINDOW_US]),
)


def test_the_digests_are_those_of_the_scripts() -> None:
    """Redis names a script by them."""
    assert sha1(lua_scripts.SCRIPT, usedforsecurity=False).hexdigest().encode() == protocol.SCRIPT_SHA1
    assert sha1(lua_scripts.AGAIN_SCRIPT, usedforsecurity=False).hexdigest().encode() == protocol.AGAIN_SHA1


@chance(200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(PAUSES, CALLS, st.integers(1, 20)), max_size=25))
def test_script_and_ledger_answer_the_same(
    server: RedisServer, steps: list[tuple[int, tuple[str, int, int], int]]
) -> None:
    """Whatever limits, costs and pauses, to the microsecond; a service's short script counts as the long one."""
    with TemporaryDirectory(dir="/dev/shm") as state, stopped_time(server) as time:
        name = fresh_name()
        ledger = Ledger((1, 2), state)
        shared, service = shared_budgets(server.url, Path(state), name), redis_budgets(server.url, Path(state), name)
        shared.reset_all()
        for pause, (what, limit, cost), times in steps:
            time.pass_time(pause)
            for _ in range(times):
                time.pass_time(1)
                if what == "hit":
                    assert service.hit("t", "a", limit) == (ledger.take("t", "a", limit).consumed == 1)
                else:
                    found, expected = (getattr(one, what)("t", "a", limit, cost) for one in (shared, ledger))
                    # a ledger whose file is too short for the limit of a peek names the longest wait
                    is_rough = what == "peek" and expected.retry_after_seconds == WINDOW_US / 1e6
                    wait = expected.retry_after_seconds if not is_rough else found.retry_after_seconds
                    assert found == Budget(**{**vars(expected), "retry_after_seconds": wait})


@pytest.mark.parametrize("seed", range(3))
def test_a_long_walk_is_counted_as_in_a_list(server: RedisServer, tmp_path: Path, seed: int) -> None:
    """A ring grows, wraps and expires in part, at instants that are a window apart to the microsecond."""
    random, hits = Random(seed), list[int]()  # noqa: S311 - chance that a seed repeats
    with stopped_time(server) as time:
        name = fresh_name()
        shared, service = shared_budgets(server.url, tmp_path, name), redis_budgets(server.url, tmp_path, name)
        shared.reset_all()
        for _ in range(1500):
            expiry = random.choice(hits) + WINDOW_US - time.boot_us if hits and random.random() < 0.3 else 0
            time.pass_time(random.choice([0, 1, random.randrange(3_000_000), max(0, expiry), max(0, expiry - 1)]))
            hits = [hit for hit in hits if time.boot_us - hit < WINDOW_US]
            limit, cost = random.choice([17, 30, 31, 100, 500]), random.choice([1, 1, 2, 15])
            fits = len(hits) + cost <= limit
            if random.random() < 0.3:
                cost, fits = 1, len(hits) < limit
                assert service.hit("t", "a", limit) == fits
            else:
                budget = shared.take("t", "a", limit, cost)
                wait = hits[len(hits) + cost - limit - 1] + WINDOW_US - time.boot_us if not fits else 0
                assert (budget.consumed, budget.used) == ((cost, len(hits) + cost) if fits else (0, len(hits)))
                assert fits or budget.retry_after_seconds == wait / 1e6
            hits += [time.boot_us] * (cost * fits)


@pytest.mark.parametrize("limit", [30, 1000])
def test_no_minute_holds_more_than_the_limit(server: RedisServer, tmp_path: Path, limit: int) -> None:
    """A greedy caller, one hit each of many instants, over ten windows."""
    with stopped_time(server) as time:
        service, taken = redis_budgets(server.url, tmp_path), []
        service.reset_all()
        for _ in range(3000):
            time.pass_time(200_000 - 7)
            if service.hit("t", "a", limit):
                taken.append(time.boot_us)
        assert all(later - earlier >= WINDOW_US for earlier, later in zip(taken, taken[limit:], strict=False))
        assert len(taken) >= min(3000, 10 * limit)
