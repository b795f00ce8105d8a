"""No step of the server's clock gives a host a hit too many, whichever host sees it first."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.core.model import BudgetServerError, StateError
from cortex_policy.state.shared_budgets.keys import BudgetKeys
from cortex_policy.state.shared_budgets.one_shot_budgets import OneShotBudgets
from tests.support.chance import chance
from tests.support.redis_servers import PATIENT_MS, RedisServer, fresh_name, redis_budgets, shared_budgets
from tests.support.stopped_time import stopped_time

SECOND = 1_000_000
LIMIT = 30


@pytest.mark.parametrize("step", [SECOND // 2, 5 * SECOND, 3600 * SECOND])
def test_a_clock_that_is_set_back_and_forward_again_gives_no_hit(
    server: RedisServer, tmp_path: Path, step: int
) -> None:
    """Although the host that asks next has asked at neither step, and finds the clock right."""
    name = fresh_name()
    with stopped_time(server) as time:
        idle, busy = (shared_budgets(server.url, tmp_path / host, name) for host in ("idle", "busy"))
        idle.reset_all()
        busy.take("git", "first", LIMIT)
        time.pass_time(7200 * SECOND)
        for host in (idle, busy):
            host.take("git", "second", LIMIT)
        time.pass_time(SECOND)
        time.set_clock(-step)
        taken = []
        for _ in range(150):
            time.pass_time(SECOND)
            taken += [time.boot_us] * busy.take("git", "push", LIMIT).consumed
        time.set_clock(step)
        for _ in range(2 * LIMIT):
            taken += [time.boot_us] * idle.take("git", "push", LIMIT).consumed
            time.pass_time(1000)
        assert all(later - earlier >= 60 * SECOND for earlier, later in zip(taken, taken[LIMIT:], strict=False))


def test_a_host_that_missed_two_steps_forward_gets_no_hit(server: RedisServer, tmp_path: Path) -> None:
    """Another host has seen only the first one."""
    name = fresh_name()
    with stopped_time(server) as time:
        idle, busy = (shared_budgets(server.url, tmp_path / host, name) for host in ("idle", "busy"))
        idle.reset_all()
        idle.take("git", "first", LIMIT)
        busy.take("git", "first", LIMIT)
        time.pass_time(600 * SECOND)
        time.set_clock(5 * SECOND)
        assert busy.take("git", "push", LIMIT).closed
        time.pass_time(65 * SECOND)
        assert sum(busy.take("git", "push", LIMIT).consumed for _ in range(LIMIT)) == LIMIT
        time.set_clock(65 * SECOND)
        assert idle.take("git", "push", LIMIT).consumed == 0


@pytest.mark.parametrize("step", [-65 * SECOND, 65 * SECOND])
def test_a_peek_hides_no_step_from_the_call_that_follows(server: RedisServer, tmp_path: Path, step: int) -> None:
    """A peek writes nothing on the server, so it must not change what the host believes."""
    with stopped_time(server) as time:
        budgets = shared_budgets(server.url, tmp_path)
        budgets.reset_all()
        assert budgets.take("git", "push", LIMIT, LIMIT).consumed == LIMIT
        time.pass_time(SECOND)
        time.set_clock(step)
        assert budgets.peek("git", "push", LIMIT).closed
        assert budgets.take("git", "push", LIMIT).closed


def test_a_peek_at_a_server_that_is_new_does_not_close_it(server: RedisServer, tmp_path: Path) -> None:
    """It may be the first that a host asks."""
    budgets = shared_budgets(server.url, tmp_path)
    with stopped_time(server):
        first = budgets.peek("git", "push", LIMIT)
        assert (
            budgets.take("git", "push", LIMIT).closed_because == first.closed_because != "the server has lost its data"
        )


@pytest.mark.parametrize("step", [-5 * SECOND, 5 * SECOND])
def test_one_step_closes_the_budgets_once(server: RedisServer, tmp_path: Path, step: int) -> None:
    """However many hosts find out one after another."""
    name = fresh_name()
    with stopped_time(server) as time:
        hosts = [shared_budgets(server.url, tmp_path / str(number), name) for number in range(8)]
        hosts[0].reset_all()
        for host in hosts:
            host.take("git", "first", LIMIT)
        time.pass_time(10 * SECOND)
        time.set_clock(step)
        assert hosts[0].take("git", "push", LIMIT).closed
        for host in hosts[1:4]:
            time.pass_time(10 * SECOND)
            assert host.take("git", "push", LIMIT).closed
        time.pass_time(31 * SECOND)
        for host in hosts:
            time.pass_time(1)
            assert host.take("git", "push", LIMIT).consumed == 1


def test_a_server_that_was_paused_is_behind_and_closed(server: RedisServer, tmp_path: Path) -> None:
    """As a virtual machine is; its clock may be set right at any time."""
    with stopped_time(server) as time:
        budgets = redis_budgets(server.url, tmp_path)
        budgets.reset_all()
        assert budgets.hit("git", "push", LIMIT)
        time.boot_us += 200 * SECOND
        assert budgets.take("git", "push", LIMIT).closed


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")], ids=["directory", "pipe", "link"]
)
@pytest.mark.parametrize("kind", [shared_budgets, redis_budgets], ids=["process", "service"])
def test_what_is_no_file_of_this_host_is_an_error_of_its_state(
    server: RedisServer, tmp_path: Path, make: Callable[[Path], object], kind: Callable[..., OneShotBudgets]
) -> None:
    """Not one of the server, which might let the host count by itself."""
    budgets = kind(server.url, tmp_path)
    budgets.reset_all()
    (kept,) = tmp_path.glob(".server-clock-*")
    kept.unlink()
    make(kept)
    with pytest.raises(StateError) as caught:
        kind(server.url, tmp_path, budgets.name).take("git", "push", LIMIT)
    assert not isinstance(caught.value, BudgetServerError)


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 56, b"x" * 100_000])
def test_a_file_that_nobody_understands_says_nothing(server: RedisServer, tmp_path: Path, data: bytes) -> None:
    """The next answer is kept in its place."""
    budgets = shared_budgets(server.url, tmp_path)
    budgets.reset_all()
    (kept,) = tmp_path.glob(".server-clock-*")
    kept.write_bytes(data)
    assert budgets.take("git", "push", LIMIT).consumed == 1
    assert kept.read_bytes() != data


def test_another_key_of_the_same_name_is_no_lost_data(server: RedisServer, tmp_path: Path) -> None:
    """Its budgets are others, and so is what a host knows of them."""
    ours, at = shared_budgets(server.url, tmp_path), parse_budget_server(server.url)
    ours.reset_all()
    other = OneShotBudgets(
        at, ours.name, b"another secret of that name", state_dir=str(tmp_path), timeout_ms=PATIENT_MS
    )
    assert other.take("git", "push", LIMIT).closed_because != "the server has lost its data"


def test_lost_data_is_seen_although_a_new_host_asks_first(server: RedisServer, tmp_path: Path) -> None:
    """It cannot know that there was any; the budgets are closed once, not again for each host that knows."""
    name = fresh_name()
    new, *hosts = (shared_budgets(server.url, tmp_path / str(host), name) for host in range(4))
    hosts[0].reset_all()
    for host in hosts:
        assert host.take("git", "push", LIMIT, 10).consumed == 10
    keys = hosts[0]._keys  # noqa: SLF001 - to lose them
    server.client.delete(keys.epoch, keys.budget("git", "push"))
    opened = b"".join(number.to_bytes(8, "little") for number in (1, 0, time_of(server)))
    # as the new host does on a server that has run for long
    server.client.set(keys.epoch, opened + b"s" + server.client.info("replication")["master_replid"].encode())
    assert new.take("git", "pull", LIMIT).consumed == 1
    assert hosts[0].take("git", "push", LIMIT).closed_because == "the server has lost its data"
    mark = server.client.get(keys.epoch)
    for host in (*hosts, new):
        assert host.take("git", "push", LIMIT).closed
    assert server.client.get(keys.epoch) == mark


def time_of(server: RedisServer) -> int:
    """Return the time of the server, in microseconds."""
    seconds, microseconds = server.client.time()
    return int(seconds) * SECOND + int(microseconds)


class DataOfServer:
    """What the server holds of two budgets, and what its replica has of it."""

    def __init__(self, server: RedisServer, keys: BudgetKeys) -> None:
        """Start without a copy."""
        self._client, self._keys = server.client, [keys.epoch, keys.budget("t", "a"), keys.budget("t", "b")]
        self._copy: dict[bytes, bytes] = {}

    def meet(self, event: str) -> None:
        """Let the replica have all, let it take over, or lose everything."""
        if event == "replicate":
            self._copy = {key: data for key in self._keys if (data := self._client.get(key))}
        elif event == "lose":
            self._client.delete(*self._keys)
        elif event == "fail over":
            self._client.replicaof("127.0.0.1", "1")
            self._client.replicaof("NO", "ONE")
            self._client.delete(*self._keys)
            for key, data in self._copy.items():
                self._client.set(key, data)


ROUNDS = st.lists(
    st.tuples(
        st.integers(0, 70 * SECOND),
        st.sampled_from([0, 0, *(sign * seconds * SECOND for seconds in (30, 61, 130, 3600) for sign in (1, -1))]),
        st.sampled_from(["", "", "", "replicate", "fail over", "lose", "peek"]),
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), max_size=3),
    ),
    max_size=25,
)


@chance(200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROUNDS)
def test_hosts_that_ask_now_and_then_get_no_hit_too_many(
    server: RedisServer, rounds: list[tuple[int, int, str, list[tuple[int, str]]]]
) -> None:
    """Whatever happens to the clock and the data of the server meanwhile, and whoever asks first afterwards."""
    name, taken = fresh_name(), {"a": list[int](), "b": list[int]()}
    kinds = (redis_budgets, shared_budgets, redis_budgets, shared_budgets)
    with TemporaryDirectory(dir="/dev/shm") as state, stopped_time(server) as time:
        hosts = [kind(server.url, Path(state, str(host)), name) for host, kind in enumerate(kinds)]
        data = DataOfServer(server, hosts[0]._keys)  # noqa: SLF001 - to lose them
        hosts[0].reset_all()
        for host in hosts:
            host.take("t", "first", LIMIT)
        for pause, step, event, calls in rounds:
            time.pass_time(pause)
            time.set_clock(step)
            data.meet(event)
            for host, action in calls:
                if event == "peek":
                    hosts[host].peek("t", action, LIMIT)
                for _ in range(LIMIT):
                    time.pass_time(1)
                    taken[action] += [time.boot_us] * hosts[host].take("t", action, LIMIT).consumed
    slack = 6 * SECOND  # of a host that has not asked for so long
    for hits in taken.values():
        assert all(later - earlier >= 60 * SECOND - slack for earlier, later in zip(hits, hits[LIMIT:], strict=False))
