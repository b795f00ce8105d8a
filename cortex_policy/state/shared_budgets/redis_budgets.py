"""Shared budgets for services: connections stay open, ready-made requests are kept, and a dead server costs little."""

import os
from select import POLLIN, poll
from weakref import WeakSet

from cortex_policy.core.budget_server import FORMS, BudgetServer, NotAServerError, parse_budget_server
from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, BudgetServerError, StateError, UsageError
from cortex_policy.state import state_directory
from cortex_policy.state.settings import find_state_directory
from cortex_policy.state.shared_budgets.one_shot import SharedBudgets
from cortex_policy.state.shared_budgets.protocol import TAKE, Call, evaluate_again, run
from cortex_policy.state.shared_budgets.server_clock import ServerClock, boot_ns
from cortex_policy.state.shared_budgets.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state.shared_budgets.connection import Connection

MAX_KEPT = 4096  # ready-made requests
PAUSE_NS = 500_000_000  # after a failure, before the server is asked again
MAX_REMEMBERED_NS = 1_000_000_000  # of a denial, so that a reset counts soon
SAVE_NS = 1_000_000_000  # between two writes of the server's time for other processes
LOOK_NS = 100_000_000  # between two looks at the server's identity over one connection, which leads to one server
IDLE_NS = 10_000_000  # after which a connection may have been closed
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
        self._clock, self._is_clock_loaded = ServerClock(), False
        self._saved_ns = self._down_until_ns = 0
        self.forget()
        _alive.add(self)

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
        """Take `cost` hits if they fit into `limit` a minute, and say so; raise StateError if that is unknown."""
        key = (tool, action, limit, cost)
        if type(tool) is type(action) is str and cost == 1 and key not in self._denials:
            call = self._calls.get(key)
            if call is not None and self._hit_again(call):
                return True
        return self.take(tool, action, limit, cost).consumed == cost

    def denial(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget | None:
        """Return what `take` would say, if a denial of the last second still holds; ask nobody."""
        asked_ns, budget = self._denials.get((tool, action, limit, cost), (0, None))
        if budget is None:
            return None
        passed = boot_ns() - asked_ns
        left = (budget.retry_after_seconds or 0.0) - passed / 1e9
        if passed >= MAX_REMEMBERED_NS or left <= 0:
            self._denials.pop((tool, action, limit, cost), None)
            return None
        return Budget(limit, budget.used, budget.remaining, left, 0, budget.closed, False, False, budget.closed_because)  # noqa: FBT003 - in order

    def forget(self) -> None:
        """Drop the open connections; the next call opens one. A child of a fork only closes its copies."""
        self._idle: list[_Link] = []

    def _decide(self, what: bytes, tool: str, action: str, limit: int, cost: int) -> Budget:
        key = (tool, action, limit, cost)
        is_plain = type(tool) is type(action) is str and type(limit) is type(cost) is int
        if what is not TAKE or not is_plain or cost < 1 or limit < cost:
            return super()._decide(what, tool, action, limit, cost)
        if self._denials and (budget := self.denial(*key)) is not None:
            return budget
        call = self._calls.get(key)
        if call is None:
            if len(self._calls) >= MAX_KEPT:
                self._calls, self._denials = {}, {}
            call = self._calls[key] = Call(self._keys, what, (tool, action), limit, cost)
        asked_ns = boot_ns()
        budget = self._ask(call)
        if not budget.consumed:
            self._denials[key] = asked_ns, budget
        return budget

    def _hit_again(self, call: Call) -> bool:
        """Take one hit over an open connection; False: nothing was taken, ask in full. Raises StateError."""
        asked_ns = boot_ns()
        try:
            link = self._idle.pop()
        except IndexError:
            return False
        if asked_ns - link.looked_ns > LOOK_NS or link.is_closed(asked_ns):
            self._idle.append(link)
            return False
        request, deadline_ns = call.again(self._clock, asked_ns), asked_ns + self.timeout_ms * 1_000_000
        connection = link.session.connection
        try:
            line = connection.exchange_at_once(request, deadline_ns)
            if line.startswith(b"-NOSCRIPT"):
                line = connection.exchange(evaluate_again(request), deadline_ns)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise self._failure(error) from None
            raise
        self._idle.append(link)
        return line == b":1"

    def _ask(self, call: Call) -> Budget:
        """Ask over a connection that is open, or a new one; after a failure, refuse at once until a pause is over."""
        asked_ns = boot_ns()
        if asked_ns < self._down_until_ns:
            detail = f"the server of shared budgets at `{self.server.label}` did not answer just before"
            raise BudgetServerError(STATE_UNAVAILABLE, detail, "try again in a second")
        if self._down_until_ns:  # one call looks whether it is back; the others do not wait for it
            self._down_until_ns = asked_ns + PAUSE_NS
        deadline_ns = asked_ns + self.timeout_ms * 1_000_000
        try:
            if not self._is_clock_loaded:
                self._clock, self._is_clock_loaded = self._clock_file.load(), True
            link = self._open_link(asked_ns) or _Link(Session(self.server, self._password, deadline_ns))
            budget = link.ask(call, self._clock, deadline_ns)
            link.keep(asked_ns, self.timeout_ms, has_looked=bool(budget.consumed), is_tls=self.server.is_tls)
            self._save_clock(asked_ns)
        except OSError as error:
            raise self._failure(error) from None
        self._down_until_ns = 0
        self._idle.append(link)
        return budget

    def _open_link(self, asked_ns: int) -> "_Link | None":
        """Take an open connection, None if there is none; one that the server has closed is dropped."""
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if not link.is_closed(asked_ns):
                return link
        return None

    def _failure(self, error: OSError) -> StateError:
        """Return the error for a failure, after which the server is not asked for a while."""
        from cortex_policy.state.shared_budgets.server_errors import connection_error  # noqa: PLC0415 - only a failure needs it

        self._down_until_ns = boot_ns() + PAUSE_NS
        self.forget()
        return connection_error(error, self.server.label, self.timeout_ms)

    def _save_clock(self, asked_ns: int) -> None:
        """Keep what is known of the server's clock for other processes of this host, once a second."""
        if asked_ns - self._saved_ns > SAVE_NS:
            self._saved_ns = asked_ns
            self._clock_file.save(self._clock)


class _Link:
    """A session that is kept open."""

    __slots__ = "_connection", "_watch", "looked_ns", "session", "used_ns"

    def __init__(self, session: Session) -> None:
        self.session, self.looked_ns, self.used_ns = session, -LOOK_NS, 0
        self._watch: poll | None = None
        self._connection: Connection | None = None

    def is_closed(self, now_ns: int) -> bool:
        """Whether the server has closed it, or sent what nobody asked for; looks only after a while without a call."""
        is_idle, self.used_ns = now_ns - self.used_ns > IDLE_NS, now_ns
        return is_idle and self._watch is not None and bool(self._watch.poll(0))

    def ask(self, call: Call, clock: ServerClock, deadline_ns: int) -> Budget:
        """Ask the server; close the session after any failure, as an answer may still come."""
        try:
            return run(call.converse(clock), lambda request: self.session.exchange(request, deadline_ns))
        except BaseException:
            self.session.close()
            raise

    def keep(self, now_ns: int, timeout_ms: int, *, has_looked: bool, is_tls: bool) -> None:
        """Prepare it for calls to come; a call that was allowed has looked at the server's identity."""
        self.used_ns = now_ns
        if has_looked:
            self.looked_ns = now_ns
        if self._connection is not self.session.connection:  # a new one, or another node of the cluster
            self._connection, self._watch = self.session.connection, poll()
            self._watch.register(self.session.fileno(), POLLIN)
            if not is_tls:
                self._connection.bound_by_kernel(timeout_ms)


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
