"""Real servers for tests: each on a socket and a free port of its own, without a file of data unless one is asked for."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.state.shared_budgets.one_shot_budgets import OneShotBudgets
from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets

SECRET = b"a secret that all hosts of the test share"
PATIENT_MS = 5000  # for tests in which time does not matter
PROGRAMS = [program for program in ("redis-server", "valkey-server") if shutil.which(program)]
PROGRAM = (PROGRAMS or ["redis-server"])[0]
_NAMES = count()


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A server that a test starts, stops, and looks into."""

    process: subprocess.Popen[bytes]

    def __init__(self, directory: Path, *options: str, program: str = PROGRAM, before: tuple[str, ...] = ()) -> None:
        self.directory, self.port = directory, free_port()
        self.path = directory / "socket"
        self.url = f"unix://{self.path}"
        self.tcp_url = f"redis://127.0.0.1:{self.port}"
        self._words = [
            *before, program, "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.path),
            "--dir", str(directory), "--save", "", "--loglevel", "warning", *options,
        ]  # fmt: skip
        self.client = self.connect()

    def connect(self, **options: object) -> "redis.Redis":
        """Return a client of redis-py."""
        retry = Retry(NoBackoff(), 0)
        return redis.Redis(unix_socket_path=str(self.path), protocol=2, retry=retry, socket_timeout=10, **options)  # type: ignore[arg-type]

    def start(self) -> "RedisServer":
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.client.ping()
            except redis.AuthenticationError:
                return self
            except (redis.ConnectionError, redis.ResponseError):
                time.sleep(0.01)
            else:
                return self
        message = "the server does not start"
        raise RuntimeError(message)

    def kill(self) -> None:
        """End it at once, as a loss of power would."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.client.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the process in the middle of whatever it does."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)


def skip_without_server() -> None:
    """Skip a test if no server is installed."""
    if not PROGRAMS:
        pytest.skip("neither redis-server nor valkey-server is installed")


@contextmanager
def running_server(*options: str, program: str = PROGRAM, before: tuple[str, ...] = ()) -> Iterator[RedisServer]:
    """Run a server for a while; skip the test if none is installed."""
    skip_without_server()
    directory = Path(tempfile.mkdtemp(prefix="cp-redis-"))  # short: the path of a socket has at most 107 bytes
    server = RedisServer(directory, *options, program=program, before=before)
    try:
        yield server.start()
    finally:
        server.kill()
        shutil.rmtree(directory)


def fresh_name() -> str:
    """Return a name of budgets that no other test has."""
    return f"test {os.getpid()} {next(_NAMES)}"


def shared_budgets(
    url: str, state_dir: Path, name: str | None = None, *, timeout_ms: int = PATIENT_MS
) -> OneShotBudgets:
    """Return budgets as a one-shot process has them."""
    return OneShotBudgets(
        parse_budget_server(url), name or fresh_name(), SECRET, state_dir=str(state_dir), timeout_ms=timeout_ms
    )


def redis_budgets(url: str, state_dir: Path, name: str | None = None, *, timeout_ms: int = PATIENT_MS) -> RedisBudgets:
    """Return budgets as a service has them."""
    return RedisBudgets(url, name or fresh_name(), SECRET, state_dir=str(state_dir), timeout_ms=timeout_ms)
