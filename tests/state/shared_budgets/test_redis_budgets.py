"""A service keeps its connections, across threads, forks, event loops and restarts of the server."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from cortex_policy import PolicyStore, RedisBudgets
from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import BudgetServerError, StateError, UsageError
from cortex_policy.state.shared_budgets import redis_budgets as module
from cortex_policy.state.shared_budgets.plausible_server_time import read_nanoseconds_since_boot
from tests.support.redis_servers import (
    SECRET,
    RedisServer,
    free_port,
    fresh_name,
    redis_budgets,
    running_server,
    shared_budgets,
)
from tests.support.roots import GIT
from tests.support.stopped_time import StoppedTime, stopped_time


@pytest.fixture
def mortal_server() -> Iterator[RedisServer]:
    """Run a server that a test may kill."""
    with running_server() as running:
        yield running


def test_threads_share_a_budget_and_no_connection(server: RedisServer, tmp_path: Path) -> None:
    """Each call has one for itself."""
    budgets = redis_budgets(server.url, tmp_path)
    budgets.reset_all()
    with ThreadPoolExecutor(8) as pool:
        hits = list(pool.map(lambda _: budgets.hit("t", "a", 300), range(800)))
    assert sum(hits) == 300


@pytest.mark.forks
def test_a_child_has_connections_of_its_own(tmp_path: Path) -> None:
    """Two processes on one would read each other's answers."""
    with running_server() as running:
        budgets = redis_budgets(running.url, tmp_path)
        budgets.reset_all()
        budgets.hit("t", "a", 400)
        children = []
        for _ in range(4):
            child = os.fork()
            if not child:
                os._exit(sum(budgets.hit("t", "a", 400) for _ in range(99)))
            children.append(child)
        mine = sum(budgets.hit("t", "a", 400) for _ in range(99))
        theirs = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert 1 + mine + sum(theirs) == 400


def test_a_connection_that_the_server_closed_is_replaced(own_server: RedisServer, tmp_path: Path) -> None:
    """Before anything is sent over it, so that nothing is in doubt."""
    budgets = redis_budgets(own_server.url, tmp_path)
    budgets.reset_all()
    for _ in range(3):
        assert budgets.hit("t", "a", 10)
        own_server.client.client_kill_filter(_type="normal", skipme=True)
        threading.Event().wait(0.02)
    assert budgets.take("t", "a", 10).used == 4


def test_a_dead_server_is_asked_once_in_a_while(mortal_server: RedisServer, tmp_path: Path) -> None:
    """All other calls are denied at once, and one looks whether it is back."""
    budgets = redis_budgets(mortal_server.url, tmp_path, timeout_ms=200)
    budgets.reset_all()
    with mortal_server.paused():
        with pytest.raises(BudgetServerError, match="no answer in 200 ms"):
            budgets.hit("t", "a", 10)
        for _ in range(1000):
            with pytest.raises(BudgetServerError, match="did not answer a moment ago"):
                budgets.hit("t", "a", 10)
    threading.Event().wait(module.PAUSE_NS / 1e9)
    assert budgets.hit("t", "a", 10)


