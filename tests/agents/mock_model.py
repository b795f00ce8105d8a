"""A model on loopback that asks for the tool calls of a script, so that an agent needs neither account nor network.

It speaks the protocol that the path of a request names. A script is a list of steps, a step a list of calls. A request
gets the step that follows the tool results that it has already, and after the last step a final text: what an agent
asks beside its main loop (titles, counts) or asks again disturbs nothing. Sub-agents have a script of their own.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.agents.protocol_anthropic import Messages
from tests.agents.protocol_google import Contents
from tests.agents.protocol_openai import Chat, Responses
from tests.agents.protocols import TOKENS, Answer, Wire, tasks

SUBTASK = "SUBTASK"  # in the first text that a sub-agent gets
_WIRES: dict[str, Wire] = {
    "/responses": Responses(), "/chat/completions": Chat(), "/messages": Messages(),
    ":streamGenerateContent": Contents(), ":generateContent": Contents(),
}  # fmt: skip
_COUNTS = {"/count_tokens": {"input_tokens": TOKENS}, ":countTokens": {"totalTokens": TOKENS}}


class Model:
    """The script of a model, and what agents asked it."""

    def __init__(self, steps: list[list[dict[str, Any]]], sub_steps: list[list[dict[str, Any]]]) -> None:
        self._scripts = {False: steps, True: sub_steps}
        self._lock = Lock()
        self.requests: list[dict[str, Any]] = []

    def answer(self, wire: Wire, body: dict[str, Any]) -> Answer:
        """Return the answer that is due, and remember the request."""
        results = wire.results(body)
        is_sub = SUBTASK in tasks(body)
        calls = _due(self._scripts[is_sub], len(results)) if wire.tools(body) else []
        with self._lock:
            self.requests.append({"sub": is_sub, "tools": wire.tools(body), "results": results})
        return Answer(calls)


def _due(steps: list[list[dict[str, Any]]], results: int) -> list[dict[str, Any]]:
    """Return the calls of the step that comes after this many results; none after the last."""
    for calls in steps:
        if results < len(calls):
            return calls
        results -= len(calls)
    return []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Answer a look at the list of models."""
        models = [{"id": "mock-model", "object": "model", "type": "model", "display_name": "mock-model"}]
        is_list = self._path().endswith("/models")
        self._send({"object": "list", "data": models, "has_more": False}, 200 if is_list else 404)

    def do_POST(self) -> None:
        """Answer a question to the model."""
        body, path = self._body(), self._path()
        for end, count in _COUNTS.items():
            if path.endswith(end):
                return self._send(count)
        wire = next((wire for end, wire in _WIRES.items() if path.endswith(end)), None)
        if wire is None:
            return self._send({"error": {"type": "not_found_error", "message": "mock"}}, 404)
        answer = self.model.answer(wire, body)
        if body.get("stream") or path.endswith(":streamGenerateContent"):
            return self._stream(wire, body, answer)
        return self._send(wire.whole(body, answer))

    def _path(self) -> str:
        return self.path.partition("?")[0].rstrip("/")

    def _body(self) -> dict[str, Any]:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raw = b"".join(self._chunks())
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found: dict[str, Any] = json.loads(raw or b"{}")
        return found

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, value: object, code: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, wire: Wire, body: dict[str, Any], answer: Answer) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for name, value in wire.events(body, answer):
            head = f"event: {name}\n" if name else ""
            data = value if isinstance(value, str) else json.dumps(value)
            self.wfile.write(f"{head}data: {data}\n\n".encode())
        self.close_connection = True


@contextmanager
def serve(model: Model, port: int) -> Iterator[None]:
    """Serve a model on loopback as long as the block runs."""
    handler = type("Handler", (_Handler,), {"model": model})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
