"""A call of the script on the server: its bytes, the answers, and the budget that they mean. Nothing is sent here.

A conversation is a generator of requests that takes the line of each answer, so that one-shot processes, services and
asyncio share it.
"""

from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, BudgetServerError, StateError
from cortex_policy.state import state_error
from cortex_policy.state.shared_budgets.server_clock import ServerClock, boot_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cortex_policy.state.shared_budgets.keys import BudgetKeys

    Conversation = Generator[bytes, bytes, Budget]

SCRIPT_SHA1 = b"26ad7d998c545b17bf83fae9686ddc41e8449d70"
MAX_COST = 1 << 16  # hits of one call: the script makes a string of four bytes for each
MAX_COUNTED = 1 << 22  # hits of one budget in a minute: a higher limit counts as this one
TAKE, PEEK, RESET, RESET_ALL = b"take", b"peek", b"reset", b"void"
_MAX_ASKS = 3  # of one call, if an answer came late
_DIGITS = 17  # of a number in an answer
_WORDS = 5
_MAX_WAIT_US = 120_000_000
_EVALSHA = b"*11\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n2\r\n" % SCRIPT_SHA1
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
    """What is asked of one budget. It holds ready-made bytes, and can be used again."""

    __slots__ = "_arguments", "_counted", "_limit", "_taken"

    def __init__(self, keys: "BudgetKeys", what: bytes, budget: tuple[str, str], limit: int = 1, cost: int = 1) -> None:
        """Take the keys, the verb, (tool, action), and what to count against which limit; raise StateError."""
        if cost > MAX_COST:
            raise state_error(f"a call takes at most {MAX_COST:,} hits of a shared budget", "divide the call")
        self._limit, self._counted, self._taken = limit, min(limit, MAX_COUNTED), b"+%d" % cost
        words = keys.budget(*budget), keys.epoch, what, b"%d" % self._counted, b"%d" % cost
        self._arguments = b"".join(map(_bulk, words))

    def converse(self, clock: ServerClock) -> "Conversation":
        """Yield requests, take the line of each answer, and return the budget; raise StateError."""
        is_sure = False
        for _ in range(_MAX_ASKS):
            asked_ns = boot_ns()
            known = b"$16\r\n%016d\r\n$16\r\n%016d\r\n$1\r\n%d\r\n" % (*clock.latest_us(asked_ns), is_sure)
            arguments = self._arguments + known
            line = yield _EVALSHA + arguments
            if line.startswith(b"-NOSCRIPT"):
                from cortex_policy.state.shared_budgets.script import SCRIPT  # noqa: PLC0415 - once in a server's life

                line = yield b"*11\r\n$4\r\nEVAL\r\n" + _bulk(SCRIPT) + b"$1\r\n2\r\n" + arguments
            if not line.startswith(b"+late "):
                return self._read(line, clock, asked_ns)
            # INVARIANT: a late request took nothing. It was delayed, unless the server is ahead even now
            is_sure = _number(line[6:], line) > clock.latest_us(boot_ns())[0]
        raise BudgetServerError(STATE_UNAVAILABLE, "the server of shared budgets answers too late", "try again")

    def _read(self, line: bytes, clock: ServerClock, asked_ns: int) -> Budget:
        """Return the budget that an answer means, and learn its time."""
        words = line.split(b" ")
        if len(words) != _WORDS or words[0] not in (b"+0", b"+1", self._taken):
            raise _error(line)
        consumed = int(words[0])
        used, wait_us, server_us = (_number(word, line) for word in words[1:4])
        why = words[4]
        is_closed = why != b"-"
        if wait_us > _MAX_WAIT_US or (is_closed and (consumed or why not in CLOSED_BECAUSE)):
            raise _error(line)
        clock.learn(server_us, asked_ns)
        remaining = 0 if is_closed else max(0, self._counted - used)
        reason = CLOSED_BECAUSE[why] if is_closed else ""
        used = self._limit if is_closed else used
        return Budget(self._limit, used, remaining, wait_us / 1e6, consumed, is_closed, False, False, reason)  # noqa: FBT003 - in order: 1 us less


def run(conversation: "Conversation", exchange: "Callable[[bytes], bytes]") -> Budget:
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
    from cortex_policy.state.shared_budgets.server_errors import answer_error  # noqa: PLC0415 - only a failure needs it

    return answer_error(line)
