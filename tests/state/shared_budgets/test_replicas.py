"""With `wait_replicas` a hit counts as taken only where a failover would find it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.core.model import BudgetServerError
from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets
from tests.support.redis_servers import SECRET, RedisServer, fresh_name, running_server

Pair = tuple[RedisServer, RedisServer]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Run a server and its replica."""
    with (
        running_server("--repl-diskless-sync-delay", "0") as primary,
        running_server("--replicaof", "127.0.0.1", str(primary.port)) as replica,
    ):
        while replica.client.info("replication")["master_link_status"] != "up":
            time.sleep(0.02)
        yield primary, replica


def waiting_budgets(pair: Pair, state: Path, replicas: int, timeout_ms: int = 10_000) -> RedisBudgets:
    """Return budgets that are open, and wait for so many replicas."""
    budgets = RedisBudgets(
        pair[0].url, fresh_name(), SECRET, timeout_ms=timeout_ms, wait_replicas=replicas, state_dir=str(state)
    )
    budgets.reset_all()
    return budgets


def test_a_hit_that_the_replica_has_is_taken(pair: Pair, state: Path) -> None:
    """By every way to take one."""
    budgets = waiting_budgets(pair, state, 1)
    assert [budgets.hit("t", "a", 5) for _ in range(3)] == [True] * 3
    assert budgets.take("t", "a", 5).used == 4

    async def take() -> int:
        try:
            return (await budgets.take_async("t", "a", 5)).used
        finally:
            budgets.forget()
            await asyncio.sleep(0)

    assert asyncio.run(take()) == 5
    assert not budgets.hit("t", "a", 5)


def test_a_hit_that_too_few_replicas_have_is_an_error(pair: Pair, state: Path) -> None:
    """It is taken, as nobody can give it back; a peek and a denial wait for nothing."""
    budgets = waiting_budgets(pair, state, 2, timeout_ms=1000)
    with pytest.raises(BudgetServerError, match="1 of 2 replicas"):
        budgets.take("t", "a", 1)
    assert budgets.peek("t", "a", 1).used == 1
    assert budgets.take("t", "a", 1).consumed == 0