@pytest.mark.parametrize("options", [(), ("--appendonly", "yes", "--appendfsync", "always")], ids=["no data", "data"])
def test_a_killed_server_comes_back_with_closed_budgets(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Whether it has lost its data or not."""
    with running_server(*options) as running:
        budgets = redis_budgets(running.url, tmp_path)
        budgets.reset_all()
        assert sum(budgets.hit("t", "a", 5) for _ in range(6)) == 5
        running.kill()
        with pytest.raises(BudgetServerError):
            budgets.take("t", "b", 5)
        running.start()
        threading.Event().wait(module.PAUSE_NS / 1e9)
        budget = budgets.take("t", "b", 5)
        assert budget.closed
        assert budget.closed_because
        other = redis_budgets(running.url, tmp_path / "other", budgets.name)
        assert other.take("t", "a", 5).closed


def test_a_denial_is_remembered_for_a_second(server: RedisServer, tmp_path: Path) -> None:
    """A reset by somebody else counts after that; a higher limit at once."""
    name = fresh_name()
    budgets, operator = (redis_budgets(server.url, tmp_path / str(host), name) for host in range(2))
    operator.reset_all()
    assert budgets.hit("t", "a", 1)
    assert not budgets.hit("t", "a", 1)
    first, second = budgets.denial("t", "a", 1), budgets.take("t", "a", 1)
    assert first is not None
    assert (first.used, second.used, second.consumed) == (1, 1, 0)
    assert first.retry_after_seconds is not None
    assert second.retry_after_seconds is not None
    assert second.retry_after_seconds < first.retry_after_seconds <= 60
    operator.reset("t", "a")
    assert not budgets.hit("t", "a", 1)
    assert budgets.hit("t", "a", 2)
    threading.Event().wait(1)
    assert budgets.denial("t", "a", 1) is None


def test_many_budgets_do_not_fill_memory(server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready-made requests are dropped."""
    monkeypatch.setattr(module, "MAX_KEPT", 8)
    budgets = redis_budgets(server.url, tmp_path)
    budgets.reset_all()
    assert all(budgets.hit("t", str(action), 1) for action in range(50))
    assert not any(budgets.hit("t", str(action), 1) for action in range(50))
    assert len(budgets._calls) <= 8  # noqa: SLF001 - the dictionary is the point


def test_a_store_counts_on_the_server(server: RedisServer, tmp_path: Path, root: Path) -> None:
    """With all others that do."""
    budgets = redis_budgets(server.url, tmp_path)
    budgets.reset_all()
    store, limit = PolicyStore(root, budgets=budgets), GIT["rate"]["perMinute"]  # type: ignore[index]
    for _ in range(limit):
        store.enforce("git", "tree", {"path": "docs/x"})
    with pytest.raises(AccessDenied) as caught:
        store.enforce("git", "tree", {"path": "docs/x"})
    assert caught.value.decision.budget is not None
    assert caught.value.decision.budget.used == limit
    server.client.config_resetstat()
    for _ in range(20):
        with pytest.raises(AccessDenied):
            store.enforce("git", "tree", {"path": "docs/x"})
    assert server.client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"] < 5  # a flood asks nobody
    store.close()


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
def test_tasks_share_a_connection(server: RedisServer, tmp_path: Path, tcp: bool) -> None:
    """Their requests are on their way at once."""
    budgets = redis_budgets(server.tcp_url if tcp else server.url, tmp_path)
    budgets.reset_all()
    before = server.client.info("stats")["total_connections_received"]

    async def main() -> int:
        found = await asyncio.gather(*(budgets.take_async("t", "a", 100) for _ in range(500)))
        budgets.forget()
        await asyncio.sleep(0.01)
        return sum(budget.consumed for budget in found)

    assert asyncio.run(main()) == 100
    assert server.client.info("stats")["total_connections_received"] == before + 1


def test_a_task_is_denied_at_the_deadline(mortal_server: RedisServer, tmp_path: Path) -> None:
    """And so are all others that wait; afterwards a new connection is made."""
    budgets = redis_budgets(mortal_server.url, tmp_path, timeout_ms=200)
    budgets.reset_all()

    async def main() -> None:
        assert (await budgets.take_async("t", "a", 10)).consumed == 1
        with mortal_server.paused():
            results = await asyncio.gather(
                *(budgets.take_async("t", "a", 10) for _ in range(20)), return_exceptions=True
            )
        assert all(isinstance(result, BudgetServerError) for result in results)
        await asyncio.sleep(module.PAUSE_NS / 1e9)
        assert (await budgets.take_async("t", "a", 10)).consumed == 1
        budgets.forget()
        await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_cancelled_task_disturbs_no_other(server: RedisServer, tmp_path: Path) -> None:
    """Its answer is not taken for that of the next one."""
    budgets = redis_budgets(server.url, tmp_path)
    budgets.reset_all()

    async def main() -> None:
        await budgets.take_async("t", "a", 100)
        tasks = [asyncio.create_task(budgets.take_async("t", str(action), 3, 1 + action)) for action in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        first, _, last = await asyncio.gather(*tasks, return_exceptions=True)
        assert (first.consumed, last.consumed) == (1, 3)  # type: ignore[union-attr]
        budgets.forget()
        await asyncio.sleep(0.01)

    asyncio.run(main())


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
def test_a_client_of_redis_py_connects(server: RedisServer, tmp_path: Path, tcp: bool) -> None:
    """For what a URL cannot say; its budgets are those of the URL, and its retries are not used."""
    name = fresh_name()
    client = redis.Redis(port=server.port) if tcp else redis.Redis(unix_socket_path=str(server.path))
    by_client = RedisBudgets(client, name, SECRET, state_dir=str(tmp_path), timeout_ms=5000)
    by_url = redis_budgets(server.url, tmp_path, name)
    by_client.reset_all()
    assert [by_client.hit("t", "a", 3), by_client.hit("t", "a", 3), by_url.hit("t", "a", 3)] == [True] * 3
    assert not by_client.hit("t", "a", 3)
    assert asyncio.run(by_client.take_async("t", "b", 1)).consumed == 1
    client.close()


def test_a_client_that_cannot_connect_or_log_in_is_an_error(own_server: RedisServer, tmp_path: Path) -> None:
    """Once, without a retry."""
    for options, message in (
        ({"port": 1}, "refused"),
        ({"port": own_server.port, "password": "wrong", "username": "nobody"}, "does not accept the user"),
    ):
        client = redis.Redis(**options)  # type: ignore[arg-type]
        budgets = RedisBudgets(client, fresh_name(), SECRET, state_dir=str(tmp_path), timeout_ms=5000)
        with pytest.raises(StateError, match=message):
            budgets.take("t", "a", 1)
        client.close()


def test_a_wrong_url_or_a_short_key_is_an_error(tmp_path: Path) -> None:
    """When the budgets are made."""
    with pytest.raises(UsageError, match="names no server") as caught:
        RedisBudgets("redis://:secret@cache", "x", SECRET, state_dir=str(tmp_path))
    assert "secret" not in str(caught.value)
    with pytest.raises(StateError, match="has 5 bytes"):
        RedisBudgets("redis://cache", "x", b"short", state_dir=str(tmp_path))


def hit_two_budgets(service: RedisBudgets, time: StoppedTime, hits: int) -> None:
    """Take some hits of one budget, then of another."""
    for action in ("push", "pull"):
        for _ in range(hits):
            time.pass_time(1)
            assert service.hit("git", action, 30)


def test_a_service_counts_in_the_new_epoch_after_all_budgets_were_reset(server: RedisServer, tmp_path: Path) -> None:
    """What it takes then is not taken from what was there before."""
    name = fresh_name()
    service, operator = redis_budgets(server.url, tmp_path, name), shared_budgets(server.url, tmp_path, name)
    with stopped_time(server) as time:
        operator.reset_all()
        hit_two_budgets(service, time, 10)
        operator.reset_all()
        assert service.hit("git", "pull", 30)
        taken = 0
        for _ in range(60):
            time.pass_time(1)
            taken += service.hit("git", "push", 30)
    assert taken == 30


def test_a_reset_of_one_budget_opens_no_other_for_a_service(server: RedisServer, tmp_path: Path) -> None:
    """Another server may have lost their last hits."""
    name = fresh_name()
    service, operator = redis_budgets(server.url, tmp_path, name), shared_budgets(server.url, tmp_path, name)
    with stopped_time(server) as time:
        operator.reset_all()
        hit_two_budgets(service, time, 2)
        server.client.replicaof("127.0.0.1", str(free_port()))
        server.client.replicaof("NO", "ONE")
        assert operator.take("git", "push", 30).closed
        operator.reset("git", "pull")
        time.pass_time(200_000)
        assert service.hit("git", "pull", 30)
        time.pass_time(1)
        assert not service.hit("git", "push", 30)


class Node:
    """A node of a cluster that gives the answers of a list, and keeps the requests."""

    def __init__(self, *answers: str) -> None:
        """Listen on a port of its own."""
        self.requests: list[bytes] = []
        self._answers, self._listener = answers, socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            for answer in self._answers:
                self.requests.append(connection.recv(65536))
                connection.sendall(answer.encode() + b"\r\n")
            connection.recv(1)


def test_a_service_looks_at_each_node_of_a_cluster(tmp_path: Path) -> None:
    """The short script goes to a node that has just said who it is, not to another one that denied a call."""
    allowed, denied = "+1 1 0 1800000000000000 7 -", "+0 30 5000000 1800000000000000 7 -"
    second = Node(denied, allowed)
    first = Node(allowed, allowed, f"-MOVED 1 127.0.0.1:{second.port}")
    budgets = redis_budgets(f"redis+cluster://127.0.0.1:{first.port}", tmp_path)
    assert budgets.hit("t", "a", 30)
    assert budgets.hit("t", "b", 30)
    assert not budgets.hit("t", "c", 30)
    assert budgets.hit("t", "a", 30)
    assert [len(node.requests) for node in (first, second)] == [3, 2]
    assert all(request.startswith(b"*12\r\n") for node in (first, second) for request in node.requests)
    budgets.forget()


def test_a_sentinel_that_says_nothing_holds_up_no_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread ends with the call: the end of the loop waits for it."""
    deadlines: list[int] = []

    def find_primary(*words: object) -> tuple[str, int]:
        deadlines.append(int(str(words[2])) - read_nanoseconds_since_boot())
        raise TimeoutError

    monkeypatch.setattr("cortex_policy.state.shared_budgets.sentinel.find_primary", find_primary)
    budgets = redis_budgets("redis+sentinel://127.0.0.1:1/main", tmp_path, timeout_ms=1000)
    with pytest.raises(BudgetServerError, match="no answer in 1000 ms"):
        asyncio.run(budgets.take_async("t", "a", 1))
    assert 0 < deadlines[0] <= 1_000_000_000
