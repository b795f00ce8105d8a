"""Proxies before a small server, as processes, and clients of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from tests.support.checkout import CHECKOUT
from tests.support.mcp_messages import line_of

SERVER = [sys.executable, "-I", str(CHECKOUT / "tests" / "support" / "mcp_server.py")]
# the command without Typer, and with a guard that needs no policy
LAUNCH = """
import os, sys
sys.path.insert(0, sys.argv[1])
from cortex_policy.mcp.proxy import run_proxy
from tests.support.mcp_messages import FakeGuard
os._exit(run_proxy(FakeGuard(), sys.argv[2:]))
"""
TAG = b"brAInwav cortex-policy mcp proxy: "


class Proxy:
    """A client of a proxy, line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Take the process, whose streams are pipes."""
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    def send(self, *messages: object) -> Self:
        """Send messages, or bytes, without waiting for answers."""
        self.stdin.write(b"".join(one if isinstance(one, bytes) else line_of(one) for one in messages))
        self.stdin.flush()
        return self

    def receive(self) -> Any:
        """Return the next message."""
        return json.loads(self.stdout.readline())

    def ask(self, message: object) -> Any:
        """Return the answer to a message."""
        return self.send(message).receive()

    def end(self) -> tuple[int, bytes]:
        """Close what the proxy reads; return its exit code and what it and the server have logged."""
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors.replace(b"the server has started\n", b"")


@contextmanager
def running(*words: str, server: list[str] | None = None, command: list[str] | None = None) -> Iterator[Proxy]:
    """Run a proxy before the small server, or another one, for a while."""
    command = [sys.executable, "-c", LAUNCH, str(CHECKOUT)] if command is None else command
    process = subprocess.Popen(
        [*command, *(SERVER if server is None else server), *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Proxy(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                with suppress(BrokenPipeError):
                    stream.close()
