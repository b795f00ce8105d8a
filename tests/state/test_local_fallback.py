"""A host counts by itself while the server does not answer, never more than its share, and says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.audit_event import Event, to_cloudevent
from cortex_policy.core.engine import decide_rate
from cortex_policy.core.model import (
    STATE_UNAVAILABLE,
    Budget,
    BudgetServerError,
    Grant,
    Rate,
    Request,
    StateError,
)
from cortex_policy.state.calls_seen_by_several_hooks import CallDelivery
from cortex_policy.state.deduplicated_budgets import DeduplicatedBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.local_fallback import BudgetsWithLocalFallback, compute_share_of_limit
from cortex_policy.state.memory_budgets import MemoryBudgets

ROOT = (1, 2)


class Server(MemoryBudgets):
    """A server that can be stopped, and refuse."""

    failure: StateError | None = None

    def stop(self) -> None:
        self.failure = BudgetServerError(STATE_UNAVAILABLE, "no answer in 50 ms", "look whether it runs")

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        self._raise()
        return super().take(tool, action, limit, cost)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        self._raise()
        return super().peek(tool, action, limit, cost)

    def _raise(self) -> None:
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server."""
    return Server()


@pytest.fixture
def budgets(server: Server, state: Path) -> BudgetsWithLocalFallback:
    """Count on the server, or a third of the limit here."""
    return BudgetsWithLocalFallback(server, Ledger(ROOT, str(state)), 0.333334)


def test_a_server_that_answers_counts(server: Server, budgets: BudgetsWithLocalFallback, state: Path) -> None:
    """And this host counts nothing."""
    assert [budgets.take("git", "tree", 3).consumed for _ in range(4)] == [1, 1, 1, 0]
    peek = budgets.peek("git", "tree", 3)
    assert (peek.used, peek.local) == (server.peek("git", "tree", 3).used, False)
    assert Ledger(ROOT, str(state)).peek("git", "tree", 3).used == 0


def test_a_server_that_does_not_answer_leaves_this_host_its_share(
    server: Server, budgets: BudgetsWithLocalFallback
) -> None:
    """Whatever the server had counted: 10 of 30, and each answer says that it is local."""
    server.stop()
    answers = [budgets.take("git", "tree", 30) for _ in range(12)]
    assert [answer.consumed for answer in answers] == [1] * 10 + [0] * 2
    assert all(answer.local and answer.limit == 10 for answer in answers)
    peek = budgets.peek("git", "tree", 30)
    assert (peek.local, peek.used, peek.consumed) == (True, 10, 0)


def test_a_server_that_is_back_counts_again(server: Server, budgets: BudgetsWithLocalFallback) -> None:
    """What this host admitted meanwhile is not known there."""
    server.stop()
    assert budgets.take("git", "tree", 30).local
    server.failure = None
    back = budgets.take("git", "tree", 30)
    assert (back.local, back.used) == (False, 1)


@pytest.mark.parametrize(("limit", "cost"), [(2, 1), (30, 11)])
def test_what_never_fits_into_the_share_is_not_decided_here(
    server: Server, budgets: BudgetsWithLocalFallback, limit: int, cost: int
) -> None:
    """The error of the server says why; it may fit when that is back."""
    server.stop()
    for ask in (budgets.take, budgets.peek):
        with pytest.raises(BudgetServerError, match="no answer"):
            ask("git", "tree", limit, cost)


def test_a_server_that_refuses_is_no_reason_to_count_here(server: Server, budgets: BudgetsWithLocalFallback) -> None:
    """A wrong password stays wrong: nobody would notice that hosts count apart."""
    server.failure = StateError(STATE_UNAVAILABLE, "wrong password")
    for ask in (budgets.take, budgets.peek):
        with pytest.raises(StateError, match="wrong password"):
            ask("git", "tree", 30)


@given(st.integers(1, 10**12), st.integers(1, 100))
def test_hosts_with_equal_shares_never_admit_more_than_the_limit_together(limit: int, hosts: int) -> None:
    """Shares that are typed with six digits, rounded down; one host with all of it has the limit."""
    share = int(1_000_000 / hosts) / 1_000_000
    assert compute_share_of_limit(limit, share) * hosts <= limit
    assert compute_share_of_limit(limit, 1.0) == limit
    assert compute_share_of_limit(limit, 0.0) == 0


