"""A call of the script on the server: its bytes, the answers, and the budget that they mean. Nothing is sent here.

A conversation is a generator of requests that takes the line of each answer, so that one-shot processes, services and
asyncio share it.
"""

from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, BudgetServerError, StateError
from cortex_policy.state import make_state_unavailable_error
from cortex_policy.state.shared_budgets.plausible_server_time import ServerClock, read_nanoseconds_since_boot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cortex_policy.state.shared_budgets.keys import BudgetKeys

    Conversation = Generator[bytes, bytes, Budget]

SCRIPT_SHA1 = b"7eca6a3bc36fa05fa8e84964cd38bc981bea0501"
AGAIN_SHA1 = b"025d8b93b08e7190fc73495989d9234fbbbe0b0b"
MAX_COST = 1 << 16  # hits of one call: the script makes a string of four bytes for each
MAX_COUNTED = 1 << 22  # hits of one budget in a minute: a higher limit counts as this one
TAKE, PEEK, RESET, RESET_ALL = b"take", b"peek", b"reset", b"void"
_MAX_ASKS = 4  # of one call, if answers come late
_DIGITS = 16  # of a number in an answer
_WORDS, _LATE_WORDS = 6, 2
_MAX_WAIT_US = 120_000_000
_MICRO = 1_000_000
_EVALSHA = b"*12\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n" % SCRIPT_SHA1
_EVALSHA_AGAIN = b"*7\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n" % AGAIN_SHA1
_TAIL = b"$16\r\n%016d\r\n$16\r\n%016d\r\n$1\r\n%d\r\n$16\r\n%016d\r\n"
CLOSED_BECAUSE = {
    b"s": "the server has started less than a minute ago",
    b"p": "the server took over from another one at an unknown time",
    b"l": "the server has lost its data",
    b"f": "the server was restarted, or took over from another one",
    b"b": "the clock of the server was set back",
    b"a": "the clock of the server was set forward",
    b"v": "all budgets of this name were reset",
}


