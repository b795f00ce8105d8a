"""`mcp serve` as a process, and a client that shows each message as it is."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.command import PROGRAM

Message = dict[str, Any]
MODERN = "2026-07-28"
HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
PATIENCE = 60  # seconds, of which it needs a fraction


class McpClient:
    """A client of a server that was started, which speaks one revision."""

    def __init__(self, process: "subprocess.Popen[bytes]", revision: str) -> None:
        self.process, self.revision = process, revision
        self.messages: queue.Queue[Message | None] = queue.Queue()
        self._kept: list[Message] = []
        self._count = 0
        threading.Thread(target=self._read, daemon=True).start()
        if revision != MODERN:
            about = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
            self.greeting = self.request("initialize", **about)
            self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.messages.put(json.loads(line))
        self.messages.put(None)

    def send_line(self, line: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, message: Message) -> None:
        """Send a message."""
        self.send_line(json.dumps(message).encode())

    def start_request(self, method: str, **params: Any) -> int:
        """Send a request, and return its id."""
        self._count += 1
        if self.revision == MODERN:
            about = {"protocolVersion": MODERN, "clientCapabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
            params["_meta"] = {f"io.modelcontextprotocol/{name}": value for name, value in about.items()}
        self.send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params})
        return self._count

    def next_message(self) -> Message:
        """Return the next message; fail if the server ends first, or hangs."""
        message = self.messages.get(timeout=PATIENCE)
        assert message is not None, "the server has ended"
        return message

    def wait_for(self, **members: Any) -> Message:
        """Return the first message with these members; keep those before it."""
        for message in self._kept:
            if members.items() <= message.items():
                self._kept.remove(message)
                return message
        while not members.items() <= (message := self.next_message()).items():
            self._kept.append(message)
        return message

    def request(self, method: str, **params: Any) -> Message:
        """Send a request, and return its result, or its error as the member `error`."""
        answer = self.wait_for(id=self.start_request(method, **params))
        return answer["result"] if "result" in answer else {"error": answer["error"]}

    def call_tool(self, name: str, **arguments: Any) -> Message:
        """Call a tool, and return its result."""
        return self.request("tools/call", name=name, arguments=arguments)

    def wait_for_update(self, uri: str) -> None:
        """Wait until the server says that a resource has changed."""
        while self.wait_for(method="notifications/resources/updated")["params"]["uri"] != uri:
            pass

    def end_input(self) -> int:
        """Close its input, and return its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Stop it by a signal, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def start_mcp_server(*words: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Start a command that speaks MCP on its standard input and output."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*PROGRAM, "mcp", *words], **{**pipes, **options})


@contextmanager
def mcp_client(root: Path, revision: str = MODERN, says: str = "", **options: Any) -> Iterator[McpClient]:
    """Run `mcp serve` and a client for a while; the server must write just that to standard error."""
    process = start_mcp_server("serve", "--root", str(root), **options)
    try:
        yield McpClient(process, revision)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    assert errors == says


def environment_of(top: Path, **more: str) -> dict[str, str]:
    """Return the environment of a server that shares nothing with other tests."""
    return {**os.environ, "CORTEX_POLICY_STATE_DIR": str(top / "state"), **more}
