"""Grants in memory: a decision that begins after a change uses what was changed, whatever it was."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import Decision, GrantError, StateError, UsageError
from cortex_policy.library import preconditions
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.state.memory_budgets import MemoryBudgets
from tests.support.roots import GIT

STILL = 0.03  # seconds after which a file that was written may be kept
PATH = {"path": "docs/guide.md"}


@pytest.fixture
def store(root: Path, ears: str) -> Iterator[PolicyStore]:
    """Create a store with its grants in memory; one with events of the kernel, and one without."""
    assert ears
    time.sleep(STILL)
    with PolicyStore(root) as store:
        store.preload()
        assert store.decide("git", "tree")
        yield store


def digest(file: Path) -> str:
    """Return the digest that a decision by these bytes has."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def changed(**members: object) -> bytes:
    """Return the grant with other members."""
    return json.dumps({**GIT, **members}).encode()


def rewritten(file: Path, data: bytes) -> None:
    """Write into the existing file."""
    file.write_bytes(data)


def renamed_over(file: Path, data: bytes) -> None:
    """Put another file in its place."""
    other = file.with_suffix(".new")
    other.write_bytes(data)
    other.replace(file)


def rewritten_alike(file: Path, data: bytes) -> None:
    """Keep size and modification time."""
    before = file.stat()
    assert len(data) == before.st_size
    with file.open("r+b") as opened:
        opened.write(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def swapped_above(levels: int) -> Callable[[Path, bytes], None]:
    """Replace a directory above the file."""

    def swap(file: Path, data: bytes) -> None:
        above = file.parents[levels]
        twin = above.with_name(above.name + ".twin")
        shutil.copytree(above, twin, symlinks=True)
        (twin / file.relative_to(above)).write_bytes(data)
        above.rename(above.with_name(above.name + ".old"))
        twin.rename(above)

    return swap


def by_this_program(file: Path, _: bytes) -> None:
    """Revoke an action by a command."""
    words = ["cortex_policy", "set", file.stem, "--revoke", "tree", "--root", str(file.parents[3])]
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)


def checked_out(file: Path, data: bytes) -> None:
    """Commit the old and the new grant on two branches, and check out the new one."""
    top = file.parents[3]

    def git(*words: str) -> None:
        name = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *name, *words], cwd=top, check=True, capture_output=True)

    git("init", "-b", "before")
    git("add", "-A")
    git("commit", "-m", "before")
    git("checkout", "-b", "after")
    file.write_bytes(data)
    git("commit", "-am", "after")
    git("checkout", "before")
    git("checkout", "after")


MEANS = [
    rewritten, renamed_over, rewritten_alike, swapped_above(0), swapped_above(1), swapped_above(2), swapped_above(3),
    by_this_program, checked_out,
]  # fmt: skip


@pytest.mark.parametrize(
    "write", MEANS, ids=["rewrite", "rename", "alike", "tools", "policy", "cortex", "root", "set", "git"]
)
def test_the_next_decision_uses_what_was_written(
    store: PolicyStore, root: Path, write: Callable[[Path, bytes], None]
) -> None:
    """Whoever wrote it, and whatever stayed the same."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    before = store.decide("git", "tree", PATH)
    assert before.grant_sha256 == digest(file)
    write(file, changed(actions=["xxxx", "snippet", "search"]))
    after = store.decide("git", "tree", PATH)
    assert after.grant_sha256 == digest(file) != before.grant_sha256
    assert not after
    with pytest.raises(AccessDenied):
        store.enforce("git", "tree", PATH)
    assert "tree" not in store.load("git").actions


def test_writes_right_after_one_another_are_all_seen(store: PolicyStore, root: Path) -> None:
    """However close: a file that may change again with the same time stamp is never kept."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    for number in range(300):
        rewritten_alike(file, changed(tool=f"git-{number % 10}xx"[:7]))
        assert store.decide("git", "tree").grant_sha256 == digest(file)


