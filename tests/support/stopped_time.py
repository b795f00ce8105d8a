"""Time that a test moves, for the scripts of a real server and for the host that asks it."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from types import SimpleNamespace

import pytest

from cortex_policy.state import ledger_ring
from cortex_policy.state.shared_budgets import lua_scripts, plausible_server_time, protocol
from tests.support.redis_servers import RedisServer

WINDOW_US = 60_000_000
_TIME, _FAKE_TIME = b"call('TIME')", b"{string.match(call('GET', 'the clock of the test'), '(%d+) (%d+)')}"


class StoppedTime:
    """Moves the server's wall clock and the host's clock since boot, together or one alone, in microseconds."""

    def __init__(self, server: RedisServer) -> None:
        self._server, self.server_us, self.boot_us = server, 1_800_000_000_000_000, 1_000_000_000
        self.pass_time(0)

    def pass_time(self, us: int) -> None:
        """Let time pass for both."""
        self.boot_us += us
        self.set_clock(us)

    def set_clock(self, step_us: int) -> None:
        """Set the server's clock forward, or back, without any time that passes."""
        self.server_us += step_us
        self._server.client.set("the clock of the test", "{} {}".format(*divmod(self.server_us, 1_000_000)))


@contextmanager
def stopped_time(server: RedisServer) -> Iterator[StoppedTime]:
    """Stop the time for the shared budgets and the ledger of this process."""
    time = StoppedTime(server)
    scripts = [text.replace(_TIME, _FAKE_TIME) for text in (lua_scripts.SCRIPT, lua_scripts.AGAIN_SCRIPT)]
    digests = [sha1(text, usedforsecurity=False).hexdigest().encode() for text in scripts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lua_scripts, "SCRIPT", scripts[0])
        patch.setattr(lua_scripts, "AGAIN_SCRIPT", scripts[1])
        patch.setattr(protocol, "_EVALSHA", protocol._EVALSHA.replace(protocol.SCRIPT_SHA1, digests[0]))  # noqa: SLF001 - the digest is in it
        patch.setattr(protocol, "_EVALSHA_AGAIN", protocol._EVALSHA_AGAIN.replace(protocol.AGAIN_SHA1, digests[1]))  # noqa: SLF001 - as above
        patch.setattr(plausible_server_time, "time", SimpleNamespace(clock_gettime_ns=lambda _: time.boot_us * 1000))
        # a tick of the ledger is a nanosecond here; its own window is some microseconds longer, since ticks are rounded
        patch.setattr(ledger_ring, "TICK_BITS", 0)
        patch.setattr(ledger_ring, "WINDOW_TICKS", WINDOW_US * 1000)
        patch.setattr(ledger_ring, "read_ticks_since_boot", lambda: time.boot_us * 1000)
        yield time
