"""Shared budgets for services: connections stay open, ready-made requests are kept, and a dead server costs little."""

import os
from select import POLLIN, poll
from weakref import WeakSet

from cortex_policy.core.budget_server import FORMS, BudgetServer, NotAServerError, parse_budget_server
from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, BudgetServerError, UsageError
from cortex_policy.state import state_directory
from cortex_policy.state.settings import find_state_directory
from cortex_policy.state.shared_budgets.one_shot import SharedBudgets
from cortex_policy.state.shared_budgets.protocol import TAKE, Call, run
from cortex_policy.state.shared_budgets.server_clock import ServerClock, boot_ns
from cortex_policy.state.shared_budgets.session import Session

MAX_KEPT = 4096  # ready-made requests
PAUSE_NS = 500_000_000  # after a failure, before the server is asked again
MAX_REMEMBERED_NS = 1_000_000_000  # of a denial, so that a reset counts soon
SAVE_NS = 1_000_000_000  # between two writes of the server's time for other processes
_Key = tuple[str, str, int, int]
_alive: "WeakSet[RedisBudgets]" = WeakSet()


class RedisBudgets(SharedBudgets):
    """Budgets on a Redis or Valkey server, shared by all hosts that give the same name and secret.

    For any number of threads, and across forks. It counts, and sees no emergency stop: `enforce(..., budgets=...)`
    does.
    """

    def __init__(
        self,
        url: BudgetServer | str,
        name: str,
        secret: bytes,
        *,
        password: str = "",
        timeout_ms: int = 50,
        state_dir: str | None = None,
    ) -> None:
        """Take the server (docs/shared-budgets.md has the forms), the name that hosts share, and the key of its hashes.

        Every call ends within `timeout_ms`. Raises UsageError for a wrong URL, StateError for a short secret.
        """
        directory = find_state_directory() if state_dir is None else state_directory(state_dir)
        super().__init__(
            _parse(url) if isinstance(url, str) else url,
            name,
            secret,
            password=password,
            timeout_ms=timeout_ms,
            state_dir=directory,
        )
        self._calls: dict[_Key, Call] = {}
        self._denials: dict[_Key, tuple[int, Budget]] = {}
        self._clock: ServerClock | None = None
        self._saved_ns = self._down_until_ns = 0
        self.forget()
        _alive.add(self)

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
        """Take `cost` hits if they fit into `limit` a minute, and say so; raise StateError if that is unknown."""
        return self.take(tool, action, limit, cost).consumed == cost

    def denial(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget | None:
        """Return what `take` would say, if a denial of the last second still holds; ask nobody."""
        asked_ns, budget = self._denials.get((tool, action, limit, cost), (0, None))
        if budget is None:
            return None
        passed = boot_ns() - asked_ns
        left = (budget.retry_after_seconds or 0.0) - passed / 1e9
        if passed >= MAX_REMEMBERED_NS or left <= 0:
            return None
        return Budget(limit, budget.used, budget.remaining, left, 0, budget.closed, False, False, budget.closed_because)  # noqa: FBT003 - in order

    def forget(self) -> None:
        """Drop the open connections; the next call opens one. A child of a fork only closes its copies."""
        self._idle: list[tuple[Session, poll]] = []

    def _decide(self, what: bytes, tool: str, action: str, limit: int, cost: int) -> Budget:
        key = (tool, action, limit, cost)
        if what is not TAKE or not (type(tool) is type(action) is str and type(limit) is type(cost) is int):
            return super()._decide(what, tool, action, limit, cost)
        if self._denials and (budget := self.denial(*key)) is not None:
            return budget
        call = self._calls.get(key)
        if call is None:
            if cost < 1 or limit < cost:
                return super()._decide(what, tool, action, limit, cost)
            if len(self._calls) >= MAX_KEPT:
                self._calls, self._denials = {}, {}
            call = self._calls[key] = Call(self._keys, what, (tool, action), limit, cost)
        asked_ns = boot_ns()
        budget = self._ask(call)
        if not budget.consumed:
            self._denials[key] = asked_ns, budget
        return budget

    def _converse(self, call: Call, deadline_ns: int) -> Budget:
        """Ask over a connection that is open, or a new one; after a failure, refuse at once until a pause is over."""
        asked_ns = boot_ns()
        if asked_ns < self._down_until_ns:
            detail = f"the server of shared budgets at `{self.server.label}` did not answer just before"
            raise BudgetServerError(STATE_UNAVAILABLE, detail, "try again in a second")
        is_probe = self._down_until_ns
        if is_probe:  # one call looks whether it is back; the others do not wait for it
            self._down_until_ns = asked_ns + PAUSE_NS
        session: Session | None = None
        try:
            clock = self._clock = self._clock or self._clock_file.load()
            session, watch = self._idle_session() or self._open_session(deadline_ns)
            opened = session
            budget = run(call.converse(clock), lambda request: opened.exchange(request, deadline_ns))
        except BaseException as error:
            if session is not None:
                session.close()
            if isinstance(error, OSError):
                self._down_until_ns = boot_ns() + PAUSE_NS
                self.forget()
            raise
        self._down_until_ns = 0
        self._idle.append((session, watch))
        if asked_ns - self._saved_ns > SAVE_NS:
            self._saved_ns = asked_ns
            self._clock_file.save(clock)
        return budget

    def _idle_session(self) -> tuple[Session, poll] | None:
        """Take an open connection, None if there is none; one that the server has closed is dropped."""
        while self._idle:
            try:
                session, watch = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if not watch.poll(0):
                return session, watch
            session.close()
        return None

    def _open_session(self, deadline_ns: int) -> tuple[Session, poll]:
        session, watch = Session(self.server, self._password, deadline_ns), poll()
        watch.register(session, POLLIN)
        return session, watch


def _parse(url: str) -> BudgetServer:
    try:
        return parse_budget_server(url)
    except NotAServerError:
        message = "the URL names no server of shared budgets"
        raise UsageError(message, f"write it as {FORMS}") from None


def _forget_after_fork() -> None:
    """Drop the connections in a child: two processes on one would read each other's answers."""
    for budgets in _alive:
        budgets.forget()


os.register_at_fork(after_in_child=_forget_after_fork)