@pytest.mark.parametrize("directory", [".", ".cortex", ".cortex/policy", ".cortex/policy/tools"])
def test_a_directory_that_others_may_write_is_noticed_at_once(store: PolicyStore, root: Path, directory: str) -> None:
    """And so is the fix."""
    (root / directory).chmod(0o777)
    for ask in (store.decide, store.enforce):
        with pytest.raises(GrantError, match="writable by everyone"):
            ask("git", "tree")
    with pytest.raises(GrantError, match="writable by everyone"):
        store.load("git")
    (root / directory).chmod(0o755)
    assert store.decide("git", "tree")


def test_a_grant_that_others_may_write_is_noticed_at_once(store: PolicyStore, root: Path) -> None:
    """Its bytes are the same, but more users could change them."""
    (root / ".cortex" / "policy" / "tools" / "git.json").chmod(0o666)
    with pytest.raises(GrantError, match="writable by everyone"):
        store.enforce("git", "tree")


def test_a_removed_grant_is_not_found(store: PolicyStore, root: Path) -> None:
    """And one that comes back is found."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    kept = file.rename(file.with_suffix(".away"))
    with pytest.raises(GrantError) as error:
        store.decide("git", "tree")
    assert error.value.reason == "grant_not_found"
    kept.rename(file)
    assert store.decide("git", "tree")


def test_a_stop_denies_from_the_next_call_on(store: PolicyStore, root: Path) -> None:
    """Its name is enough, and only while it exists. Loading is still allowed."""
    stop = root / ".cortex" / "policy" / "stop"
    stop.touch()
    assert store.decide("git", "tree").reason == "stopped"
    with pytest.raises(AccessDenied) as error:
        store.enforce("git", "tree")
    assert error.value.exit_code == 15
    assert store.load("git").tool == "git-map"
    stop.unlink()
    assert store.decide("git", "tree")
    assert store.stats().refusals == 2


def test_a_stop_of_the_host_denies_from_the_next_call_on(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if its directory did not exist before."""
    system = tmp_path / "etc" / "cortex-policy"
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(system))
    time.sleep(STILL)
    with PolicyStore(root) as store:
        for _ in range(2):
            assert store.decide("git", "tree")
            system.mkdir(parents=True)
            (system / "stop").touch()
            assert store.decide("git", "tree").reason == "stopped"
            shutil.rmtree(system.parent)
        assert store.decide("git", "tree")


def test_user_settings_apply_from_the_next_call_on(store: PolicyStore, tmp_path: Path) -> None:
    """Even if their directory did not exist before."""
    directory = tmp_path / "config" / "cortex-policy"
    assert store.decide("git", "tree")
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text("require_path = true\n")
    assert store.decide("git", "tree").reason == "path_outside_scope"
    (directory / "config.toml").unlink()
    assert store.decide("git", "tree")


def test_project_settings_apply_from_the_next_call_on(store: PolicyStore, root: Path) -> None:
    """They can only tighten; the file is changed in place."""
    file = root / ".cortex" / "policy" / "config.toml"
    assert store.decide("git", "tree")
    file.write_text("require_path = true \n")
    assert store.decide("git", "tree").reason == "path_outside_scope"
    file.write_text("require_path = false\n")
    assert store.decide("git", "tree")


def test_a_required_stamp_is_checked_for_each_version(store: PolicyStore, root: Path) -> None:
    """A grant that was edited by hand is refused until it is stamped."""
    (root / ".cortex" / "policy" / "config.toml").write_text('stamp = "require"\n')
    with pytest.raises(GrantError) as error:
        store.enforce("git", "tree")
    assert error.value.reason == "stamp_mismatch"
    subprocess.run(
        [sys.executable, "-m", "cortex_policy", "stamp", "write", "--allow-widening", "--root", root],
        check=True,
        capture_output=True,
    )
    assert store.enforce("git", "tree")
    (root / ".cortex" / "policy" / "stamp.json").unlink()
    with pytest.raises(GrantError):
        store.enforce("git", "tree")


