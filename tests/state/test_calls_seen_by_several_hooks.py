"""A tool call that several lines of an agent's settings deliver takes one hit, however they race."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import StateError
from cortex_policy.state import calls_seen_by_several_hooks, ledger, ledger_maintenance
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.calls_seen_by_several_hooks import LIFETIME_TICKS, MAX_MARKS, CallDelivery
from cortex_policy.state.ledger import Ledger
from tests.support.chance import chance
from tests.support.ticks import Ticks

Deliver = Callable[..., bool | None]
ROOT = (1, 2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    """Stop the time."""
    clock = Ticks()
    monkeypatch.setattr(rings, "read_ticks_since_boot", clock)
    return clock


@pytest.fixture
def deliver(state: Path) -> Deliver:
    """Return what delivers a call: True if its hit was taken, False for a repeat, None if the rate denies it."""

    def deliver(call: str, tag: str, limit: int = 100, action: str = "write") -> bool | None:
        budget = Ledger(ROOT, str(state), CallDelivery(call.encode(), tag)).take("fs", action, limit)
        return False if budget.repeat else True if budget.consumed else None

    return deliver


def used(state: Path, action: str = "write") -> int:
    """Return the hits that any process sees."""
    return Ledger(ROOT, str(state)).peek("fs", action, 1000).used


def table(state: Path) -> Path:
    """Return the file of the table."""
    (file,) = state.rglob(".deliveries")
    return file


def test_a_call_that_two_lines_deliver_takes_one_hit(deliver: Deliver, state: Path) -> None:
    """Whichever comes first."""
    assert deliver("a", "user") is True
    assert deliver("a", "project") is False
    assert deliver("b", "project") is True
    assert deliver("b", "user") is False
    assert used(state) == 2


def test_a_call_that_one_line_delivers_twice_is_two_calls(deliver: Deliver, state: Path) -> None:
    """A loop may repeat the id of a call."""
    assert [deliver("a", "user") for _ in range(5)] == [True] * 5
    assert [deliver("a", "project") for _ in range(6)] == [False] * 5 + [True]
    assert deliver("a", "user") is False
    assert used(state) == 6


def test_a_repeat_passes_though_the_rate_has_no_room(deliver: Deliver) -> None:
    """Its hit is the one that fills it."""
    assert deliver("a", "user", limit=1) is True
    assert deliver("a", "project", limit=1) is False
    assert deliver("b", "project", limit=1) is None
    assert deliver("b", "user", limit=1) is None


def test_a_delivery_that_the_rate_denies_leaves_no_mark(deliver: Deliver, clock: Ticks) -> None:
    """The next one of the same call may be the first that is counted."""
    assert deliver("a", "user", limit=1) is True
    assert deliver("b", "user", limit=1) is None
    clock.now += rings.WINDOW_TICKS
    assert deliver("b", "project", limit=1) is True
    assert deliver("b", "user", limit=1) is False


def test_a_mark_lasts_two_minutes(deliver: Deliver, clock: Ticks) -> None:
    """Then the call is counted again."""
    assert deliver("a", "user") is True
    clock.now += LIFETIME_TICKS - 1
    assert deliver("a", "project") is False
    clock.now += 1
    assert deliver("a", "third") is False  # by the second one, which was a delivery too
    clock.now += LIFETIME_TICKS
    assert deliver("a", "fourth") is True


def test_a_mark_of_the_future_does_not_count(deliver: Deliver, clock: Ticks) -> None:
    """It is damage, or of another clock."""
    assert deliver("a", "user") is True
    clock.now -= 1
    assert deliver("a", "project") is True


def test_another_budget_counts_the_same_call_again(deliver: Deliver, state: Path) -> None:
    """As when `hooks.toml` was edited between two deliveries."""
    assert deliver("a", "user") is True
    assert deliver("a", "project", action="read") is True
    assert (used(state), used(state, "read")) == (1, 1)


def test_a_full_table_counts_again(deliver: Deliver, clock: Ticks, state: Path) -> None:
    """Until its oldest mark is two minutes old, also what has a mark: a repeat that leaves none could be one forever."""
    for number in range(MAX_MARKS):
        assert deliver(f"{number}", "user", limit=2 * MAX_MARKS) is True
    assert deliver("one more", "user", limit=2 * MAX_MARKS) is True
    assert deliver("one more", "project", limit=2 * MAX_MARKS) is True
    assert [deliver("0", "project", limit=2 * MAX_MARKS) for _ in range(3)] == [True] * 3
    size = table(state).stat().st_size
    clock.now += LIFETIME_TICKS
    assert deliver("later", "user") is True
    assert deliver("later", "project") is False
    assert table(state).stat().st_size == size


@pytest.mark.parametrize("text", [b"", b"x", b"CPDELIV1", b"\xff" * 131_104, b"CPDELIV1" + b"\xff" * 131_096])
def test_a_damaged_table_counts_again_and_is_repaired(deliver: Deliver, state: Path, text: bytes) -> None:
    """It holds nothing that could let a call through."""
    assert deliver("a", "user") is True
    table(state).write_bytes(text)
    assert deliver("a", "project") is True
    if not text.startswith(b"CPDELIV1" + b"\xff"):  # of the right form: its marks are of the future, and say nothing
        assert deliver("a", "third") is False


@pytest.mark.parametrize("kind", ["link", "directory", "fifo", "second name"])
def test_a_table_of_a_wrong_kind_denies(deliver: Deliver, state: Path, kind: str) -> None:
    """As any file of the ledger does; the hit is not taken."""
    assert deliver("a", "user") is True
    file = table(state)
    if kind == "second name":
        os.link(file, state / "other")
    else:
        file.unlink()
        {"link": lambda: file.symlink_to("/dev/null"), "directory": file.mkdir, "fifo": lambda: os.mkfifo(file)}[kind]()
    with pytest.raises(StateError, match="wrong type"):
        deliver("b", "user")
    assert used(state) == 1


def test_a_call_is_counted_again_if_its_mark_was_not_written(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    """The hit comes before the mark, so that a kill in between never lets a call go uncounted."""
    assert deliver("other", "user") is True
    with monkeypatch.context() as patch:
        patch.setattr(
            calls_seen_by_several_hooks.CountedCallDeliveries, "add", lambda _: os.kill(os.getpid(), 0) or 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            deliver("a", "user")
    assert used(state) == 2
    assert deliver("a", "project") is True


def test_no_mark_is_lost_if_a_process_is_killed_between_its_two_writes(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One place of the table stays empty for a while."""
    written = calls_seen_by_several_hooks._write  # noqa: SLF001 - the instant between two steps
    assert deliver("a", "user") is True

    def die_second(descriptor: int, data: bytes, offset: int) -> None:
        if len(data) > rings.WORD:
            raise KeyboardInterrupt
        written(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(calls_seen_by_several_hooks, "_write", die_second)
        with pytest.raises(KeyboardInterrupt):
            deliver("b", "user")
    assert deliver("b", "project") is True
    assert deliver("a", "project") is False
    assert deliver("c", "user") is True
    assert deliver("c", "project") is False


def test_a_table_shows_neither_call_nor_tag_and_another_one_hashes_otherwise(deliver: Deliver, state: Path) -> None:
    """The key of its hashes is its own."""
    deliver("a-secret-path", "a-tag")
    first = table(state).read_bytes()
    assert b"secret" not in first
    assert b"a-tag" not in first
    assert table(state).stat().st_mode & 0o777 == 0o600
    table(state).unlink()
    deliver("a-secret-path", "a-tag")
    second = table(state).read_bytes()
    assert first[32:48] != second[32:48]


def test_a_table_without_live_marks_is_swept(deliver: Deliver, clock: Ticks, state: Path) -> None:
    """No mark outlives its use."""
    deliver("a", "user")
    directory = os.open(table(state).parent, os.O_RDONLY)
    try:
        ledger_maintenance.remove_idle_budgets(directory, clock.now + LIFETIME_TICKS - 1)
        assert table(state).exists()
        ledger_maintenance.remove_idle_budgets(directory, clock.now + LIFETIME_TICKS)
        assert not list(state.rglob(".deliveries"))
    finally:
        os.close(directory)
    assert deliver("a", "project") is True


def test_purged_state_counts_no_table_as_a_budget(deliver: Deliver, state: Path) -> None:
    """And leaves none."""
    deliver("a", "user")
    directory = os.open(table(state).parent, os.O_RDONLY)
    try:
        assert ledger_maintenance.clear_budget_directory(directory) == 1
    finally:
        os.close(directory)
    assert not list(state.rglob(".deliveries"))


def test_a_ledger_that_is_closed_after_damage_lets_no_repeat_pass(deliver: Deliver, state: Path) -> None:
    """Nobody knows any more what was counted."""
    assert deliver("a", "user") is True
    (ring,) = (file for file in state.rglob("*") if file.is_file() and not file.name.startswith("."))
    ring.write_bytes(b"damaged")
    with pytest.raises(StateError):
        deliver("a", "project")
    assert deliver("a", "project") is None


@chance(200)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=30))
def test_hits_are_the_most_deliveries_by_one_line(
    tmp_path_factory: pytest.TempPathFactory, order: list[tuple[str, str]]
) -> None:
    """For each call, whatever the order."""
    state = tmp_path_factory.mktemp("state")
    state.chmod(0o700)
    counted = {
        name: sum(
            Ledger(ROOT, str(state), CallDelivery(call.encode(), tag)).take("fs", "write", 100).consumed
            for call, tag in order
            if call == name
        )
        for name in "ab"
    }
    expected = {name: max((order.count((name, tag)) for tag in "xyz"), default=0) for name in "ab"}
    assert counted == expected
    assert ledger.Ledger(ROOT, str(state)).peek("fs", "write", 100).used == sum(counted.values())