class Call:
    """What is asked of one budget. It holds ready-made requests, and can be used again."""

    __slots__ = "_again", "_arguments", "_counted", "_is_peek", "_is_take", "_limit", "_replicas", "_taken"

    def __init__(
        self,
        keys: "BudgetKeys",
        what: bytes,
        budget: tuple[str, str],
        limit: int = 1,
        cost: int = 1,
        replicas: int = 0,
    ) -> None:
        """Take the keys, the verb, (tool, action), and what to count against which limit; raise StateError.

        `replicas` is how many must have the hits before they count as taken.
        """
        if cost > MAX_COST:
            raise make_state_unavailable_error(
                f"a call takes at most {MAX_COST:,} hits of a shared budget", "divide the call"
            )
        self._limit, self._counted, self._taken = limit, min(limit, MAX_COUNTED), b"+%d " % cost
        self._is_peek, self._is_take, self._replicas = what == PEEK, what == TAKE, replicas
        key, counted = _bulk(keys.budget(*budget)), _bulk(b"%d" % self._counted)  # no `%` in them
        both = b"$1\r\n2\r\n" + key + _bulk(keys.epoch)
        self._arguments = both + _bulk(what) + counted + _bulk(b"%d" % cost) + _TAIL
        self._again = _EVALSHA_AGAIN + both + counted + b"$16\r\n%016d\r\n"

    def repeat_request(self, clock: ServerClock, now_ns: int) -> bytes:
        """Return the request for one more hit over a connection that leads to the server that is known."""
        return self._again % clock.latest_possible_us(now_ns)

    def conversation(self, clock: ServerClock, timeout_ns: int) -> "Conversation":
        """Yield requests, take the line of each answer, and return the budget; raise StateError.

        A request that is late by the server's clock takes nothing. It is sent again: as one that may be delayed for
        the whole time of a call, unless the server is ahead even when its answer is here. Then its clock was set.
        """
        delay_ns, is_ahead = 0, False
        for _ in range(_MAX_ASKS):
            asked_ns = read_nanoseconds_since_boot()
            latest, earliest, history = clock.bounds_us(asked_ns, delay_ns)
            known = latest, earliest, is_ahead, history
            line = yield _EVALSHA + self._arguments % known
            if line.startswith(b"-NOSCRIPT"):
                from cortex_policy.state.shared_budgets.lua_scripts import SCRIPT  # noqa: PLC0415 - once in a server's life

                line = yield b"*12\r\n$4\r\nEVAL\r\n" + _bulk(SCRIPT) + self._arguments % known
            words = line.split(b" ")
            if len(words) != (_LATE_WORDS if words[0] == b"+late" else _WORDS):
                raise _error(line)
            is_late = words[0] == b"+late"
            server_us = _number(words[1 if is_late else 3], line)
            is_ahead = (is_late or bool(delay_ns)) and server_us > clock.bounds_us(read_nanoseconds_since_boot())[0]
            if not is_late and not is_ahead:
                budget = self._read(words, line, clock, (server_us, asked_ns))
                if budget.consumed and self._replicas:
                    self._check_copies((yield self._wait(timeout_ns)))
                return budget
            delay_ns = 0 if is_ahead else timeout_ns
        raise BudgetServerError(STATE_UNAVAILABLE, "the server of shared budgets answers too late", "try again")

    def _wait(self, timeout_ns: int) -> bytes:
        """Return the request that waits for the replicas, for half the time of a call."""
        return b"*3\r\n$4\r\nWAIT\r\n" + _bulk(b"%d" % self._replicas) + _bulk(b"%d" % max(1, timeout_ns // 2_000_000))

    def _check_copies(self, line: bytes) -> None:
        """Raise BudgetServerError if fewer replicas have the hits: a failover could lose them."""
        if not line.startswith(b":"):
            raise _error(line)
        if (copies := _number(line[1:], line)) < self._replicas:
            detail = f"{copies} of {self._replicas} replicas of the server of shared budgets have the hit"
            raise BudgetServerError(STATE_UNAVAILABLE, detail, "look at `INFO replication` on the server")

    def _read(self, words: list[bytes], line: bytes, clock: ServerClock, pair: tuple[int, int]) -> Budget:
        """Return the budget that an answer means, and learn its time; raise StateError for any other answer."""
        consumed = line.startswith(self._taken)
        if not (consumed or line.startswith(b"+0 ")):
            raise _error(line)
        used, wait_us, why = _number(words[1], line), _number(words[2], line), words[5]
        is_closed = why != b"-"
        if wait_us > _MAX_WAIT_US or (is_closed and (consumed or why not in CLOSED_BECAUSE)):
            raise _error(line)
        # INVARIANT: no wait means room, so an answer that took nothing has one: else its call would be allowed
        if wait_us == 0 and (is_closed or (self._is_take and not consumed)):
            raise _error(line)
        # INVARIANT: a peek writes nothing, so no later call may know that it saw what closes the budgets, or a
        # name that is new to the server: to a host that has asked before, that is one that the server has lost
        if not self._is_peek:
            clock.learn(*pair, _number(words[4], line))
        remaining = 0 if is_closed else max(0, self._counted - used)
        reason = CLOSED_BECAUSE[why] if is_closed else ""
        used, taken = self._limit if is_closed else used, int(words[0]) if consumed else 0
        return Budget(self._limit, used, remaining, wait_us / _MICRO, taken, is_closed, False, False, reason)  # noqa: FBT003 - in order: 1 us less


def add_script_to_repeat_request(request: bytes) -> bytes:
    """Return a request for one more hit that brings its script along."""
    from cortex_policy.state.shared_budgets.lua_scripts import AGAIN_SCRIPT  # noqa: PLC0415 - once in a server's life

    return request.replace(_EVALSHA_AGAIN, b"*7\r\n$4\r\nEVAL\r\n" + _bulk(AGAIN_SCRIPT), 1)


def run_conversation(conversation: "Conversation", exchange: "Callable[[bytes], bytes]") -> Budget:
    """Hold a conversation through a function that sends a request and returns the line of its answer."""
    request = next(conversation)
    try:
        while True:
            request = conversation.send(exchange(request))
    except StopIteration as end:
        budget: Budget = end.value
        return budget


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word), word)


def _number(word: bytes, line: bytes) -> int:
    if not word.isdigit() or len(word) > _DIGITS:
        raise _error(line)
    return int(word)


def _error(line: bytes) -> StateError:
    from cortex_policy.state.shared_budgets.server_errors import make_answer_error  # noqa: PLC0415 - only a failure needs it

    return make_answer_error(line)
