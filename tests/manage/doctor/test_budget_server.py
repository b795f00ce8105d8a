"""`doctor` asks a server of shared budgets, and says what is wrong with it or with what this host knows of it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cortex_policy.core.model import Settings
from cortex_policy.manage.budget_server import find_error_denying_calls_or_none
from cortex_policy.manage.doctor import budget_server as doctor_budget_server
from cortex_policy.manage.doctor.budget_server import examine_budget_server
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult
from cortex_policy.state.server_budgets_from_settings import make_server_budgets_for_one_call
from tests.support.command import run_command
from tests.support.redis_servers import SECRET, RedisServer, fresh_name, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a server for the tests of this module."""
    with running_server() as running:
        yield running


Make = Callable[..., Settings]


@pytest.fixture
def make(server: RedisServer, tmp_path: Path, state: Path) -> Make:
    """Return what makes settings for the server, whose budgets are open."""
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    key.chmod(0o600)

    def make(**more: object) -> Settings:
        values: dict[str, object] = {
            "state_dir": str(state), "budgets_url": server.url, "budgets_name": fresh_name().replace(" ", "-"),
            "budgets_key_file": str(key), "budgets_timeout_ms": 5000,
        }  # fmt: skip
        settings = Settings(**{**values, **more})  # type: ignore[arg-type] # by name
        if not more:
            make_server_budgets_for_one_call(settings).reset_all()
        return settings

    return make


def results(settings: Settings) -> dict[str, CheckResult]:
    """Return what is found, by the id of the check."""
    return {one.id: one for one in examine_budget_server(settings)}


def test_a_server_that_counts_is_fine(make: Make) -> None:
    """By its version, the name, and how fast it answers."""
    found = results(make())
    assert {one.status for one in found.values()} == {OK}
    assert set(found) == {
        "budget-key", "budget-socket", "budget-server", "budget-eviction", "budget-replicas", "budget-clock", "budget-lock",
    }  # fmt: skip
    assert " ms" in found["budget-server"].message


def test_hosts_can_compare_their_keys_and_their_servers(make: Make, server: RedisServer, tmp_path: Path) -> None:
    """By a few digits of each, which are none of the key."""
    settings = make()
    one = results(settings)
    assert server.client.info("replication")["master_replid"][:8] in one["budget-server"].message
    assert SECRET.decode() not in one["budget-key"].message
    (tmp_path / "key").write_bytes(SECRET[::-1])
    assert results(settings)["budget-key"].message != one["budget-key"].message


def test_a_server_that_is_closed_for_a_minute_is_a_warning(make: Make) -> None:
    """With the reason, and the command that opens a budget."""
    found = results(make(budgets_name="never-opened"))["budget-server"]
    assert (found.status, found.command) == (WARNING, "cortex-policy rate reset ID")
    assert "the server has started less than a minute ago" in found.message


def test_a_server_that_may_evict_is_a_problem(make: Make, server: RedisServer) -> None:
    """The command works as it is printed."""
    settings = make()
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = results(settings)["budget-eviction"]
        assert (found.status, found.message.count("allkeys-lru")) == (PROBLEM, 1)
        assert found.command == f"redis-cli -s {server.path} config set maxmemory-policy noeviction"
        assert find_error_denying_calls_or_none(settings) is not None
    finally:
        server.client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(("on_error", "status"), [("deny", PROBLEM), ("local", WARNING)])
def test_a_server_that_is_silent_is_a_problem_unless_this_host_counts(
    make: Make, on_error: str, status: str, tmp_path: Path
) -> None:
    """The client is named, with which to look."""
    url = f"unix://{tmp_path}/nothing"
    settings = make(budgets_url=url, budgets_on_error=on_error, budgets_local_share=0.25)
    found = results(settings)["budget-server"]
    assert (found.status, found.command) == (status, f"redis-cli -s {tmp_path}/nothing ping")
    assert ("this host counts 0.25 of each limit" in found.message) == (on_error == "local")
    assert (find_error_denying_calls_or_none(settings) is None) == (on_error == "local")


