"""One server for all tests of a worker that only count on it; each test has names of its own."""

from collections.abc import Iterator

import pytest

from tests.support.redis_servers import PROGRAMS, RedisServer, running_server


@pytest.fixture(scope="session", params=PROGRAMS or ["redis-server"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Run a server of each kind that is installed."""
    with running_server(program=request.param) as running:
        yield running


@pytest.fixture(scope="module", params=PROGRAMS or ["redis-server"])
def own_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Run a server whose configuration the tests of a module may change; each test leaves it as it was."""
    with running_server("--enable-debug-command", "yes", program=request.param) as running:
        yield running
