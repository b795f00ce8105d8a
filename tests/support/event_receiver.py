"""A receiver of events, in a process of its own, that does what the query of a URL says: `?do=500,429:1,hang`."""

import json
import random
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from tests.support.processes import wait_until

CHANCES = ("204", "204", "204", "202", "late", "500", "503:0", "429:0", "401", "302", "close", "half", "junk", "hang")


class Receiver:
    """The process, and what it got for each path; requests after those that `do` names are answered 204."""

    def __init__(self, port: int = 0, memory: Path | None = None) -> None:
        """Take a port, and a file that survives the process: all that was got is there before it is answered."""
        words = [sys.executable, "-m", __name__, str(port), *([str(memory)] if memory is not None else [])]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, path: str, *behaviours: str) -> str:
        """Return a URL of its own for a test."""
        return f"http://127.0.0.1:{self.port}/{path}" + (f"?do={','.join(behaviours)}" if behaviours else "")

    def requests(self, path: str) -> list[dict[str, Any]]:
        """Return each request for a path: its headers, its body, and what was answered."""
        with urlopen(f"http://127.0.0.1:{self.port}/{path}") as answer:
            return list(json.load(answer))

    def events(self, path: str) -> list[dict[str, Any]]:
        """Return the events that were accepted, in the order in which they came."""
        return accepted_events(self.requests(path))

    def ids(self, path: str) -> list[str]:
        """Return the ids of the accepted events, each once, in the order in which they came first."""
        return list(dict.fromkeys(event["id"] for event in self.events(path)))

    def wait_for(self, path: str, number: int) -> list[str]:
        """Wait until that many events were accepted, and return their ids."""
        wait_until(lambda: len(self.ids(path)) >= number, "not all events arrive")
        return self.ids(path)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def accepted_events(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of the requests that were accepted."""
    found = []
    for request in requests:
        if request["did"] in ("204", "202", "late", "half", "big"):
            body = json.loads(request["body"])
            found += body if isinstance(body, list) else [body]
    return found


def remembered_ids(memory: Path) -> list[str]:
    """Return the ids of the accepted events in a file, each once, in the order in which they came first."""
    lines = [line for line in memory.read_text().split("\n") if line.endswith("}")]
    return list(dict.fromkeys(event["id"] for event in accepted_events([json.loads(line) for line in lines])))


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    got: dict[str, list[dict[str, Any]]] = {}  # noqa: RUF012 - of the whole process

    def do_GET(self) -> None:
        body = json.dumps(self.got.get(self.path, [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length).decode()
        if len(body) < length:  # its sender was killed
            self.close_connection = True
            return
        requests = self.got.setdefault(parts.path, [])
        behaviours = "".join(parse_qs(parts.query).get("do", [])).split(",")
        did = behaviours[len(requests)] if len(requests) < len(behaviours) and behaviours[0] else "204"
        if did == "chance":
            did = random.choice(CHANCES)  # noqa: S311 - any will do
        requests.append({"headers": dict(self.headers), "body": body, "did": did})
        for memory in sys.argv[2:]:
            with open(memory, "a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(requests[-1]) + "\n")
        word, _, rest = did.partition(":")
        getattr(self, f"do_{word}", self.do_status)(word, rest)

    def do_status(self, word: str, retry_after: str) -> None:
        self.send_response(int(word))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        if word.startswith("3"):
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_hang(self, *_: str) -> None:
        time.sleep(3)
        self.close_connection = True

    def do_late(self, *_: str) -> None:
        time.sleep(0.3)
        self.do_status("204", "")

    def do_drip(self, *_: str) -> None:
        for byte in b"HTTP/1.1 204 No Content\r\nX-Long: " + 100 * b"x":
            self.wfile.write(bytes((byte,)))
            time.sleep(0.05)

    def do_close(self, *_: str) -> None:
        self.close_connection = True

    def do_half(self, *_: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.close_connection = True

    def do_big(self, *_: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))

    def do_junk(self, *_: str) -> None:
        self.wfile.write(b"\x00\xff junk\r\n\r\n")
        self.close_connection = True

    def do_then(self, *_: str) -> None:
        """Answer, and close the connection without saying so."""
        self.do_status("204", "")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients go away."""


def write_events(path: Path, *numbers: int) -> list[str]:
    """Append events with these ids to a file, and return the ids."""
    ids = [str(number) for number in numbers]
    with path.open("ab") as file:
        file.writelines(format_event_line(one) + b"\n" for one in ids)
    return ids


def format_event_line(event_id: str, **members: object) -> bytes:
    """Return an event as a line of a log."""
    event = {
        "specversion": "1.0", "id": event_id, "source": "cortex.policy/git-map", "type": "com.cortex.git-map.tree",
        "time": "2026-11-25T08:43:23.462034Z", "datacontenttype": "application/json",
        "data": {"decision": True, "reason": "allowed", "grant": "git", "action": "tree", "brand": "brAInwav"},
    }  # fmt: skip
    return json.dumps(event | members, separators=(",", ":")).encode()


if __name__ == "__main__":
    server = _Server(("127.0.0.1", int(sys.argv[1])), _Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