@pytest.mark.parametrize("share", [0.25, 0.1, 0.07, 0.29, 0.57])
def test_a_share_in_decimals_is_not_rounded_by_a_binary_fraction(share: float) -> None:
    """29 of 100 are 29, though 0.29 * 100 is a little less."""
    assert compute_share_of_limit(100, share) == int(f"{share:.2f}"[2:])


def test_the_answer_says_that_the_budget_is_local(server: Server, budgets: BudgetsWithLocalFallback) -> None:
    """In words for a denial, and in the audit log."""
    server.stop()
    grant, request = Grant("git", "git", ("tree",), Rate(3), {}), Request("tree", {})
    budgets.take("git", "tree", 3)
    denial = decide_rate(grant, request, budgets.take("git", "tree", 3))
    assert "1 of 1 used in the last minute on this host, as the server of budgets does not answer" in denial.message
    assert "0 of 1 left on this host alone" in denial.explain()
    assert denial.retryable
    for is_local, expected in ((True, "local"), (False, None)):
        event = Event("0", 0, "git", "git", "tree", {}, is_allowed=True, reason="allowed", is_local=is_local)
        data = to_cloudevent(event, "names", lambda _: "")["data"]
        assert isinstance(data, dict)
        assert data.get("budget") == expected


@pytest.fixture(params=["server", "fallback"])
def shared(
    request: pytest.FixtureRequest, server: Server, budgets: BudgetsWithLocalFallback
) -> Server | BudgetsWithLocalFallback:
    """Count on a server, or on this host while that does not answer."""
    if request.param == "server":
        return server
    server.stop()
    return budgets


def deliver(shared: Server | BudgetsWithLocalFallback, state: Path, call: str, tag: str, limit: int = 300) -> Budget:
    """Take the hit of a delivery."""
    return DeduplicatedBudgets(shared, CallDelivery(call.encode(), tag), ROOT, str(state)).take("fs", "write", limit)


def test_a_call_that_two_lines_deliver_takes_one_hit_of_the_server(
    shared: Server | BudgetsWithLocalFallback, state: Path
) -> None:
    """Whichever comes first; two by one line are two calls."""
    answers = [
        deliver(shared, state, *one) for one in (("a", "user"), ("a", "project"), ("a", "project"), ("b", "user"))
    ]
    assert [(answer.consumed, answer.repeat) for answer in answers] == [(1, False), (0, True), (1, False), (1, False)]
    assert shared.peek("fs", "write", 300).used == 3


def test_a_repeat_passes_though_its_hit_was_the_last_that_fits(
    shared: Server | BudgetsWithLocalFallback, state: Path
) -> None:
    """And one whose first delivery was denied is none."""
    limit = 1 if isinstance(shared, Server) else 3
    assert deliver(shared, state, "a", "user", limit).consumed
    assert deliver(shared, state, "a", "project", limit).repeat
    assert [deliver(shared, state, "b", tag, limit).repeat for tag in ("user", "project")] == [False, False]


def test_a_peek_marks_no_delivery(server: Server, state: Path) -> None:
    """Nor makes a table."""
    budgets = DeduplicatedBudgets(server, CallDelivery(b"a", "user"), ROOT, str(state))
    assert not budgets.peek("fs", "write", 3).repeat
    assert not list(state.rglob(".shared-deliveries"))
    assert budgets.take("fs", "write", 3).consumed
    assert DeduplicatedBudgets(server, CallDelivery(b"a", "project"), ROOT, str(state)).peek("fs", "write", 3).repeat


def test_a_repeat_is_no_reason_to_pass_a_server_that_does_not_answer(server: Server, state: Path) -> None:
    """It is decided anew by every rule, and without a budget there is no answer."""
    assert deliver(server, state, "a", "user").consumed
    server.stop()
    with pytest.raises(BudgetServerError):
        deliver(server, state, "a", "project")


def test_without_a_state_directory_no_delivery_is_counted(server: Server, tmp_path: Path) -> None:
    """As without a server."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        deliver(server, tmp_path / "file", "a", "user")
