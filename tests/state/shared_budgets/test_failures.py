"""Whatever a server answers, or does not, ends as an error within the deadline, and names what failed."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest
import redis

from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.core.model import BudgetServerError, StateError
from cortex_policy.state.shared_budgets.one_shot_budgets import OneShotBudgets
from cortex_policy.state.shared_budgets.plausible_server_time import PAUSE_NS
from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets
from tests.support.redis_servers import (
    PATIENT_MS,
    SECRET,
    RedisServer,
    fresh_name,
    redis_budgets,
    running_server,
    shared_budgets,
)

PASSWORD = "pa55-w0rd"  # noqa: S105 - looked for in messages
PAGE = Path(__file__).parents[3] / "docs" / "shared-budgets.md"
Handler = Callable[[socket.socket, Event], None]


@contextmanager
def hostile_server(handle: Handler, *, reads: bool = True) -> Iterator[str]:
    """Answer each connection by a function that also learns when the test is over; yield the URL."""
    with TemporaryDirectory(prefix="cp-hostile-") as directory, socket.socket(socket.AF_UNIX) as listener:
        path, is_over = f"{directory}/socket", Event()
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        if reads:
                            connection.recv(4096)
                        handle(connection, is_over)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            is_over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def answer(data: bytes) -> Handler:
    """Give an answer, then wait for the client to go."""

    def handle(connection: socket.socket, is_over: Event) -> None:
        del is_over
        connection.sendall(data)
        connection.recv(1)

    return handle


def drip(connection: socket.socket, is_over: Event) -> None:
    """Give a byte now and then, each within any time that is granted for one."""
    while not is_over.wait(0.01):
        connection.sendall(b"+")


def flood(connection: socket.socket, is_over: Event) -> None:
    """Give bytes without an end."""
    while not is_over.is_set():
        connection.sendall(b"1" * 65536)


def silence(connection: socket.socket, is_over: Event) -> None:
    """Give no answer."""
    del connection
    is_over.wait()


def cut(connection: socket.socket, is_over: Event) -> None:
    """End the connection in the middle of an answer."""
    del is_over
    connection.sendall(b"+1 1 0 18000")


HOSTILE = {
    "silence": (silence, "no answer in 60 ms"), "drip": (drip, "no answer in 60 ms"), "flood": (flood, "too long"), "cut": (cut, "cut the connection"),
    "nothing": (answer(b""), "no answer"), "empty line": (answer(b"\r\n"), "unexpected answer"), "wrong type": (answer(b"$5\r\nhello\r\n"), "more answers"),
    "array": (answer(b"*2\r\n+1\r\n+1\r\n"), "more answers"), "number": (answer(b":1\r\n"), "unexpected answer"), "nil": (answer(b"$-1\r\n"), "unexpected answer"),
    "two answers": (answer(b"+1 1 0 1800000000 0 -\r\n" * 2), "more answers"), "too few words": (answer(b"+1 1 0 1800000000 -\r\n"), "unexpected answer"),
    "too many words": (answer(b"+1 1 0 1800000000 0 - 1\r\n"), "unexpected answer"), "other cost": (answer(b"+2 1 0 1800000000 0 -\r\n"), "unexpected answer"),
    "negative": (answer(b"+1 -1 0 1800000000 0 -\r\n"), "unexpected answer"), "no digits": (answer(b"+1 \xd9\xa1 0 1800000000 0 -\r\n"), "unexpected answer"),
    "long number": (answer(b"+1 " + b"9" * 3000 + b" 0 1800000000 0 -\r\n"), "unexpected answer"), "hit while closed": (answer(b"+1 1 0 1800000000 0 f\r\n"), "unexpected answer"),
    "unknown reason": (answer(b"+0 1 9 1800000000 0 z\r\n"), "unexpected answer"), "long wait": (answer(b"+0 1 9999999999 1800000000 0 -\r\n"), "unexpected answer"),
    "room and no hit": (answer(b"+0 0 0 1800000000 0 -\r\n"), "unexpected answer"), "closed and no wait": (answer(b"+0 1 0 1800000000 0 f\r\n"), "unexpected answer"),
    "late by two numbers": (answer(b"+late 1800000000 0\r\n"), "unexpected answer"), "escapes": (answer(b"-ERR \x1b[31mred `x`\r\n"), r"reports `ERR \?\[31mred \?x\?`"),
    "http": (answer(b"HTTP/1.1 400 Bad Request\r\n"), "unexpected answer"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [shared_budgets, redis_budgets], ids=["process", "service"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_is_an_error(name: str, tmp_path: Path, kind: Callable[..., OneShotBudgets]) -> None:
    """Never a hit, and never a wait without an end."""
    handle, message = HOSTILE[name]
    with hostile_server(handle) as url, pytest.raises(StateError, match=message):
        kind(url, tmp_path, timeout_ms=60 if "no answer" in message else PATIENT_MS).take("git", "push", 30)


@pytest.mark.parametrize("kind", [shared_budgets, redis_budgets], ids=["process", "service"])
def test_a_hit_whose_answer_is_cut_off_is_taken_once(
    server: RedisServer, tmp_path: Path, kind: Callable[..., OneShotBudgets]
) -> None:
    """Nobody knows that it was, so the call is denied, and nothing is tried again."""
    name = fresh_name()
    known = shared_budgets(server.url, tmp_path, name)
    known.reset_all()

    def lose_the_answer(connection: socket.socket, is_over: Event) -> None:
        del is_over
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(str(server.path))
            upstream.sendall(connection.recv(65536, socket.MSG_PEEK))
            assert upstream.recv(4096).startswith(b"+1 ")

    known.take("git", "another", 1)  # so that the server holds the script
    with (
        hostile_server(lose_the_answer, reads=False) as url,
        pytest.raises(BudgetServerError, match="cut the connection"),
    ):
        kind(url, tmp_path / "other", name).take("git", "push", 30)
    assert known.usage("git", "push") == 1


def test_a_hostile_login_does_not_show_the_password(tmp_path: Path) -> None:
    """A server that does not know `AUTH` repeats it."""
    echo = answer(f"-ERR unknown command 'AUTH', with args beginning with: '{PASSWORD}'\r\n+1\r\n".encode())
    with hostile_server(echo) as url:
        budgets = RedisBudgets(url, "x", SECRET, password=PASSWORD, state_dir=str(tmp_path))
        with pytest.raises(StateError, match="does not accept the login") as caught:
            budgets.take("git", "push", 1)
        assert PASSWORD not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url", ["unix:///nonexistent/socket", "redis://127.0.0.1:1", "redis://[::1]:1", "redis://localhost:1"]
)
def test_a_server_that_is_not_there_is_an_error(url: str, tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(BudgetServerError, match=r"no such file|refused|cannot assign|unreachable"):
        shared_budgets(url, tmp_path).take("git", "push", 1)


def test_a_name_that_cannot_be_resolved_is_an_error(tmp_path: Path) -> None:
    """Looked up in a thread that the deadline leaves behind."""
    with pytest.raises(BudgetServerError, match=r"no answer in 300 ms|name"):
        shared_budgets("redis://no-such-host.invalid", tmp_path, timeout_ms=300).take("git", "push", 1)


def test_a_paused_server_takes_nothing_late(server: RedisServer, tmp_path: Path) -> None:
    """What it reads when it goes on is too late for a client that knows its clock."""
    name = fresh_name()
    once = shared_budgets(server.url, tmp_path, name)
    once.reset_all()
    hasty = shared_budgets(server.url, tmp_path, name, timeout_ms=200)
    hasty.take("git", "push", 5)
    with server.paused(), pytest.raises(BudgetServerError, match="no answer in 200 ms"):
        hasty.take("git", "push", 5)
    time.sleep(PAUSE_NS / 1e9)
    assert once.usage("git", "push") == 1


@pytest.mark.parametrize(
    "policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]
)  # fmt: skip
def test_a_policy_that_may_evict_budgets_is_refused(own_server: RedisServer, tmp_path: Path, policy: str) -> None:
    """At the first use of a budget."""
    budgets = shared_budgets(own_server.url, tmp_path)
    budgets.reset_all()
    own_server.client.config_set("maxmemory-policy", policy)
    try:
        for ask in (budgets.take, budgets.peek):
            with pytest.raises(StateError, match=f"may evict budgets: its `maxmemory-policy` is `{policy}`"):
                ask("git", "push", 1)
    finally:
        own_server.client.config_set("maxmemory-policy", "noeviction")
    assert budgets.take("git", "push", 1).consumed == 1


def test_an_evicted_budget_is_not_reopened(own_server: RedisServer, tmp_path: Path) -> None:
    """Where it is missing, the policy is looked at before anything is allowed."""
    budgets = redis_budgets(own_server.url, tmp_path)
    budgets.reset_all()
    before = set(own_server.client.scan_iter())
    assert all(budgets.hit("git", "push", 5) for _ in range(5))
    (key,) = set(own_server.client.scan_iter()) - before
    own_server.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        own_server.client.delete(key)
        with pytest.raises(StateError, match="may evict budgets"):
            budgets.hit("git", "push", 6)
    finally:
        own_server.client.config_set("maxmemory-policy", "noeviction")


def test_full_memory_is_an_error_and_takes_nothing(own_server: RedisServer, tmp_path: Path) -> None:
    """A denial needs no memory, and is still given."""
    budgets = shared_budgets(own_server.url, tmp_path)
    budgets.reset_all()
    budgets.take("git", "full", 1)
    budgets.take("git", "push", 5)
    own_server.client.config_set("maxmemory", 1)
    try:
        for action in ("push", "never used"):
            with pytest.raises(BudgetServerError, match=r"has no memory left \(OOM\)"):
                budgets.take("git", action, 5)
        assert budgets.take("git", "full", 1).consumed == 0
    finally:
        own_server.client.config_set("maxmemory", 0)
    assert budgets.usage("git", "push") == 1


def test_forgotten_scripts_are_sent_again(own_server: RedisServer, tmp_path: Path) -> None:
    """Both of them, without a hit more or less."""
    budgets = redis_budgets(own_server.url, tmp_path)
    budgets.reset_all()
    for _ in range(3):
        own_server.client.script_flush()
        assert budgets.hit("git", "push", 10)
    assert budgets.take("git", "push", 10).used == 4


def test_something_else_at_the_key_is_an_error(own_server: RedisServer, tmp_path: Path) -> None:
    """Whoever put it there."""
    budgets = shared_budgets(own_server.url, tmp_path)
    budgets.reset_all()
    before = set(own_server.client.scan_iter())
    budgets.take("git", "push", 5)
    (key,) = set(own_server.client.scan_iter()) - before
    own_server.client.delete(key)
    own_server.client.lpush(key, "x")
    with pytest.raises(StateError, match="holds something else"):
        budgets.take("git", "push", 5)


def test_the_server_reads_no_name_in_clear(own_server: RedisServer, tmp_path: Path) -> None:
    """In keys and values; each budget expires, and one small key of a name stays."""
    own_server.client.flushall()
    budgets = shared_budgets(own_server.url, tmp_path, "fleet-name")
    budgets.reset_all()
    for _ in range(60):
        budgets.take("tool-name", "action-name", 60)
    contents = {key: own_server.client.dump(key) or b"" for key in own_server.client.scan_iter()}
    for word in (b"fleet", b"tool", b"action"):
        assert not any(word in key + value for key, value in contents.items())
    assert len(contents) == 2
    assert sorted(own_server.client.ttl(key) > 0 for key in contents) == [False, True]
    assert max(own_server.client.strlen(key) for key in contents) == 40 + 4 * 64
    assert len({re.findall(rb"\{.*\}", key)[0] for key in contents}) == 1


@pytest.fixture(scope="module")
def locked_server() -> Iterator[RedisServer]:
    """Run a server that wants a password, and knows a user with the rights that the page gives, and one with fewer."""
    with running_server("--requirepass", PASSWORD) as running:
        rights = re.search(r"ACL SETUSER budgets on >PASSWORD (.*)", PAGE.read_text())
        assert rights
        for user, line in (("budgets", rights[1]), ("blind", rights[1].replace("+info ", ""))):
            client = running.connect(password=PASSWORD)
            client.execute_command("ACL", "SETUSER", user, "on", f">{PASSWORD}", *line.split())
            client.close()
        yield running


def as_user(server: RedisServer, state: Path, user: str, password: str) -> OneShotBudgets:
    """Return the budgets that a user asks for."""
    address = parse_budget_server(server.url.replace("://", f"://{user}@" if user else "://"))
    return OneShotBudgets(address, fresh_name(), SECRET, password=password, state_dir=str(state), timeout_ms=5000)


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [
        ("", "", r"wants a password \(NOAUTH\)"),
        ("", "wrong", r"does not accept the user or the password \(WRONGPASS\)"),
        ("nobody", PASSWORD, r"does not accept the user or the password \(WRONGPASS\)"),
        ("blind", PASSWORD, r"does not allow this user what budgets need \(NOPERM\)"),
    ],
)
def test_a_login_that_fails_says_why(
    locked_server: RedisServer, tmp_path: Path, user: str, password: str, message: str
) -> None:
    """And shows no password."""
    with pytest.raises(StateError, match=message) as caught:
        as_user(locked_server, tmp_path, user, password).take("git", "push", 1)
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize("user", ["", "budgets"])
def test_the_rights_on_the_page_are_enough(locked_server: RedisServer, tmp_path: Path, user: str) -> None:
    """For all that budgets do, also when the scripts are not there yet."""
    budgets = as_user(locked_server, tmp_path, user, PASSWORD)
    budgets.reset_all()
    assert [budgets.take("git", "push", 2).consumed for _ in range(3)] == [1, 1, 0]
    assert budgets.reset("git", "push")
    assert budgets.peek("git", "push", 2).remaining == 2


def test_another_database_has_budgets_of_its_own(server: RedisServer, tmp_path: Path) -> None:
    """One that does not exist is an error."""
    name = fresh_name()
    one, two, none = (shared_budgets(f"{server.url}?db={number}", tmp_path, name) for number in (1, 2, 99))
    one.reset_all()
    two.reset_all()
    assert [budgets.take("git", "push", 1).consumed for budgets in (one, two)] == [1, 1]
    with pytest.raises(StateError, match="does not accept the login or the database"):
        none.take("git", "push", 1)


def test_a_login_by_redis_py_ends_at_the_deadline(tmp_path: Path) -> None:
    """Although each byte of the answer comes in time."""
    with hostile_server(drip) as url:
        client = redis.Redis(unix_socket_path=url.removeprefix("unix://"), password=PASSWORD)
        budgets = RedisBudgets(client, "x", SECRET, timeout_ms=60, state_dir=str(tmp_path))
        with pytest.raises(BudgetServerError, match="no answer in 60 ms"):
            budgets.take("git", "push", 1)
