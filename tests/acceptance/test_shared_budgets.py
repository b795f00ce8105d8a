"""Hosts that name one server and one name have one budget, by every door; a host is a state directory here."""

import asyncio
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cortex_policy import AccessDenied, Decision, MemoryBudgets, PolicyStore, StateError, enforce, load_grant
from cortex_policy.core.model import Settings
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.server_budgets_from_settings import make_server_budgets_for_one_call
from tests.support.command import process_of, result_of, run_command
from tests.support.hook_server import running
from tests.support.hooks import assert_allowed, make_scene
from tests.support.logs import events
from tests.support.redis_servers import SECRET, RedisServer, fresh_name, running_server
from tests.support.users import CALLER

CALL = ("git", "tree", "--path", "docs/x")
LINE = '{"grant": "git", "action": "tree", "args": {"path": "docs/x"}}\n'
ARGS = {"path": "docs/x"}
LIMIT = 30
PATIENT_MS = "5000"  # for tests in which time does not matter


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a server for the tests of this module, each of which has a name of its own."""
    with running_server() as running:
        yield running


@pytest.fixture
def dying_server() -> Iterator[RedisServer]:
    """Run a server that the test may kill."""
    with running_server() as running:
        yield running


Configure = Callable[..., Settings]


@pytest.fixture
def configure(tmp_path: Path, root: Path) -> Configure:
    """Return what writes the user's settings for a server, and opens the budgets: it has just started."""

    def configure(server: RedisServer, **more: object) -> Settings:
        key = tmp_path / "key"
        key.write_bytes(SECRET)
        key.chmod(0o600)
        values = {
            "url": server.url, "name": fresh_name().replace(" ", "-"), "key_file": str(key), "timeout_ms": int(PATIENT_MS), **more,
        }  # fmt: skip
        file = tmp_path / "config/cortex-policy/config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[budgets]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
        settings = load_effective_settings(str(root))
        make_server_budgets_for_one_call(settings).reset_all()
        return settings

    return configure


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes this process one of several hosts."""

    def become(name: str) -> None:
        directory = tmp_path / name
        directory.mkdir(mode=0o700, exist_ok=True)
        monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(directory))

    return become


def used(*words: str) -> int:
    """Return what any host sees."""
    (budget,) = json.loads(run_command("rate", "show", "git", "--json", *words).stdout)["budgets"][:1]
    return int(budget["used"])


def test_every_door_of_every_host_takes_from_one_budget(
    server: RedisServer, configure: Configure, host: Callable[[str], None], root: Path
) -> None:
    """What one has taken, the next one sees: check, enforce, run, a batch, a store, Python."""
    configure(server)
    doors: dict[str, Callable[[], object]] = {
        "check": lambda: run_command("check", *CALL),
        "enforce": lambda: run_command("enforce", *CALL),
        "batch": lambda: run_command("check", "--batch", "-", given=LINE * 2),
        "python": lambda: enforce(load_grant("git"), "tree", ARGS),
        "peek": lambda: run_command("check", *CALL, "--peek"),
    }
    seen = []
    for name, ask in doors.items():
        host(name)
        ask()
        seen.append(used())
    assert seen == [1, 2, 4, 5, 5]
    host("store")
    with PolicyStore(root) as store:
        budgets = [store.enforce("git", "tree", ARGS).budget for _ in range(3)]
    budgets += [outcome.budget for outcome in asyncio.run(enforce_at_once(root, 1)) if isinstance(outcome, Decision)]
    assert [budget and (budget.used, budget.local) for budget in budgets] == [
        (6, False),
        (7, False),
        (8, False),
        (9, False),
    ]
    answer = json.loads(run_command("check", *CALL, "--cost", "20", "--json").stdout)
    assert answer["rate"] | {"retry_after_seconds": 0} == {
        "limit": LIMIT, "used": 29, "remaining": 1, "retry_after_seconds": 0.0, "consumed": 20,
    }  # fmt: skip
    assert "budget" not in answer


def test_a_full_budget_denies_on_every_host(
    server: RedisServer, configure: Configure, host: Callable[[str], None], root: Path
) -> None:
    """With 14, and when a call fits again."""
    configure(server)
    run_command("check", *CALL, "--cost", str(LIMIT))
    host("other")
    assert "30 of 30 used" in run_command("check", *CALL, code=14).stderr
    answer = json.loads(run_command("check", "--batch", "-", given=LINE, code=14).stdout)
    assert answer["retryable"]
    assert 0 < answer["rate"]["retry_after_seconds"] <= 60
    with PolicyStore(root) as store, pytest.raises(AccessDenied) as caught:
        store.enforce("git", "tree", ARGS)
    assert caught.value.decision.retryable


def test_hosts_with_another_name_or_another_key_do_not_share(
    server: RedisServer, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that two teams give by chance is theirs together only with the same key."""
    configure(server)
    run_command("check", *CALL)
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_NAME", "another")
    run_command("rate", "reset", "git", "--yes")
    assert used() == 0
    monkeypatch.delenv("CORTEX_POLICY_BUDGETS_NAME")
    assert used() == 1
    (tmp_path / "other").write_bytes(bytes(range(32)))
    (tmp_path / "other").chmod(0o600)
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_KEY_FILE", str(tmp_path / "other"))
    run_command("rate", "reset", "git", "--yes")
    assert used() == 0