def test_the_client_is_named_with_host_port_user_and_password(make: Make, tmp_path: Path) -> None:
    """But never with the password itself."""
    (tmp_path / "password").write_text("pa55")
    (tmp_path / "password").chmod(0o600)
    settings = make(budgets_url="rediss://agents@127.0.0.1:1", budgets_password_file=str(tmp_path / "password"))
    command = results(settings)["budget-server"].command
    assert command == "redis-cli -h 127.0.0.1 -p 1 --tls --user agents --askpass ping"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_can_read_is_a_problem(make: Make, tmp_path: Path, mode: int) -> None:
    """The command makes it private; the server is not asked with it."""
    settings = make()
    (tmp_path / "key").chmod(mode)
    found = results(settings)
    assert (found["budget-key"].status, found["budget-key"].command) == (PROBLEM, f"chmod 600 {tmp_path}/key")
    assert "budget-server" not in found


def test_a_socket_that_anybody_could_put_there_is_a_warning(make: Make, tmp_path: Path) -> None:
    """Sticky or not: while the server is down its name is free."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    found = results(make(budgets_url=f"unix://{tmp_path}/open/r"))["budget-socket"]
    assert (found.status, found.command) == (WARNING, f"ls -ld {tmp_path}/open")
    assert results(make(budgets_url=f"unix://{tmp_path}/absent/r"))["budget-socket"].status == OK


def test_a_clock_that_differs_is_a_warning(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets are exact all the same."""
    monkeypatch.setattr(doctor_budget_server, "TOLERANCE_SECONDS", -1.0)
    assert results(make())["budget-clock"].status == WARNING


def test_replicas_without_a_minimum_are_a_warning_and_a_replica_is_a_problem(make: Make, server: RedisServer) -> None:
    """A primary that is cut off would go on counting."""
    settings = make()
    with running_server("--replicaof", "127.0.0.1", str(server.port)) as replica:
        while server.client.info("replication")["connected_slaves"] == 0:
            time.sleep(0.02)
        assert results(settings)["budget-replicas"].status == WARNING
        server.client.config_set("min-replicas-to-write", 1)
        assert results(settings)["budget-replicas"].status == OK
        server.client.config_set("min-replicas-to-write", 0)
        there = make(budgets_url=replica.url)
        assert results(there)["budget-replicas"].status == PROBLEM


def test_a_lock_of_the_url_alone_is_a_warning(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who names the budgets otherwise has budgets of their own."""
    system = tmp_path / "etc"
    system.mkdir()
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(system))
    (system / "config.toml").write_text('locked = ["budgets.url"]\nbudgets.url = "redis://a"\n')
    found = results(make())["budget-lock"]
    assert (found.status, "`budgets.name`, `budgets.key_file`, `budgets.on_error`" in found.message) == (WARNING, True)
    found = results(make(budgets_on_error="local", budgets_local_share=0.5))["budget-lock"]
    assert (
        "`budgets.on_error`, `budgets.local_share`, `state_dir`: a user could count in other budgets" in found.message
    )


@pytest.mark.usefixtures("root")
def test_every_command_that_says_why_checks_are_denied_says_it_of_the_server(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` has it once."""
    settings = make()
    for name in ("NAME", "KEY_FILE"):
        monkeypatch.setenv(f"CORTEX_POLICY_BUDGETS_{name}", str(getattr(settings, f"budgets_{name.lower()}")))
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_URL", f"unix://{tmp_path}/nothing")
    for words in (("status",), ("list",), ("show", "git")):
        done = run_command(*words, code=1 if words == ("status",) else 0)
        assert "the server of shared budgets at" in done.stdout + done.stderr
        assert "every check answers 24" in done.stdout + done.stderr
    done = run_command("doctor", code=1)
    assert done.stdout.count("the server of shared budgets at") == 1
    assert f"see: redis-cli -s {tmp_path}/nothing ping" in done.stdout
