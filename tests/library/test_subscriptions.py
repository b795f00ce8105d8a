"""Who asks is told of each change once: what it was, what it is, and whether it allows more."""

import hashlib
import json
import queue
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import GIT

from cortex_policy.library import polling
from cortex_policy.library.store import PolicyStore
from cortex_policy.library.subscriptions import GrantChanged

PATIENCE = 20  # seconds, of which it needs a fraction


def digest(data: str) -> str:
    """Return what a change says of these bytes."""
    return hashlib.sha256(data.encode()).hexdigest()


def written(root: Path, grant_id: str = "git", **members: object) -> str:
    """Write a grant in one step; return its digest."""
    file = root / ".cortex" / "policy" / "tools" / f"{grant_id}.json"
    text = json.dumps({**GIT, **members})
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)
    return digest(text)


@pytest.fixture(params=["polled", "told"])
def pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look by the clock alone; or when `watchfiles`, the extra, says so."""
    if request.param == "told":
        pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")
    else:
        monkeypatch.setitem(sys.modules, "watchfiles", None)


@pytest.mark.usefixtures("pace")
def test_each_write_is_told_once_with_what_it_means(root: Path) -> None:
    """A change, a new grant, one that is gone, and one that allows the same in other words."""
    told: queue.Queue[GrantChanged] = queue.Queue()
    before = digest((root / ".cortex" / "policy" / "tools" / "git.json").read_text())
    with PolicyStore(root) as store:
        store.subscribe(told.put)
        wide = written(root, actions=["tree", "snippet", "search", "push"])
        assert told.get(timeout=PATIENCE) == GrantChanged("git", before, wide, "widened")
        narrow = written(root, actions=["tree"])
        assert told.get(timeout=PATIENCE) == GrantChanged("git", wide, narrow, "narrowed")
        alike = written(root, actions=["tree"], note="for the same calls")
        assert told.get(timeout=PATIENCE) == GrantChanged("git", narrow, alike, "same")
        new = written(root, "fresh")
        assert told.get(timeout=PATIENCE) == GrantChanged("fresh", None, new, "widened")
        (root / ".cortex" / "policy" / "tools" / "fresh.json").unlink()
        assert told.get(timeout=PATIENCE) == GrantChanged("fresh", new, None, "narrowed")
        time.sleep(4 * polling.INTERVAL_SECONDS)
        assert told.empty()


@pytest.mark.usefixtures("pace")
def test_a_callback_that_raises_ends_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook of threads is told; the other subscribers and the next change are served."""
    told: queue.Queue[GrantChanged] = queue.Queue()
    raised: queue.Queue[threading.ExceptHookArgs] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", raised.put)

    def fails(_: GrantChanged) -> None:
        raise ZeroDivisionError

    with PolicyStore(root) as store:
        store.subscribe(fails)
        store.subscribe(told.put)
        for number in range(2):
            written(root, tool=f"t{number}")
            assert raised.get(timeout=PATIENCE).exc_type is ZeroDivisionError
            assert told.get(timeout=PATIENCE).id == "git"


def test_who_ends_a_subscription_is_told_no_more(root: Path) -> None:
    """The same callback may have another one, and to end twice is to end once."""
    told: queue.Queue[GrantChanged] = queue.Queue()
    with PolicyStore(root) as store:
        end, _ = store.subscribe(told.put), store.subscribe(told.put)
        end()
        end()
        written(root, tool="t")
        assert told.get(timeout=PATIENCE).id == "git"
        time.sleep(3 * polling.INTERVAL_SECONDS)
        assert told.empty()


def test_a_callback_may_close_the_store(root: Path) -> None:
    """It runs in the very thread that is waited for."""
    closed = threading.Event()
    store = PolicyStore(root)

    def close(_: GrantChanged) -> None:
        store.close()
        closed.set()

    store.subscribe(close)
    written(root, tool="t")
    assert closed.wait(PATIENCE)


def test_what_is_away_for_a_moment_only_is_not_told_as_gone(root: Path) -> None:
    """As in a checkout, which removes before it writes."""
    told: queue.Queue[GrantChanged] = queue.Queue()
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    with PolicyStore(root) as store:
        store.subscribe(told.put)
        for number in range(5):
            file.unlink()
            time.sleep(0.01)
            new = written(root, tool=f"t{number}")
            change = told.get(timeout=PATIENCE)
            assert (change.new, change.old is None) == (new, False)
