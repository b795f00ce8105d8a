"""Each subscriber gets each change once: the old and the new digest, and whether the grant allows more."""

import hashlib
import json
import queue
import sys
import threading
import time
from pathlib import Path

import pytest

from cortex_policy.library import store_thread
from cortex_policy.library.store import PolicyStore
from cortex_policy.library.subscriptions import GrantChanged
from tests.support.roots import GIT

PATIENCE = 20  # seconds, of which it needs a fraction


def digest(data: str) -> str:
    """Return the digest that a change has for these bytes."""
    return hashlib.sha256(data.encode()).hexdigest()


def written(root: Path, grant_id: str = "git", **members: object) -> str:
    """Write a grant in one step; return its digest."""
    file = root / ".cortex" / "policy" / "tools" / f"{grant_id}.json"
    text = json.dumps({**GIT, **members})
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)
    return digest(text)


@pytest.fixture(params=["polled", "watchfiles"])
def pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for changes only by the clock, or also when `watchfiles` reports one."""
    if request.param == "watchfiles":
        pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")
    else:
        monkeypatch.setitem(sys.modules, "watchfiles", None)


@pytest.mark.usefixtures("pace")
def test_each_write_is_reported_once_with_its_verdict(root: Path) -> None:
    """A change, a new grant, a removed one, and one that only has another form."""
    changes: queue.Queue[GrantChanged] = queue.Queue()
    before = digest((root / ".cortex" / "policy" / "tools" / "git.json").read_text())
    with PolicyStore(root) as store:
        store.subscribe(changes.put)
        wide = written(root, actions=["tree", "snippet", "search", "push"])
        assert changes.get(timeout=PATIENCE) == GrantChanged("git", before, wide, "widened")
        narrow = written(root, actions=["tree"])
        assert changes.get(timeout=PATIENCE) == GrantChanged("git", wide, narrow, "narrowed")
        alike = written(root, actions=["tree"], note="for the same calls")
        assert changes.get(timeout=PATIENCE) == GrantChanged("git", narrow, alike, "same")
        new = written(root, "fresh")
        assert changes.get(timeout=PATIENCE) == GrantChanged("fresh", None, new, "widened")
        (root / ".cortex" / "policy" / "tools" / "fresh.json").unlink()
        assert changes.get(timeout=PATIENCE) == GrantChanged("fresh", new, None, "narrowed")
        time.sleep(4 * store_thread.INTERVAL_SECONDS)
        assert changes.empty()


@pytest.mark.usefixtures("pace")
def test_an_error_of_a_callback_does_not_end_the_subscription(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook of threads gets it; other subscribers and later changes are not affected."""
    changes: queue.Queue[GrantChanged] = queue.Queue()
    raised: queue.Queue[threading.ExceptHookArgs] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", raised.put)

    def fails(_: GrantChanged) -> None:
        raise ZeroDivisionError

    with PolicyStore(root) as store:
        store.subscribe(fails)
        store.subscribe(changes.put)
        for number in range(2):
            written(root, tool=f"t{number}")
            assert raised.get(timeout=PATIENCE).exc_type is ZeroDivisionError
            assert changes.get(timeout=PATIENCE).id == "git"


def test_an_ended_subscription_gets_no_more_changes(root: Path) -> None:
    """The same callback may have another subscription, and ending one twice is harmless."""
    changes: queue.Queue[GrantChanged] = queue.Queue()
    with PolicyStore(root) as store:
        end, _ = store.subscribe(changes.put), store.subscribe(changes.put)
        end()
        end()
        written(root, tool="t")
        assert changes.get(timeout=PATIENCE).id == "git"
        time.sleep(3 * store_thread.INTERVAL_SECONDS)
        assert changes.empty()


def test_a_callback_may_close_the_store(root: Path) -> None:
    """It runs in the thread that `close` waits for."""
    closed = threading.Event()
    store = PolicyStore(root)

    def close(_: GrantChanged) -> None:
        store.close()
        closed.set()

    store.subscribe(close)
    written(root, tool="t")
    assert closed.wait(PATIENCE)


def test_a_grant_that_is_missing_only_for_a_moment_is_not_reported(root: Path) -> None:
    """`git checkout` removes a file before it writes it."""
    changes: queue.Queue[GrantChanged] = queue.Queue()
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    with PolicyStore(root) as store:
        store.subscribe(changes.put)
        for number in range(5):
            file.unlink()
            time.sleep(0.01)
            new = written(root, tool=f"t{number}")
            change = changes.get(timeout=PATIENCE)
            assert (change.new, change.old is None) == (new, False)
