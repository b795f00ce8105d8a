"""Count the rate of past calls again, in the order of a log whose times are a little later than the ledger's.

The hits in a window are known within bounds: hits that were certainly in it, and hits that may have been. If the
bounds disagree, the recorded answer of the rate counts; if another rule answered, the log's times decide. So a
policy that did not change flips no answer:

- A hit is logged at most MAX_LAG after it was counted, so its time in the log is at most MAX_LAG off. Its line is
  written at most MAX_LAG later still, so lines may be that much out of order: calls are answered in the order of
  their times. A hit before a call is read before any line that is more than 2 MAX_LAG later than the call.
- If allowed calls now fill a window that is 4 MAX_LAG shorter than a minute, their hits and this one's were
  within a minute of the ledger, which never allows one too many: so the budget is smaller now.
- If a call was limited, but now all hits that may be in a window MAX_LAG longer than a minute leave it room, including
  those allowed until 2 MAX_LAG later, then all hits of the ledger's minute are among them: so the budget is larger.
"""

from collections import deque
from heapq import heappop, heappush
from itertools import count, takewhile

from cortex_policy.core.model import ALLOWED, RATE_LIMITED, Reason
from cortex_policy.core.sliding_window import WINDOW_SECONDS
from cortex_policy.manage.replay.decision_without_rate import UndecidedReason, UnknowableReason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    Answer = Reason | UndecidedReason
    OnResult = Callable[[Any, Answer], None]

MAX_LAG = 0.25  # seconds
_BY_RATE = (ALLOWED, RATE_LIMITED)
_LONG_WINDOW = WINDOW_SECONDS + MAX_LAG
_SHORT_WINDOW = WINDOW_SECONDS - 4 * MAX_LAG
_GRAIN_SECONDS = 0.01  # hits this close count as one entry with their sum: so a window has a bounded number of entries
# of the start of a log: a line that was written before its first line may hold a hit up to MAX_LAG after it
_BLIND_SECONDS = _LONG_WINDOW + MAX_LAG
LOG_TOO_SHORT = UnknowableReason("the log starts less than a minute before, and the hits of that minute are not known")
BUDGET_UNKNOWN = UndecidedReason("other undecided calls may have used up its rate")


class _BudgetBounds:
    """Bounds of the windows of one `tool:action`: [time, hits] and their sums; `coming` are hits not counted yet.

    Of the possible hits, the doubtful ones come from undecided calls.
    """

    __slots__ = ("certain", "coming", "doubt", "doubtful", "high", "low", "possible")

    def __init__(self) -> None:
        self.possible: deque[list[Any]] = deque()
        self.certain: deque[list[Any]] = deque()
        self.doubtful: deque[list[Any]] = deque()
        self.high = self.low = self.doubt = self.coming = 0

    def drop_expired(self, at: float) -> None:
        """Drop the hits that left the windows."""
        self.high -= drop_and_count_expired_hits(self.possible, at - _LONG_WINDOW)
        self.low -= drop_and_count_expired_hits(self.certain, at - _SHORT_WINDOW)
        self.doubt -= drop_and_count_expired_hits(self.doubtful, at - _LONG_WINDOW)

    def add_possible(self, at: float, cost: int) -> None:
        """Count hits that may have been counted."""
        self.high += cost
        self.doubt += cost
        add_hits(self.possible, at, cost)
        add_hits(self.doubtful, at, cost)

    def add_certain(self, at: float, cost: int) -> None:
        """Count hits that were certainly counted."""
        self.high += cost
        add_hits(self.possible, at, cost)
        self.low += cost
        last = self.certain[-1] if self.certain else None
        if last is not None and last[0] <= at <= last[0] + _GRAIN_SECONDS:
            last[1] += cost
        else:
            self.certain.append([at, cost])  # it expires with its first hit

    def hits_by_log_time(self, at: float) -> tuple[int, int]:
        """Return the hits of the minute by the log's times: without the doubtful ones, and with them."""
        gone = takewhile(lambda one: one[0] - _GRAIN_SECONDS <= at - WINDOW_SECONDS, self.possible)
        at_most = self.high - sum(cost for _, cost in gone)
        return at_most - self.doubt, at_most


def drop_and_count_expired_hits(hits: "deque[list[Any]]", until: float) -> int:
    """Drop the hits that expired by this time, and return their number."""
    gone = 0
    while hits and hits[0][0] <= until:
        gone += hits.popleft()[1]
    return gone