def test_environment_variables_apply_within_moments(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong to the process, and are read 50 times a second."""
    with PolicyStore(root) as store:
        assert store.decide("git", "tree")
        monkeypatch.setenv("CORTEX_POLICY_REQUIRE_PATH", "true")
        time.sleep(STILL)
        assert store.decide("git", "tree").reason == "path_outside_scope"


def test_an_unchanged_grant_is_read_once(store: PolicyStore) -> None:
    """And uses of kept grants are counted."""
    before = store.stats()
    for _ in range(50):
        assert store.decide("git", "tree", PATH)
        assert store.load("git").tool == "git-map"
    after = store.stats()
    assert (after.misses, after.reloads) == (before.misses, before.reloads)
    assert after.hits - before.hits >= 100
    assert after.grants == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has inotify")
def test_nothing_is_examined_twice_if_the_kernel_reports_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the first decision after a write somewhere else, nor by the thousandth."""
    monkeypatch.setattr(preconditions, "MAX_AGE_NS", 1 << 62)
    looks, look = [], preconditions.read_preconditions
    monkeypatch.setattr(preconditions, "read_preconditions", lambda name: looks.append(1) or look(name))
    time.sleep(STILL)
    with PolicyStore(root) as store:
        for _ in range(3):
            assert store.enforce("git", "tree", PATH)
        seen = len(looks)
        (root / "docs" / "new").write_text("")
        (root / ".cortex" / "policy" / "tools" / "model-gateway.json").write_text("{}")
        for _ in range(20):
            assert store.enforce("git", "tree", PATH)
            assert store.decide("git", "tree")
        assert len(looks) == seen


def test_decide_decides_like_enforce(store: PolicyStore) -> None:
    """Allowed and denied, with the same paths, obligations and details."""
    grant = load_grant("git")
    for action, args in (("tree", PATH), ("tree", {}), ("push", {}), ("tree", {"path": "etc"}), ("tree", {"path": 3})):
        try:
            expected = enforce(grant, action, args)
        except AccessDenied as error:
            expected = error.decision
        found = store.decide("git", action, args)
        for field in ("reason", "detail", "obligations", "paths"):
            assert getattr(found, field) == getattr(expected, field)


def test_only_an_allowed_enforce_consumes_budget(store: PolicyStore) -> None:
    """All processes share the budget; if it is full, the denial says how long to wait."""
    for _ in range(40):
        store.decide("git", "tree", PATH)
    for _ in range(15):
        assert store.enforce("git", "tree", PATH)
        assert enforce(load_grant("git"), "tree", PATH)
    with pytest.raises(AccessDenied) as error:
        store.enforce("git", "tree", PATH)
    decision: Decision = error.value.decision
    assert decision.reason == "rate_limited"
    assert decision.budget is not None
    assert 0 < (decision.budget.retry_after_seconds or 0) <= 60
    assert decision.retryable


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_flood_is_denied_with_the_same_message_as_any_other_call(root: Path, kind: str) -> None:
    """Whether the file is read, or the answer is known."""
    grant = load_grant("git")
    time.sleep(STILL)
    with PolicyStore(root, budgets=MemoryBudgets() if kind == "memory" else None) as store:
        budgets = store._budgets.for_grant(store._cache.read_and_keep("git", lambda: store._load("git")))  # noqa: SLF001 - to ask it too
        for _ in range(30):
            store.enforce("git", "tree", PATH)
        for _ in range(5):
            with pytest.raises(AccessDenied) as error:
                store.enforce("git", "tree", PATH)
            with pytest.raises(AccessDenied) as other:
                enforce(grant, "tree", PATH, budgets=budgets)
            found, expected = error.value.decision, other.value.decision
            assert found.grant_sha256 == (grant.origin.sha256 if grant.origin else None)
            for field in ("reason", "detail", "obligations", "paths", "message"):
                assert getattr(found, field) == getattr(expected, field)
            assert found.budget is not None
            assert expected.budget is not None
            assert found.budget._fields()[:3] == expected.budget._fields()[:3]
            assert found.budget.retry_after_seconds == pytest.approx(expected.budget.retry_after_seconds, abs=5)


def test_a_cost_is_consumed_completely(root: Path) -> None:
    """Or not at all."""
    with PolicyStore(root, budgets=MemoryBudgets()) as store:
        assert store.enforce("git", "tree", cost=30)
        with pytest.raises(AccessDenied):
            store.enforce("git", "tree")
        with pytest.raises(UsageError):
            store.enforce("git", "search", cost=0)


def test_the_least_recently_used_grant_is_dropped(root: Path) -> None:
    """And is read again when it is needed."""
    tools = root / ".cortex" / "policy" / "tools"
    for name in "abc":
        (tools / f"{name}.json").write_text(json.dumps({**GIT, "tool": name}))
    time.sleep(STILL)
    with PolicyStore(root, max_grants=2) as store:
        for name in ("a", "b", "a", "c", "a", "b"):
            assert store.load(name).tool == name
        stats = store.stats()
    assert (stats.misses, stats.evictions, stats.grants) == (4, 2, 2)


def test_preload_returns_failures_and_raises_nothing(root: Path) -> None:
    """The other grants are loaded."""
    (root / ".cortex" / "policy" / "tools" / "broken.json").write_text("{")
    with PolicyStore(root) as store:
        warmth = store.preload()
        assert warmth.loaded == ("git", "model-gateway")
        assert warmth.failures["broken"].exit_code == 21
        named = store.preload(["git", "nobody", "../x"])
        assert (named.loaded, list(named.failures)) == (("git",), ["nobody", "../x"])
        (root / ".cortex" / "policy" / "tools").chmod(0o777)
        assert list(store.preload().failures) == [""]


def test_invalidated_grants_are_read_again(store: PolicyStore) -> None:
    """One grant, or all."""
    before = store.stats().misses
    store.invalidate("git")
    store.load("git")
    store.invalidate()
    store.preload()
    assert store.stats().misses == before + 3


@pytest.mark.parametrize("word", [None, 3, [], "", "..", "a/b", "x" * 200, b"git", "\ud800"])
def test_only_an_id_is_looked_up(store: PolicyStore, word: str) -> None:
    """Every error is one of this package."""
    for ask in (lambda: store.load(word), lambda: store.decide(word, "tree"), lambda: store.enforce(word, "tree")):
        with pytest.raises((GrantError, UsageError)):
            ask()
    with pytest.raises((GrantError, UsageError)):
        asyncio.run(store.load_async(word))


def test_a_closed_store_decides_nothing(root: Path) -> None:
    """Whatever it had in memory."""
    store = PolicyStore(root)
    store.preload()
    store.close()
    store.close()
    for ask in (lambda: store.load("git"), lambda: store.decide("git", "tree"), lambda: store.enforce("git", "tree")):
        with pytest.raises(UsageError, match="closed"):
            ask()
    with pytest.raises(UsageError, match="closed"):
        store.subscribe(print)


def test_threads_share_a_store_and_a_budget(root: Path) -> None:
    """Exactly as many calls are allowed as the rate says, while the grant is written again and again."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    passed: list[Decision] = []
    refused: list[int] = []
    over = threading.Event()
    with PolicyStore(root) as store:

        def call() -> None:
            for _ in range(40):
                try:
                    passed.append(store.enforce("git", "tree", PATH))
                except AccessDenied:
                    refused.append(1)

        def write() -> None:
            while not over.is_set():
                renamed_over(file, changed(dataClass="public"))

        writer, workers = threading.Thread(target=write), [threading.Thread(target=call) for _ in range(4)]
        for thread in (writer, *workers):
            thread.start()
        for thread in workers:
            thread.join()
        over.set()
        writer.join()
    assert (len(passed), len(refused)) == (30, 130)


def test_an_event_loop_goes_on_while_a_pattern_is_matched(root: Path) -> None:
    """A pattern that takes a backtracking engine for ever, and this one to its limit: the call is denied."""
    declaration = {"pattern": "^(?:a|b|(?:a|b))*a(?:a|b){400}c"}
    (root / ".cortex/policy/tools/git.json").write_bytes(changed(args={"repo": declaration}))

    async def ask(store: PolicyStore) -> tuple[int, str]:
        call, turns = (
            asyncio.ensure_future(store.enforce_async("git", "tree", {"repo": "abba" * 9_000 + "c"} | PATH)),
            0,
        )
        while not call.done():
            await asyncio.sleep(0)
            turns += 1
        with pytest.raises(AccessDenied) as caught:
            await call
        return turns, str(caught.value)

    with PolicyStore(root) as store:
        turns, denial = asyncio.run(ask(store))
    assert turns >= 10
    assert "within 300,000 steps" in denial


def test_a_child_of_a_fork_and_its_parent_both_notice_changes(store: PolicyStore, root: Path) -> None:
    """With one queue for both, each would take events from the other."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    assert store.decide("git", "tree")
    told, tell = os.pipe()
    ready, say_ready = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            first = store.decide("git", "tree")
            os.write(say_ready, b".")
            os.read(told, 1)
            code = 0 if first and not store.decide("git", "tree") and not store.decide("git", "tree") else 2
        finally:
            os._exit(code)
    os.read(ready, 1)
    renamed_over(file, changed(actions=[]))
    os.write(tell, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not store.decide("git", "tree")
    for descriptor in (told, tell, ready, say_ready):
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux lists")
def test_close_leaves_nothing_open(root: Path) -> None:
    """No descriptor, no thread."""
    PolicyStore(root).close()
    descriptors, threads = set(os.listdir("/proc/self/fd")), threading.active_count()
    with PolicyStore(root, reader="gateway") as store:
        store.preload()
        store.enforce("git", "tree", PATH)
        store.subscribe(print)
        assert threading.active_count() > threads
    assert threading.active_count() == threads
    deadline = time.monotonic() + 20
    while set(os.listdir("/proc/self/fd")) != descriptors and time.monotonic() < deadline:
        time.sleep(0.01)  # `watchfiles` closes its own in a thread of its own
    assert set(os.listdir("/proc/self/fd")) == descriptors


def test_a_store_works_without_watches(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel has none left, each decision examines everything."""
    monkeypatch.setattr("cortex_policy.library.inotify.ENTRIES", 0)
    monkeypatch.setattr("cortex_policy.library.preconditions.ENTRIES", 0)  # inotify refuses an empty mask
    time.sleep(STILL)
    with PolicyStore(root) as store:
        assert store.decide("git", "tree")
        rewritten(root / ".cortex" / "policy" / "tools" / "git.json", changed(actions=[]))
        assert not store.decide("git", "tree")


def test_every_enforced_call_is_written_to_the_audit_log(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the fast path and in full: grants in memory do not bypass the log."""
    log = tmp_path / "log"
    time.sleep(STILL)
    with PolicyStore(root) as store:
        store.enforce("git", "tree", PATH)
        monkeypatch.setenv("CORTEX_AUDIT_LOG", str(log))
        time.sleep(STILL)  # an environment is looked at again by then
        for _ in range(2):
            store.enforce("git", "tree", PATH)
        for words, error in ((("git", "push"), AccessDenied), (("nope", "push"), GrantError)):
            with pytest.raises(error):
                store.enforce(*words)
        found = [json.loads(line)["data"] for line in log.read_text().splitlines()]
        assert [one["reason"] for one in found] == ["allowed", "allowed", "action_not_allowed", "grant_not_found"]
        with pytest.raises(AccessDenied):
            store.enforce("git", "tree", {"path": os.path.relpath(log)})
        log.unlink()
        log.mkdir()
        with pytest.raises(StateError, match="audit log"):
            store.enforce("git", "tree", PATH)