def test_a_reset_on_one_host_counts_on_all(
    server: RedisServer, configure: Configure, host: Callable[[str], None]
) -> None:
    """It says whose hits it forgets."""
    settings = configure(server)
    run_command("check", *CALL, "--cost", str(LIMIT))
    host("other")
    whose = f"all hosts that name them `{settings.budgets_name}`"
    done = run_command("rate", "reset", "git", "tree", "--yes")
    assert f"reset for {whose}: tree" in done.stdout
    assert f"budgets of {whose}, on {server.path} (single)" in done.stderr
    run_command("check", *CALL)
    assert used() == 1
    shown = json.loads(run_command("rate", "reset", "git", "--yes", "--json").stdout)
    assert shown["shared"] == {"name": settings.budgets_name, "server": f"{server.path} (single)"}
    assert "tree" in shown["reset"]
    assert "are as before" in run_command("rate", "purge", "--yes").stderr


def test_a_server_that_has_just_started_says_why_it_is_closed(
    server: RedisServer, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the answer and in `rate show`."""
    configure(server)
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_NAME", "never-opened")
    assert "closed for a minute: the server has started" in run_command("check", *CALL, code=14).stderr
    assert "closed: the server has started" in run_command("rate", "show", "git").stdout


def test_a_reset_that_opens_a_closed_budget_is_told_and_recorded(
    server: RedisServer, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though no hit of it was counted yet: it lets calls pass."""
    configure(server)
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_NAME", "to-be-opened")
    run_command("check", *CALL, code=14)
    assert (
        "reset for all hosts that name them `to-be-opened`: tree" in run_command("rate", "reset", "git", "--yes").stdout
    )
    run_command("check", *CALL)
    (recorded,) = json.loads(run_command("log", "git", "--json").stdout)["commands"]
    assert recorded["command"] == "rate reset"


@pytest.mark.parametrize("kind", ["gone", "paused"])
def test_a_server_that_does_not_answer_denies_every_call(
    dying_server: RedisServer, configure: Configure, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With 24, the server and a hint; nothing is counted on this host."""
    configure(dying_server)
    run_command("check", *CALL)
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_TIMEOUT_MS", "100")
    if kind == "gone":
        dying_server.kill()
    with dying_server.paused() if kind == "paused" else open("/dev/null"):
        done = run_command("check", *CALL, code=24)
        assert f"rate state unavailable: the server of shared budgets at `{dying_server.path} (single)`" in done.stderr
        assert "hint: look whether the server" in done.stderr
        run_command("run", *CALL, "--", "true", code=24)
        run_command("check", "--batch", "-", given=LINE, code=24)
        run_command("rate", "reset", "git", "--yes", code=24)
        shown = json.loads(run_command("rate", "show", "git", "--json").stdout)["budgets"][0]
        assert (shown["used"], "the server of shared budgets" in shown["problem"]) == (None, True)
        with PolicyStore(root) as store, pytest.raises(StateError):
            store.enforce("git", "tree", ARGS)


def test_a_host_counts_its_share_by_itself_and_says_so_by_every_door(
    dying_server: RedisServer, configure: Configure, root: Path, log: Path
) -> None:
    """7 of 30, whatever the server had admitted."""
    configure(dying_server, on_error="local", local_share=0.25)
    run_command("check", *CALL, "--cost", "20")
    dying_server.kill()
    answer = json.loads(run_command("check", *CALL, "--json").stdout)
    assert (answer["budget"], answer["rate"]["limit"], answer["rate"]["used"]) == ("local", 7, 1)
    assert json.loads(run_command("check", "--batch", "-", given=LINE).stdout)["budget"] == "local"
    assert enforced(lambda: enforce(load_grant("git"), "tree", ARGS)) == 3
    with PolicyStore(root) as store:
        assert enforced(lambda: store.enforce("git", "tree", ARGS)) == 4
    assert [event["data"].get("budget") for event in events(log)] == [None, "local", "local", "local", "local"]
    log.unlink()
    assert "local: the server does not answer" in run_command("rate", "show", "git").stdout
    assert "used in the last minute on this host" in run_command("check", *CALL, "--cost", "4", code=14).stderr
    run_command("check", *CALL, "--cost", "8", code=24)


def enforced(ask: Callable[[], Decision]) -> int | None:
    """Return how much is used by now on this host."""
    budget = ask().budget
    return budget.used if budget is not None and budget.local else None


def test_all_roots_of_a_host_have_one_share(
    dying_server: RedisServer, configure: Configure, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they have one budget on the server; so a copy of a policy brings no calls."""
    configure(dying_server, on_error="local", local_share=0.25)
    dying_server.kill()
    used, copy = [], tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    for place in (root, copy):
        monkeypatch.chdir(place)
        used.append(json.loads(run_command("check", *CALL, "--root", str(place), "--json").stdout)["rate"]["used"])
    with PolicyStore(copy) as store:
        used.append(store.enforce("git", "tree", ARGS).budget.used)  # type: ignore[union-attr]
    assert used == [1, 2, 3]
    run_command("rate", "reset", "git", "tree", "--yes", "--root", str(root), code=24)
    run_command("rate", "purge", "--yes", "--root", str(root))
    assert json.loads(run_command("check", *CALL, "--root", str(copy), "--json").stdout)["rate"]["used"] == 1


def test_a_store_without_a_log_says_so_too_and_asks_a_server_that_is_back(
    dying_server: RedisServer, configure: Configure, root: Path
) -> None:
    """It need not be started again."""
    configure(dying_server, on_error="local", local_share=0.25)
    with PolicyStore(root) as store:
        assert store.enforce("git", "tree", ARGS).budget.local is False  # type: ignore[union-attr]
        dying_server.kill()
        assert [enforced(lambda: store.enforce("git", "tree", ARGS)) for _ in range(7)] == [*range(1, 8)]
        with pytest.raises(AccessDenied, match="7 of 7 used in the last minute on this host"):
            store.enforce("git", "tree", ARGS)


def test_a_wrong_password_is_no_reason_to_count_here(configure: Configure, tmp_path: Path, root: Path) -> None:
    """It denies, without a text that has it; a store reads the file again once it is right."""
    password = tmp_path / "password"
    password.write_text("right\n")
    password.chmod(0o600)
    with running_server("--requirepass", "right") as server:
        configure(server, on_error="local", local_share=1.0, password_file=str(password))
        run_command("check", *CALL)
        password.write_text("wr0ng\n")
        done = run_command("check", *CALL, "--json", code=24)
        assert "password" in done.stdout
        assert "wr0ng" not in done.stdout
        with PolicyStore(root) as store:
            with pytest.raises(StateError):
                store.enforce("git", "tree", ARGS)
            password.write_text("right\n")
            assert store.enforce("git", "tree", ARGS).budget.used == 2  # type: ignore[union-attr]


def test_the_environment_may_hold_the_password(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    """It is no setting, and leaves no trace in the state directory."""
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_PASSWORD", "right")
    with running_server("--requirepass", "right") as server:
        configure(server)
        run_command("check", *CALL)
        before = sorted(path.name for path in state.iterdir())
        monkeypatch.setenv("CORTEX_POLICY_BUDGETS_PASSWORD", "wrong")
        run_command("check", *CALL, code=24)
        assert sorted(path.name for path in state.iterdir()) == before


@pytest.mark.parametrize("fault", ["absent", "open to all", "empty", "short", "a directory"])
def test_a_key_that_others_know_or_guess_denies(
    server: RedisServer, configure: Configure, tmp_path: Path, fault: str
) -> None:
    """With 24 and the file."""
    configure(server)
    key = tmp_path / "key"
    if fault == "open to all":
        key.chmod(0o644)
    elif fault in ("absent", "a directory"):
        key.unlink()
        if fault == "a directory":
            key.mkdir()
    else:
        key.write_bytes(b"" if fault == "empty" else b"short")
    assert "key" in run_command("check", *CALL, code=24).stderr


def test_a_project_cannot_take_its_calls_elsewhere(server: RedisServer, configure: Configure, root: Path) -> None:
    """Nor can it choose to be counted on this host: every call of it is denied."""
    configure(server)
    file = root / ".cortex/policy/config.toml"
    for line in ('url = "redis://127.0.0.1:1"', 'name = "mine"', 'on_error = "local"', "local_share = 1.0"):
        file.write_text(f"[budgets]\n{line}\n")
        assert "cannot be set by the project" in run_command("check", *CALL, code=27).stderr
    file.unlink()
    run_command("check", *CALL)
    assert used() == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n", b"\x1b[31m+OK\r\n", b"+" + b"9" * 9000 + b"\r\n", b"$3\r\nabc\r\n", b"-ERR \x1b[31m\r\n",
        b"+1 1 0 99999 -\r\n+OK\r\n", b"+2 1 0 99999 -\r\n", b"+0 1 0 -1 -\r\n", b"+1 1 0 99999 x\r\n",
    ],
)  # fmt: skip
def test_what_is_no_server_of_budgets_denies(
    server: RedisServer, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, garbage: bytes
) -> None:
    """With `local`, too: that is for a server that is silent, not for one that answers anything."""
    configure(server, on_error="local", local_share=1.0)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(garbage)

        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setenv("CORTEX_POLICY_BUDGETS_URL", f"unix://{tmp_path}/sock")
        done = run_command("check", *CALL, code=24)
        thread.join()
    assert "the server of shared budgets" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_call_that_two_lines_of_an_agent_deliver_takes_one_hit_of_the_server(
    server: RedisServer, configure: Configure, root: Path, tmp_path: Path
) -> None:
    """A hook believes files alone, and finds the server there."""
    scene, settings = make_scene(root, tmp_path), configure(server)
    scene.variables["HOME"] = str(tmp_path / "home")
    place = tmp_path / "home/.config/cortex-policy"
    place.mkdir(parents=True)
    (tmp_path / "config/cortex-policy/config.toml").rename(place / "config.toml")
    for tag in ("user", "project"):
        scene.words = ["--install", tag]
        assert_allowed(scene.ask("claude"))
    assert scene.used() == 0
    assert make_server_budgets_for_one_call(settings).usage("fs", "write") == 1


def test_a_resident_hook_takes_its_hits_from_the_server(
    server: RedisServer, configure: Configure, root: Path, tmp_path: Path
) -> None:
    """Once, if another line delivers the same call."""
    scene, settings = make_scene(root, tmp_path), configure(server)
    place = tmp_path / "home/.config/cortex-policy"
    place.mkdir(parents=True)
    (tmp_path / "config/cortex-policy/config.toml").rename(place / "config.toml")
    data = scene.payload("claude")
    with running(scene, "claude", "--install", "resident") as resident:
        scene.words = ["--install", "user"]
        for hits in (1, 2):
            assert_allowed(resident.ask(data))
            assert_allowed(scene.ask("claude", data))
            assert make_server_budgets_for_one_call(settings).usage("fs", "write") == hits
    assert scene.used() == 0


def test_commands_for_people_show_the_shared_budget(server: RedisServer, configure: Configure) -> None:
    """And whose it is."""
    configure(server)
    run_command("check", *CALL)
    assert "action  tree: 29 of 30 left" in run_command("show", "git").stdout
    assert "of all hosts that name them" in run_command("status").stdout
    assert (
        json.loads(run_command("status", "--json").stdout)["budgets"]["shared"]["server"] == f"{server.path} (single)"
    )
    assert result_of("list").returncode == 0


def test_a_store_that_was_given_budgets_asks_no_server(
    dying_server: RedisServer, configure: Configure, root: Path
) -> None:
    """The program has said where it counts."""
    configure(dying_server)
    dying_server.kill()
    budgets = MemoryBudgets()
    with PolicyStore(root, budgets=budgets) as store:
        for _ in range(3):
            store.enforce("git", "tree", ARGS)
    enforce(load_grant("git"), "tree", ARGS, budgets=budgets)
    assert budgets.peek("git-map", "tree", LIMIT).used == 4


def test_an_approved_call_takes_its_hit_from_the_server_once(
    server: RedisServer, configure: Configure, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The approval is used up with it."""
    settings = configure(server)
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    grant = root / ".cortex/policy/tools/git.json"
    grant.write_text(grant.read_text().replace('"internal"', '"sensitive"'))
    asked = json.loads(run_command("check", *CALL, "--json", code=13).stdout)
    run_command("approve", asked["approval"]["id"], "--yes")
    run_command("check", *CALL)
    run_command("check", *CALL, code=13)
    assert make_server_budgets_for_one_call(settings).usage("git-map", "tree") == 1


def test_a_call_that_waits_gets_the_room_that_another_host_makes(
    server: RedisServer, configure: Configure, host: Callable[[str], None]
) -> None:
    """It asks again, at least once a second."""
    settings = configure(server)
    run_command("check", *CALL, "--cost", str(LIMIT))
    host("other")
    timer = threading.Timer(0.3, lambda: make_server_budgets_for_one_call(settings).reset("git-map", "tree"))
    timer.start()
    run_command("check", *CALL, "--wait", "20")
    timer.join()
    assert make_server_budgets_for_one_call(settings).usage("git-map", "tree") == 1


async def enforce_at_once(root: Path, number: int, *, stores: int = 1) -> list[object]:
    """Enforce calls of several stores as tasks of one loop, once each has the grant; return decisions and errors."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(PolicyStore(root)) for _ in range(stores)]
        for store in opened:
            await store.load_async("git")
        tasks = [store.enforce_async("git", "tree", ARGS) for store in opened for _ in range(number)]
        outcomes: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(store.stats().refusals for store in opened) == sum(isinstance(one, AccessDenied) for one in outcomes)
    return outcomes


def test_tasks_of_several_stores_take_the_whole_budget_and_no_more(
    server: RedisServer, configure: Configure, root: Path
) -> None:
    """Each decision has its budget."""
    settings = configure(server)
    outcomes = asyncio.run(enforce_at_once(root, 40, stores=2))
    allowed = [outcome for outcome in outcomes if isinstance(outcome, Decision)]
    denied = [outcome for outcome in outcomes if isinstance(outcome, AccessDenied)]
    assert (len(allowed), len(denied)) == (LIMIT, 80 - LIMIT)
    assert sorted(outcome.budget.used for outcome in allowed if outcome.budget is not None) == [*range(1, LIMIT + 1)]
    assert make_server_budgets_for_one_call(settings).usage("git-map", "tree") == LIMIT


@pytest.mark.parametrize(("on_error", "kinds"), [("deny", {StateError}), ("local", {Decision, AccessDenied})])
def test_tasks_get_what_threads_get_while_the_server_is_gone(
    dying_server: RedisServer, configure: Configure, root: Path, on_error: str, kinds: set[type]
) -> None:
    """An error, or the share of this host."""
    configure(dying_server, on_error=on_error, local_share=0.25)
    assert isinstance(asyncio.run(enforce_at_once(root, 1))[0], Decision)
    dying_server.kill()
    outcomes = asyncio.run(enforce_at_once(root, 20))
    assert not [outcome for outcome in outcomes if not isinstance(outcome, tuple(kinds))]
    local = [outcome.budget for outcome in outcomes if isinstance(outcome, Decision)]
    assert [budget is not None and budget.local for budget in local] == [True] * (7 if on_error == "local" else 0)


def test_a_task_with_a_wrong_password_is_denied_until_the_file_is_right(
    configure: Configure, tmp_path: Path, root: Path
) -> None:
    """As a thread is; the store need not be opened again."""
    password = tmp_path / "password"
    password.write_text("right")
    password.chmod(0o600)

    async def enforce_with_both() -> Decision:
        async with PolicyStore(root) as store:
            await store.load_async("git")
            password.write_text("wrong")
            with pytest.raises(StateError, match="password"):
                await store.enforce_async("git", "tree", ARGS)
            password.write_text("right")
            return await store.enforce_async("git", "tree", ARGS)

    with running_server("--requirepass", "right") as server:
        configure(server, on_error="local", local_share=1.0, password_file=str(password))
        assert asyncio.run(enforce_with_both())


def test_root_resets_and_sees_the_shared_budgets_of_another_user(server: RedisServer, own: Path) -> None:
    """As that user, whose key it is: root need not have one."""
    (own / "key").write_bytes(SECRET)
    (own / "state").mkdir(mode=0o700)
    for path in (own / "key", own / "state"):
        os.chown(path, CALLER, CALLER)
    (own / "key").chmod(0o600)
    variables = {
        "CORTEX_POLICY_STATE_DIR": str(own / "state"),
        "CORTEX_POLICY_BUDGETS_URL": server.tcp_url,
        "CORTEX_POLICY_BUDGETS_NAME": "of-another-user",
        "CORTEX_POLICY_BUDGETS_KEY_FILE": str(own / "key"),
        "CORTEX_POLICY_BUDGETS_TIMEOUT_MS": "5000",
    }
    words = ("--root", str(own), "--user", str(CALLER))
    reset = process_of("rate", "reset", "git", "tree", "--yes", *words, **variables)
    assert (reset.returncode, reset.stdout) == (0, "reset for all hosts that name them `of-another-user`: tree\n"), (
        reset
    )
    shown = json.loads(process_of("rate", "show", "git", "--json", *words, **variables).stdout)
    assert (shown["uid"], shown["shared"]["name"], shown["budgets"][0]["used"]) == (CALLER, "of-another-user", 0)