def add_hits(hits: "deque[list[Any]]", at: float, cost: int) -> None:
    """Add hits; an entry just before gets them too and expires with the last of its hits."""
    last = hits[-1] if hits else None
    if last is not None and last[0] - _GRAIN_SECONDS <= at <= last[0]:
        last[1] += cost
    else:
        hits.append([at + _GRAIN_SECONDS, cost])


class RateReplay:
    """Decides by the rate the calls that every other rule allows; an answer waits for the calls soon after it.

    `known_denials` holds the ids of calls that the known hits alone denied: no hit is missing at these.
    """

    def __init__(self, on_result: "OnResult", known_denials: "Container[Any]" = ()) -> None:
        """Take the function that gets each answer with the id of its call."""
        self._on_result, self._known_denials = on_result, known_denials
        self._budgets: dict[str, _BudgetBounds] = {}
        # INVARIANT: a heap, the earliest call first: answering a later one would drop hits that an earlier one needs
        self._waiting: list[tuple[float, int, _BudgetBounds, int, Reason, bool, int, Any]] = []
        self._line_numbers = count()  # calls of one time are answered in the order of their lines
        self._latest = self._start = float("-inf")

    def answer_due_calls(self, at: float) -> None:
        """Answer the calls that waited long enough; if the clock was set back, start again without any hits."""
        if at > self._latest:
            if self._start == float("-inf"):
                self._start = at
            self._latest = at
            self._answer_until(at - 2 * MAX_LAG)
        elif at < self._latest - MAX_LAG:
            self.answer_all_waiting()
            self._budgets.clear()
            self._start = self._latest = at

    def add_call(self, at: float, key: str, limit: int, data: "dict[str, Any]", call_id: object) -> None:
        """Add a call that every other rule allows."""
        budget = self._budgets.get(key) or self._budgets.setdefault(key, _BudgetBounds())
        cost = read_cost_in_event(data)
        is_peek = is_peek_or_repeat_event(data)
        if data["reason"] is ALLOWED and not is_peek:
            budget.coming += cost
        number = next(self._line_numbers)
        heappush(self._waiting, (at, number, budget, limit, data["reason"], is_peek, cost, call_id))

    def add_possible_call(self, at: float, key: str, data: "dict[str, Any]") -> None:
        """Add a call that may have been allowed."""
        if not is_peek_or_repeat_event(data):
            budget = self._budgets.get(key) or self._budgets.setdefault(key, _BudgetBounds())
            budget.drop_expired(at - 4 * MAX_LAG)  # no waiting call is older
            budget.add_possible(at, read_cost_in_event(data))

    def answer_all_waiting(self) -> None:
        """Answer all waiting calls."""
        self._answer_until(float("inf"))

    def _answer_until(self, until: float) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] < until:
            at, _, budget, limit, recorded, is_peek, cost, call_id = heappop(waiting)
            if recorded is ALLOWED and not is_peek:
                budget.coming -= cost
            budget.drop_expired(at)
            if budget.high + budget.coming + cost <= limit:
                answer = self._answer_with_room(at, recorded, call_id)
            elif budget.low + cost > limit and not (
                is_peek and recorded is ALLOWED
            ):  # it may have looked earlier than it was logged
                answer = RATE_LIMITED
            else:
                answer = recorded if recorded in _BY_RATE else _answer_by_log_time(budget, at, cost, limit)
            if not is_peek and answer is ALLOWED:
                budget.add_certain(at, cost)
            elif not is_peek and answer is not RATE_LIMITED:
                budget.add_possible(at, cost)
            self._on_result(call_id, answer)

    def _answer_with_room(self, at: float, recorded: Reason, call_id: object) -> "Answer":
        """Answer a call that the known hits leave room for; hits before the log's start may have denied it."""
        is_blind = recorded is RATE_LIMITED and at < self._start + _BLIND_SECONDS and call_id not in self._known_denials
        return LOG_TOO_SHORT if is_blind else ALLOWED


def _answer_by_log_time(budget: _BudgetBounds, at: float, cost: int, limit: int) -> "Answer":
    """Answer a call that the rate did not decide then, by the times of the log."""
    at_least, at_most = budget.hits_by_log_time(at)
    return ALLOWED if at_most + cost <= limit else RATE_LIMITED if at_least + cost > limit else BUDGET_UNKNOWN


def read_cost_in_event(data: "dict[str, Any]") -> int:
    """Return the hits that a call asked for, 1 if its event does not say."""
    cost = data.get("cost", 1)
    return cost if type(cost) is int and cost > 0 else 1


def is_peek_or_repeat_event(data: "dict[str, Any]") -> bool:
    """Whether a call took no hit though it was allowed: it only peeked, or its hit was taken at an earlier delivery."""
    return "peek" in data or "repeat" in data
