"""Servers of `serve` as processes, and clients of them."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.command import PROGRAM

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SEARCH = "/access/v1/search/action"
JSON = "application/json"
Request = dict[str, Any]


class Reply(NamedTuple):
    """What a server answers; names of fields are in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.fields["content-type"] == JSON, self
        return json.loads(self.body)

    @property
    def decision(self) -> bool:
        """The decision of one evaluation."""
        assert self.status == 200, self
        return self.json["decision"] is True


class Server:
    """A running server, and how it is asked."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, token: str) -> None:
        """Take its process and what it has printed."""
        self.process, self.url, self.token = process, url, token

    @property
    def host(self) -> str:
        """The name of its address."""
        return "localhost" if self.url.startswith("unix:") else self.url.partition("://")[2]

    def connect(self) -> socket.socket:
        """Return a socket that is connected to it."""
        if self.url.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(30)
            client.connect(self.url.removeprefix("unix:"))
            return client
        host, _, port = self.host.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=30)

    def raw(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes back until the server closes."""
        with self.connect() as client:
            client.sendall(data)
            return read_all(client)

    def head(self, path: str, method: str = "GET", **fields: str) -> bytes:
        """Return the head of a request that is the last of its connection."""
        given = {"host": self.host, "connection": "close"}
        if self.token:
            given["authorization"] = f"Bearer {self.token}"
        given |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def get(self, path: str, **fields: str) -> Reply:
        """Get a path."""
        return parse_reply(self.raw(self.head(path, **fields)))

    def post(self, path: str, body: object, **fields: str) -> Reply:
        """Post JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content_type": JSON, "content_length": str(len(data)), **fields}
        return parse_reply(self.raw(self.head(path, "POST", **fields) + data))

    def evaluate(self, request: Request, **fields: str) -> Reply:
        """Ask for one evaluation."""
        return self.post(EVALUATION, request, **fields)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Stop it by a signal, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def call(grant: str = "git", action: str = "tree", **context: object) -> Request:
    """Return an evaluation."""
    return {
        "subject": {"type": "user", "id": "alice"},
        "resource": {"type": "tool", "id": grant},
        "action": {"name": action},
        "context": context,
    }


def parse_reply(data: bytes) -> Reply:
    """Return an answer, which must be whole and the only one."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    fields = {name.lower(): value for name, _, value in pairs}
    assert len(fields) == len(lines), data
    assert int(fields["content-length"]) == len(body), data
    return Reply(int(first.split()[1]), fields, body)


def read_all(client: socket.socket) -> bytes:
    """Read a socket to its end; a reset is an end too."""
    data = b""
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def start_server(root: Path, *words: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Start a server, on a socket beside the root unless the words name an address."""
    place = [] if "--tcp" in words or "--socket" in words else ["--socket", str(root.parent / "private" / "s.sock")]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*PROGRAM, "serve", "--root", str(root), "--json", *place, *words], **options)


def server_of(process: "subprocess.Popen[bytes]") -> Server:
    """Return a server once it listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1].decode()
    where = json.loads(line)
    return Server(process, where["url"], Path(where["token"]).read_text().strip() if where["token"] else "")


@contextmanager
def running(root: Path, *words: str, says: str = "", **options: Any) -> Iterator[Server]:
    """Run a server for a while; it must write nothing else to standard error."""
    process = start_server(root, *words, **options)
    try:
        yield server_of(process)
    finally:
        process.terminate()
        try:
            _, errors = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert re.fullmatch(says, errors.decode()), errors.decode()


def make_root(top: Path, **grants: Request) -> Path:
    """Make a root with some grants."""
    root = top / "root"
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    for name, grant in grants.items():
        (tools / f"{name}.json").write_text(json.dumps({"tool": name, "rate": {"perMinute": 1000}, **grant}))
    for directory in (root, root / ".cortex", tools.parent, tools):
        directory.chmod(0o755)
    (root / "docs").mkdir()
    return root


def environment(top: Path) -> dict[str, str]:
    """Return the environment of a server that shares nothing with other tests."""
    return {**os.environ, "CORTEX_POLICY_STATE_DIR": str(top / "state"), "TMPDIR": str(top)}
