"""Resident hooks as processes, and clients of them."""

import hmac
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.checkout import CHECKOUT
from tests.support.hooks import Answer, Scene

CLIENT = CHECKOUT / "examples" / "hook_client.py"
USUAL_PLACE = "in the usual place"
NONCE = "0123456789abcdef" * 2


class Server:
    """A running server, and how it is asked."""

    def __init__(self, process: "subprocess.Popen[bytes]", where: dict[str, Any]) -> None:
        """Take its process and what it has printed."""
        self.process, self.where = process, where
        self.key = Path(where["key"]).read_text().strip() if where["key"] else ""

    def connect(self) -> socket.socket:
        """Return a socket that is connected to it."""
        if "socket" in self.where:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(30)
            client.connect(self.where["socket"])
            return client
        port = int(self.where["url"].rpartition(":")[2].strip("/"))
        return socket.create_connection(("127.0.0.1", port), timeout=30)

    def send(self, data: bytes) -> bytes:
        """Send bytes, and return the whole answer."""
        with self.connect() as client:
            client.sendall(data)
            return read_all(client)

    def request(self, payload: bytes, form: str = "/process", key: str = "", nonce: str = NONCE) -> bytes:
        """Return the bytes of a signed request."""
        fields = {"Cortex-Policy-Nonce": nonce, "Cortex-Policy-Signature": signature(key or self.key, payload, nonce)}
        return request(payload, form, **fields)

    def ask(self, payload: bytes) -> Answer:
        """Ask what a process of `hook` would say, and check that the answer is signed."""
        head, _, body = self.send(self.request(payload)).partition(b"\r\n\r\n")
        proof = b"answer\n" + signature(self.key, payload).encode() + b"\n" + body
        assert hmac.digest(self.key.encode(), proof, "sha256").hex().encode() in head
        return as_answer(body)

    def ask_client(self, payload: bytes, **options: Any) -> Answer:
        """Ask by the client of the examples."""
        words = [sys.executable, "-I", str(CLIENT), self.where["socket"], self.where["key"]]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        done = subprocess.run(words, input=payload, timeout=60, check=False, **options)
        return Answer(done.returncode, done.stdout or b"", done.stderr or b"")

    def end(self) -> int:
        """Stop it, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def signature(key: str, payload: bytes, nonce: str = NONCE) -> str:
    """Return what signs a request."""
    return hmac.digest(key.encode(), b"request\n" + nonce.encode() + b"\n" + payload, "sha256").hex()


def request(payload: bytes, form: str = "/", **fields: str) -> bytes:
    """Return the bytes of a request."""
    lines = [f"POST {form} HTTP/1.1", "Host: x", f"Content-Length: {len(payload)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def read_all(client: socket.socket) -> bytes:
    """Read a socket to its end."""
    data = b""
    while part := client.recv(65536):
        data += part
    return data


def body_of(answer: bytes) -> bytes:
    """Return what is behind the head of an answer, which must be of the status that Claude Code heeds."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"Content-Length: {len(body)}".encode() in head
    return body


def as_answer(body: bytes) -> Answer:
    """Return what a process would have said."""
    code, out, err = body.split(b"\n", 2)
    return Answer(int(code), out + b"\n" if out else b"", err)


def start_server(scene: Scene, agent: str = "claude", *words: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Start a server on the socket of a scene, unless the words name another place, or `USUAL_PLACE` is one of them."""
    is_elsewhere = "--port" in words or USUAL_PLACE in words
    place = [] if is_elsewhere else ["--socket", str(socket_path(scene))]
    words = tuple(word for word in words if word != USUAL_PLACE)
    argv = scene.argv(agent, ["serve", agent, "--root", str(scene.root), *place, "--json", *words])
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(argv, env=scene.environment(), cwd=scene.root, **options)


def socket_path(scene: Scene) -> Path:
    """Return where the server of a scene listens."""
    return scene.top / "private" / "sock"


@contextmanager
def running(scene: Scene, agent: str = "claude", *words: str) -> Iterator[Server]:
    """Run a server for a while."""
    process = start_server(scene, agent, *words)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1].decode()
        yield Server(process, json.loads(line))
    finally:
        process.kill()
        process.communicate()


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def stop_process(process: int) -> None:
    """Let a process do nothing more, without an end."""
    os.kill(process, signal.SIGSTOP)
