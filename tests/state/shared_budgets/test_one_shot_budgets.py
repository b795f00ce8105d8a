"""A process that asks once counts with all others on the server."""

import time
from pathlib import Path

import pytest

from cortex_policy.core.model import BudgetServerError, StateError, UsageError
from cortex_policy.state.shared_budgets.keys import BudgetKeys
from cortex_policy.state.shared_budgets.plausible_server_time import PAUSE_NS, ServerClock
from cortex_policy.state.shared_budgets.protocol import PEEK, TAKE, Call, run_conversation
from tests.support.redis_servers import SECRET, RedisServer, fresh_name, redis_budgets, running_server, shared_budgets


def test_hosts_with_one_name_and_key_share_a_budget(server: RedisServer, tmp_path: Path) -> None:
    """Each with a state directory of its own; the third call of two is denied."""
    name = fresh_name()
    one, two = (shared_budgets(server.url, tmp_path / host, name) for host in ("one", "two"))
    one.reset_all()
    assert [host.take("git", "push", 2).consumed for host in (one, two, one, two)] == [1, 1, 0, 0]
    budget = two.peek("git", "push", 2)
    assert (budget.limit, budget.used, budget.remaining, budget.consumed, budget.closed) == (2, 2, 0, 0, False)
    assert budget.retry_after_seconds is not None
    assert 50 < budget.retry_after_seconds <= 60


def test_other_names_have_budgets_of_their_own(server: RedisServer, tmp_path: Path) -> None:
    """And so do other actions."""
    one, two = (shared_budgets(server.url, tmp_path) for _ in range(2))
    one.reset_all()
    two.reset_all()
    assert one.take("git", "push", 1).consumed == 1
    assert two.take("git", "push", 1).consumed == 1
    assert one.take("git", "pull", 1).consumed == 1
    assert one.take("git", "push", 1).consumed == 0


def test_a_limit_edited_up_and_down_counts_at_once(server: RedisServer, tmp_path: Path) -> None:
    """The limit belongs to the call."""
    budgets = shared_budgets(server.url, tmp_path)
    budgets.reset_all()
    assert sum(budgets.take("git", "push", 30).consumed for _ in range(40)) == 30
    assert sum(budgets.take("git", "push", 50).consumed for _ in range(40)) == 20
    assert budgets.take("git", "push", 10).remaining == 0
    assert budgets.usage("git", "push") == 50


def test_a_call_takes_all_its_hits_or_none(server: RedisServer, tmp_path: Path) -> None:
    """A cost over the limit never fits, and a cost that is not positive is an error."""
    budgets = shared_budgets(server.url, tmp_path)
    budgets.reset_all()
    assert budgets.take("git", "push", 10, cost=7).consumed == 7
    assert budgets.take("git", "push", 10, cost=4).consumed == 0
    assert budgets.take("git", "push", 10, cost=3).consumed == 3
    assert budgets.take("git", "push", 10, cost=11).retry_after_seconds is None
    with pytest.raises(UsageError):
        budgets.take("git", "push", 10, cost=0)
    with pytest.raises(StateError, match="at most 65,536 hits"):
        budgets.take("git", "push", 1 << 20, cost=(1 << 16) + 1)


def test_a_reset_forgets_the_hits_of_one_budget(server: RedisServer, tmp_path: Path) -> None:
    """And says whether there was one."""
    budgets = shared_budgets(server.url, tmp_path)
    budgets.reset_all()
    budgets.take("git", "push", 1)
    budgets.take("git", "pull", 1)
    assert budgets.reset("git", "push")
    assert not budgets.reset("git", "never")
    assert budgets.take("git", "push", 1).consumed == 1
    assert budgets.take("git", "pull", 1).consumed == 0


def test_a_dead_server_costs_a_host_one_timeout(own_server: RedisServer, tmp_path: Path) -> None:
    """All other processes are denied at once; after a pause one looks whether it is back, and an operator at any time."""
    budgets = shared_budgets(own_server.url, tmp_path, timeout_ms=200)
    budgets.reset_all()
    with own_server.paused():
        with pytest.raises(BudgetServerError, match="no answer in 200 ms"):
            budgets.take("git", "push", 10)
        for what in (budgets.take, budgets.peek):
            with pytest.raises(BudgetServerError, match="did not answer a moment ago"):
                what("git", "push", 10)
    assert not budgets.reset("git", "never")
    assert budgets.take("git", "push", 10).consumed == 1


def test_one_process_looks_whether_a_server_is_back(own_server: RedisServer, tmp_path: Path) -> None:
    """The others do not wait with it."""
    budgets = shared_budgets(own_server.url, tmp_path, timeout_ms=200)
    budgets.reset_all()
    with own_server.paused():
        for _ in range(2):
            with pytest.raises(BudgetServerError, match="no answer in 200 ms"):
                budgets.take("git", "push", 10)
            with pytest.raises(BudgetServerError, match="did not answer a moment ago"):
                budgets.take("git", "push", 10)
            time.sleep(PAUSE_NS / 1e9)
    assert budgets.take("git", "push", 10).consumed == 1
    assert budgets.take("git", "push", 10).consumed == 1


def test_a_service_and_a_process_share_a_budget(server: RedisServer, tmp_path: Path) -> None:
    """Over the socket and over loopback."""
    name = fresh_name()
    once, service = shared_budgets(server.tcp_url, tmp_path, name), redis_budgets(server.url, tmp_path, name)
    once.reset_all()
    assert [once.take("git", "push", 3).consumed, service.hit("git", "push", 3), service.hit("git", "push", 3)] == [
        1,
        1,
        1,
    ]
    assert not service.hit("git", "push", 3)
    assert service.denial("git", "push", 3) is not None
    assert once.take("git", "push", 3).consumed == 0


def test_a_denial_writes_nothing(server: RedisServer, tmp_path: Path) -> None:
    """So that a flood costs no replica and no log anything."""
    budgets = shared_budgets(server.url, tmp_path)
    budgets.reset_all()
    budgets.take("git", "push", 1)
    before = server.client.info("commandstats")
    assert budgets.take("git", "push", 1).consumed == 0
    assert budgets.peek("git", "push", 1).remaining == 0
    after = server.client.info("commandstats")
    for command in ("cmdstat_set", "cmdstat_setrange", "cmdstat_pexpire"):
        assert after.get(command, {}).get("calls") == before.get(command, {}).get("calls")


@pytest.mark.parametrize(("what", "knows"), [(PEEK, False), (TAKE, True)])
def test_a_look_at_a_name_that_is_new_to_the_server_does_not_close_it(what: bytes, *, knows: bool) -> None:
    """To a host that knows the server's time, a name without an epoch is one that the server has lost."""
    clock, call = ServerClock(), Call(BudgetKeys("new", SECRET), what, ("t", "a"), 3)
    answer = b"+%d 1 0 1700000000000005 7 -" % knows
    assert run_conversation(call.conversation(clock, 0), lambda _: answer).consumed == knows
    assert (clock.known[0] > 0) is knows


def test_a_replica_that_takes_writes_counts_nothing(server: RedisServer, tmp_path: Path) -> None:
    """It would count apart from its primary."""
    with running_server("--replicaof", "127.0.0.1", str(server.port), "--replica-read-only", "no") as replica:
        budgets = shared_budgets(replica.url, tmp_path)
        deadline = time.monotonic() + 20
        while replica.client.info("replication")["master_link_status"] != "up" and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(BudgetServerError, match="is a replica"):
            budgets.reset("git", "push")
