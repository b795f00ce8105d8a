"""Shared budgets where servers fail over, clocks are set and hosts crowd: never one hit too many in a true minute."""

import multiprocessing
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from cortex_policy.core.model import BudgetServerError, StateError
from cortex_policy.state.shared_budgets import lua_scripts, protocol, redis_budgets
from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets
from tests.support.redis_servers import PROGRAMS, RedisServer, free_port, fresh_name, running_server
from tests.support.redis_servers import redis_budgets as service
from tests.support.redis_servers import shared_budgets as process

pytestmark = [
    pytest.mark.storm,
    pytest.mark.skipif(not PROGRAMS, reason="neither redis-server nor valkey-server is installed"),
]
LIMIT = 30
Results = "multiprocessing.Queue[list[tuple[int, int]]]"


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Ask again and again until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def hit_greedily(budgets: RedisBudgets, calls: int, limit: int) -> list[tuple[int, int]]:
    """Return when each admitted hit was asked for, and when it was answered."""
    hits = []
    for _ in range(calls):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        try:
            is_taken = budgets.hit("t", "a", limit)
        except StateError:
            continue
        if is_taken:
            hits.append((before, time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
    return hits


def assert_exact(hits: list[tuple[int, int]], limit: int, window_ns: int) -> None:
    """No window holds more than the limit: the instant of a hit is between question and answer."""
    asked, answered = sorted(before for before, _ in hits), sorted(after for _, after in hits)
    for number in range(len(hits) - limit):
        assert answered[number + limit] - asked[number] >= window_ns


def crowd(make: Callable[[int], RedisBudgets], processes: int, calls: int, limit: int) -> list[tuple[int, int]]:
    """Let processes hit one budget greedily at once."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    def work(number: int) -> None:
        results.put(hit_greedily(make(number), calls, limit))

    children = [context.Process(target=work, args=(number,)) for number in range(processes)]
    for child in children:
        child.start()
    hits = [hit for _ in children for hit in results.get(timeout=300)]
    for child in children:
        child.join()
    return hits


def test_four_hosts_offer_a_hundred_thousand_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes a host, and each call asks the server: exactly the limit is admitted."""
    monkeypatch.setattr(redis_budgets, "MAX_REMEMBERED_NS", 0)
    name = fresh_name()
    with running_server() as server:
        service(server.url, tmp_path, name).reset_all()
        hits = crowd(lambda number: service(server.url, tmp_path / str(number // 2), name), 8, 12_500, 5000)
    took = max(after for _, after in hits) - min(before for before, _ in hits)
    assert took > 60_000_000_000 or len(hits) == 5000
    assert_exact(hits, 5000, 60_000_000_000)


def test_eight_greedy_processes_in_short_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two seconds, many of them."""
    from hashlib import sha1  # noqa: PLC0415 - only here

    monkeypatch.setattr(redis_budgets, "MAX_REMEMBERED_NS", 0)
    for text, call in (("SCRIPT", "_EVALSHA"), ("AGAIN_SCRIPT", "_EVALSHA_AGAIN")):
        short = getattr(lua_scripts, text).replace(b"60000000", b"2000000").replace(b"60500000", b"2500000")
        digest = sha1(short, usedforsecurity=False).hexdigest().encode()
        old = protocol.SCRIPT_SHA1 if text == "SCRIPT" else protocol.AGAIN_SHA1
        monkeypatch.setattr(lua_scripts, text, short)
        monkeypatch.setattr(protocol, call, getattr(protocol, call).replace(old, digest))
    name = fresh_name()
    with running_server() as server:
        service(server.url, tmp_path, name).reset_all()
        hits = crowd(lambda number: service(server.url, tmp_path / str(number), name), 8, 20_000, 500)
    seconds = (max(after for _, after in hits) - min(before for before, _ in hits)) / 1e9
    assert_exact(hits, 500, 2_000_000_000)
    assert len(hits) > 500 * (seconds // 2)


@contextmanager
def faked_server(directory: Path) -> Iterator[tuple[RedisServer, Callable[[float], None]]]:
    """Run a server whose wall clock can be set, and the function that sets it by so many seconds."""
    offset = directory / "offset"
    offset.write_text("+0")
    environment = [
        "env", f"FAKETIME_TIMESTAMP_FILE={offset}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
        f"LD_PRELOAD={find_libfaketime()} libc.so.6",  # jemalloc would ask for the time before it can be told
    ]  # fmt: skip
    with running_server(before=tuple(environment)) as server:
        yield server, lambda seconds: (offset.write_text(f"{seconds:+}"), None)[1]


def find_libfaketime() -> str:
    """Return the library that `faketime` loads."""
    found = [*Path("/usr/lib").rglob("libfaketime.so.1")]
    if not found:
        pytest.skip("libfaketime is not installed")
    return str(found[0])


@pytest.mark.parametrize("step", [0.5, 1.0, 30.0, 61.0, 3600.0, -0.5, -2.0, -61.0, -3600.0])
def test_a_real_clock_that_is_set_closes_the_budget(tmp_path: Path, step: float) -> None:
    """As an operator sets it, while hosts go on asking."""
    with faked_server(tmp_path) as (server, set_clock):
        budgets = [service(server.url, tmp_path / str(host)) for host in range(1)]
        budgets += [service(server.url, tmp_path / "second", budgets[0].name)]
        budgets[0].reset_all()
        hits = [hit for one in budgets for hit in hit_greedily(one, 10, LIMIT)]
        set_clock(step)
        hits += [hit for _ in range(20) for one in budgets for hit in hit_greedily(one, 5, LIMIT)]
        closed = budgets[0].peek("t", "a", LIMIT)
        once = process(server.url, tmp_path / "second", budgets[0].name).take("t", "b", LIMIT)
    assert len(hits) <= LIMIT
    assert closed.closed
    assert "the clock of the server was set" in closed.closed_because
    assert once.closed


@contextmanager
def sentinel_pair() -> Iterator[tuple[list[RedisServer], int]]:
    """Run two servers, one a replica of the other, and a Sentinel that watches them; yield them and its port."""
    with ExitStack() as stack:
        first = stack.enter_context(running_server("--repl-diskless-sync-delay", "0"))
        second = stack.enter_context(
            running_server("--repl-diskless-sync-delay", "0", "--replicaof", f"127.0.0.1 {first.port}")
        )
        wait_until(lambda: second.client.info("replication")["master_link_status"] == "up")
        configuration = first.directory / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor main 127.0.0.1 {first.port} 1\nsentinel down-after-milliseconds main 1000\n"
            "sentinel failover-timeout main 3000\n"
        )
        sentinel = RedisServer(first.directory / "sentinel", before=())
        sentinel.directory.mkdir()
        words = [shutil.which(PROGRAMS[0]) or "", configuration, "--sentinel", "--port", str(sentinel.port)]
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        stack.callback(running.wait)
        stack.callback(running.kill)
        client = redis.Redis(port=sentinel.port, protocol=2)
        stack.callback(client.close)

        def knows_both() -> bool:
            with suppress(redis.ConnectionError):
                return bool(client.execute_command("SENTINEL", "REPLICAS", "main"))
            return False

        wait_until(knows_both)
        yield [first, second], sentinel.port


def test_a_failover_forth_and_back_reopens_nothing(tmp_path: Path) -> None:
    """The service finds the new primary by itself; the budget is closed until a window has passed."""
    with sentinel_pair() as ([first, second], port):
        url = f"redis+sentinel://127.0.0.1:{port}/main"
        budgets = service(url, tmp_path, timeout_ms=1000)
        once = process(url, tmp_path / "other", budgets.name)
        budgets.reset_all()
        hits = hit_greedily(budgets, 20, LIMIT)
        assert len(hits) == 20
        began = time.monotonic()
        for old, new in ((first, second), (second, first)):
            old.kill()
            wait_until(lambda new=new: new.client.info("replication")["role"] == "master")  # type: ignore[misc]

            def answers() -> bool:
                with suppress(BudgetServerError):
                    return budgets.peek("t", "a", LIMIT).closed
                return False

            wait_until(answers)
            assert once.take("t", "a", LIMIT).closed
            hits += hit_greedily(budgets, 100, LIMIT)
            old.start()
            old.client.replicaof("127.0.0.1", new.port)
            wait_until(lambda old=old: old.client.info("replication").get("master_link_status") == "up")  # type: ignore[misc]
            time.sleep(3)
        assert time.monotonic() - began < 60 or pytest.skip("the machine was too slow to say anything")
        assert len(hits) == 20


@contextmanager
def cluster_of_three() -> Iterator[list[RedisServer]]:
    """Run three nodes, each with a third of the slots."""
    with ExitStack() as stack:
        buses = [free_port() for _ in range(3)]
        options = [("--cluster-enabled", "yes", "--cluster-port", str(bus)) for bus in buses]
        nodes = [stack.enter_context(running_server(*words)) for words in options]
        for number, node in enumerate(nodes):
            first, last = number * 16384 // 3, (number + 1) * 16384 // 3 - 1
            node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, buses[0])
        wait_until(lambda: all(b"cluster_state:ok" in info(node) for node in nodes))
        wait_until(lambda: all(b"cluster_known_nodes:3" in info(node) for node in nodes))
        yield nodes


def info(node: RedisServer) -> bytes:
    """Return what a node knows of its cluster."""
    found = node.connect().execute_command("CLUSTER", "INFO")
    return found if isinstance(found, bytes) else str(found).encode()


def test_a_cluster_counts_each_name_on_one_node(tmp_path: Path) -> None:
    """Whichever node is asked first, by services, processes and tasks."""
    import asyncio  # noqa: PLC0415 - only here

    with cluster_of_three() as nodes:
        used = set()
        for _ in range(12):
            name = fresh_name()
            urls = [f"redis+cluster://127.0.0.1:{node.port}" for node in nodes]
            budgets = [make(url, tmp_path, name) for url in urls for make in (service, process)]
            budgets[0].reset_all()
            taken = [one.take("t", "a", 5).consumed for one in budgets for _ in range(2)]
            assert sum(taken) == 5
            keys = [sum(1 for _ in node.client.scan_iter("cortex:*")) for node in nodes]
            used.add(tuple(keys))

            async def ask(one: RedisBudgets) -> int:
                found = await asyncio.gather(*(one.take_async("t", "b", 7) for _ in range(20)))
                one.forget()
                await asyncio.sleep(0.01)
                return sum(budget.consumed for budget in found)

            assert asyncio.run(ask(service(urls[1], tmp_path, name))) == 7
        assert len(used) == 12


def test_hits_before_a_kill_count_after_it(tmp_path: Path) -> None:
    """A server that is killed again and again, with its data and without, while a crowd asks."""
    name = fresh_name()
    for options in ((), ("--appendonly", "yes", "--appendfsync", "always")):
        with running_server(*options) as server:
            budgets = service(server.url, tmp_path / str(len(options)), name, timeout_ms=500)
            budgets.reset_all()
            hits = hit_greedily(budgets, 10, LIMIT)
            for _ in range(5):
                server.kill()
                hits += hit_greedily(budgets, 3, LIMIT)
                server.start()
                time.sleep(redis_budgets.PAUSE_NS / 1e9)
                hits += hit_greedily(budgets, 50, LIMIT)
            assert len(hits) == 10


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Make an authority, and a certificate of it for loopback."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for line in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    ):
        subprocess.run(["openssl", *line.split()], cwd=directory, check=True, capture_output=True)
    return directory


def test_tls_is_verified(tmp_path: Path, certificates: Path) -> None:
    """With the certificate of its authority it is trusted, also by asyncio; without, it is an error."""
    import asyncio  # noqa: PLC0415 - only here

    port = free_port()
    options = [
        "--tls-port", str(port), "--tls-cert-file", str(certificates / "server.pem"), "--tls-key-file",
        str(certificates / "server.key"), "--tls-ca-cert-file", str(certificates / "ca.pem"), "--tls-auth-clients", "no",
    ]  # fmt: skip
    with running_server(*options):
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificates}/ca.pem"
        budgets = service(url, tmp_path)
        budgets.reset_all()
        assert [budgets.hit("t", "a", 2), budgets.hit("t", "a", 2), budgets.hit("t", "a", 2)] == [True, True, False]
        assert process(url, tmp_path, budgets.name).take("t", "a", 3).consumed == 1

        async def ask() -> int:
            consumed = (await budgets.take_async("t", "b", 3)).consumed
            budgets.forget()
            await asyncio.sleep(0.1)
            return consumed

        assert asyncio.run(ask()) == 1
        with pytest.raises(StateError, match="its certificate is not trusted"):
            process(f"rediss://127.0.0.1:{port}", tmp_path).take("t", "a", 1)
        with pytest.raises(StateError, match="cannot be used: no such file"):
            process(f"rediss://127.0.0.1:{port}?ssl_ca_certs=/nonexistent", tmp_path).take("t", "a", 1)
