"""What a host can believe about the server's clock.

A script cannot see that its server's clock was set forward, which would empty every window, or back, so that hits look
older once it is set right. A host can: it keeps the server's time in an answer, and its own times since boot before it
asked and after it heard, and knows from its own clock the latest and the earliest time that the server can show by now.
It keeps the answer that bounds that time best, so that many small steps add up.

The time is the steady one: that of the server without the steps that were found (`script`).
"""

import os
import stat
import time

from cortex_policy.state import (
    CLOCK,
    OPEN_FILE,
    make_state_unavailable_error,
    read_boot_id,
    read_time_namespace_id,
    read_up_to,
    sha256,
)
from cortex_policy.state.ledger import open_or_make_private_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

SLACK_US = 20_000
_DRIFT = 1_000_000  # a clock may run one thousandth faster than another: a microsecond in this many nanoseconds
_WORD, _BOOT, _CHECK = 8, 16, 8  # bytes
_NUMBERS = 5
_SIZE = _BOOT + _NUMBERS * _WORD + _CHECK
PAUSE_NS = 500_000_000  # after a failure, before the server is asked again
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_nanoseconds_since_boot() -> int:
    """Return the time since boot; no setting of the host's wall clock moves it."""
    return time.clock_gettime_ns(CLOCK)


def require_seconds_until_deadline(deadline_ns: int) -> float:
    """Return the seconds until a deadline on the clock since boot; raise TimeoutError if it has passed."""
    remaining = deadline_ns - read_nanoseconds_since_boot()
    if remaining <= 0:
        raise TimeoutError
    return remaining / 1e9


class ServerClock:
    """The answer that bounds the server's time best: that time, the host's own before and after, and the history."""

    __slots__ = "down_until_ns", "known"

    def __init__(
        self, server_us: int = 0, asked_ns: int = 0, heard_ns: int = 0, history: int = 0, down_until_ns: int = 0
    ) -> None:
        """Know nothing (0) until the first answer."""
        # one object, as threads share it
        self.known: tuple[int, int, int, int] = server_us, asked_ns, heard_ns, history
        self.down_until_ns: int = down_until_ns

    def is_in_retry_pause(self, now_ns: int) -> bool:
        """Return whether the server did not answer a moment ago; a pause is never longer than it can be."""
        return now_ns < self.down_until_ns <= now_ns + PAUSE_NS

    def bounds_us(self, now_ns: int, delay_ns: int = 0) -> tuple[int, int, int]:
        """Return the latest and the earliest time that the server can show, and of which history; zeros if unknown.

        `delay_ns` is how long the request may be on its way.
        """
        server_us, asked_ns, heard_ns, history = self.known
        if not server_us:
            return 0, 0, 0
        longest, shortest = now_ns + delay_ns - asked_ns, now_ns - heard_ns
        return (
            server_us + longest // 1000 + longest // _DRIFT + SLACK_US,
            server_us + shortest // 1000 - shortest // _DRIFT - SLACK_US,
            history,
        )

    def latest_possible_us(self, now_ns: int) -> int:
        """Return the latest time alone, for a call after an answer."""
        server_us, asked_ns, _, _ = self.known
        longest = now_ns - asked_ns
        return server_us + longest // 1000 + longest // _DRIFT + SLACK_US

    def learn(self, server_us: int, asked_ns: int, history: int) -> None:
        """Take the time of an answer that is here now, if it bounds the server's better, or is of a new history."""
        latest_possible_us, _, known = self.bounds_us(asked_ns)
        if history != known or server_us <= latest_possible_us - SLACK_US:
            self.known = server_us, asked_ns, read_nanoseconds_since_boot(), history


class ServerClockFile:
    """What this host knows of one server's clock, kept in the state directory for the next process."""

    def __init__(self, state_dir: str, address: str, epoch: bytes) -> None:
        """Take the state directory, the server, and the key of the epoch, whose time it is; open nothing yet."""
        digest = sha256(b"server %s\0%s" % (address.encode(), epoch)).hexdigest()
        self._state_dir, self._name = state_dir, f".server-clock-{digest[:24]}"

    def load(self) -> ServerClock:
        """Return what was kept since the last boot; raise StateError if the state directory is unusable."""
        try:
            data = self._use(OPEN_FILE, lambda descriptor: read_up_to(descriptor, _SIZE))
        except FileNotFoundError:
            return ServerClock()
        body, check = data[:-_CHECK], data[-_CHECK:]
        # a reader may meet the middle of a write, and another boot has another clock: both say nothing
        if len(data) != _SIZE or _digest(body, _CHECK) != check or body[:_BOOT] != _boot():
            return ServerClock()
        return ServerClock(*memoryview(body[_BOOT:]).cast("q"))

    def save(self, clock: ServerClock) -> None:
        """Keep what is known; raise StateError."""
        words = memoryview(bytearray(_NUMBERS * _WORD)).cast("q")
        for place, number in enumerate((*clock.known, clock.down_until_ns)):
            words[place] = number
        body = _boot() + words.tobytes()
        self._use(_WRITE, lambda descriptor: os.pwrite(descriptor, body + _digest(body, _CHECK), 0))

    def _use(self, flags: int, function: "Callable[[int], T]") -> "T":
        """Call a function with the open file; raise FileNotFoundError if it may be missing and is, else StateError.

        INVARIANT: no other OSError: this host would take it for the server's, and might count by itself.
        """
        try:
            directory = open_or_make_private_directory(self._state_dir, None, self._state_dir)
            try:
                descriptor = os.open(self._name, flags, 0o600, dir_fd=directory)
            finally:
                os.close(directory)
            try:
                _check(descriptor)
                return function(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not flags & os.O_CREAT:
                raise
            from cortex_policy.state.ledger_directory import make_state_error_of_os_error  # noqa: PLC0415 - only a failure needs it

            raise make_state_error_of_os_error(error, f"{self._state_dir}/{self._name}") from None


def _check(descriptor: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink != 1:
        raise make_state_unavailable_error(
            "the file with the server's time has another owner, more than one link or the wrong type"
        )


def _boot() -> bytes:
    return _digest(b"%d " % read_time_namespace_id() + read_boot_id(), _BOOT)


def _digest(data: bytes, size: int) -> bytes:
    return bytes(sha256(data).digest()[:size])
