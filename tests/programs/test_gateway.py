"""The gateway as it is deployed: real processes of uvicorn, real HTTP, a model behind it that counts its calls."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.examples import Example

pytest.importorskip("uvicorn", reason="the gateway comes with the extra `examples`")
httpx = pytest.importorskip("httpx", reason="the gateway comes with the extra `examples`")

CHAT = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
START = 60.0  # seconds that a test waits for a server before it fails


class Model(ThreadingHTTPServer):
    """What stands behind the gateway: answers each call, and remembers it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.calls: list[tuple[str, bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    """Answers a call."""

    server: Model

    def do_POST(self) -> None:
        """Remember it, and answer in JSON."""
        self.server.calls.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        text = b'{"answer": "hello"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Gateway:
    """A server, its log, and how a client asks it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, workers: int) -> None:
        """Wait until each of its workers has started."""
        self.process, self._log = process, log
        deadline = time.monotonic() + START
        while self.log.count("Application startup complete") < workers:
            assert process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        while not (url := re.search(r"running on (http://127\.0\.0\.1:\d+)", self.log)):
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        self.client = httpx.Client(base_url=url[1], trust_env=False, timeout=START)

    @property
    def log(self) -> str:
        """What it has logged by now."""
        return self._log.read_text()

    def ask(self, operation: str = "chat", body: object = CHAT) -> "httpx.Response":
        """Ask for an operation."""
        return self.client.post(f"/v1/{operation}", json=body)

    def end(self) -> int:
        """End it as a service manager does; return its exit code."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START)


@pytest.fixture
def model() -> Iterator[Model]:
    """Serve a model."""
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def example(tmp_path: Path) -> Example:
    """Copy it."""
    return Example("gateway", tmp_path)


@contextmanager
def served(example: Example, upstream: str, workers: int = 1) -> Iterator[Gateway]:
    """Serve the gateway on a free port, and end it."""
    variables = {"GATEWAY_UPSTREAM": upstream, "CORTEX_POLICY_ROOT": str(example.root), "NO_PROXY": "*"}
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(example.root), "--factory", "gateway:create"]
    number = len(list(example.root.parent.glob("gateway-*.log")))
    log = example.root.parent / f"gateway-{number}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", "0", "--no-access-log", "--workers", str(workers)],
            env=os.environ | variables, cwd=example.root.parent, stdout=output, stderr=output,
        )  # fmt: skip
    gateway = None
    try:
        gateway = Gateway(process, log, workers)
        yield gateway
    finally:
        if gateway is not None:
            gateway.client.close()
        if process.poll() is None:
            process.terminate()
        process.wait(START)


@pytest.fixture
def gateway(example: Example, model: Model) -> Iterator[Gateway]:
    """Serve it in one process."""
    with served(example, model.url) as gateway:
        yield gateway


def problem(response: "httpx.Response") -> tuple[int, str | None]:
    """Return the status and reason of a no, told as RFC 9457 wants it."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body.keys() == {"type", "title", "status", "detail", "reason", "hint"}
    assert (body["type"], body["status"]) == ("about:blank", response.status_code)
    return response.status_code, body["reason"]


def test_two_processes_admit_exactly_the_budget(example: Example, model: Model) -> None:
    """Asked in turns: 30 times 200, then 429 with the whole seconds until the first hit leaves its window."""
    with served(example, model.url) as first, served(example, model.url) as second:
        began = time.monotonic()
        answers = [(first, second)[turn % 2].ask() for turn in range(1)]
        first_answered = time.monotonic()
        answers += [(first, second)[turn % 2].ask() for turn in range(1, 30)]
        assert [answer.status_code for answer in answers] == [200] * 30
        assert answers[0].json() == {"answer": "hello"}
        for gateway in (first, second):
            asked = time.monotonic()
            refused = gateway.ask()
            seconds = int(refused.headers["retry-after"])
            assert problem(refused) == (429, "rate_limited")
            # the first hit was between `began` and `first_answered`, this no between `asked` and now
            assert 60 - (time.monotonic() - began) <= seconds < 60 - (asked - first_answered) + 1
    assert len(model.calls) == 30


def test_a_crowd_of_clients_gets_no_call_more(example: Example, model: Model) -> None:
    """Eighty at once, at both processes: thirty reach the model."""
    with served(example, model.url) as first, served(example, model.url) as second, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda turn: (first, second)[turn % 2].ask().status_code, range(80)))
    assert (answers.count(200), answers.count(429), len(model.calls)) == (30, 50, 30)


def test_workers_of_one_server_share_it_and_follow_the_operator(example: Example, model: Model) -> None:
    """`--workers 2`: a change counts for the next call, and `stamp wait` knows both of them by name."""
    with served(example, model.url, workers=2) as gateway, ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: gateway.ask().status_code, range(40)))
        assert (answers.count(200), answers.count(429)) == (30, 10)
        example.operator("set", "model-gateway", "--rate", "35", "--allow-widening")
        assert [gateway.ask().status_code for _ in range(6)] == [200] * 5 + [429]
        waited = example.operator("stamp", "wait", "--reader", "gateway", "--timeout", "60")
        assert waited.stdout.count("gateway, process") == 2
    assert len(model.calls) == 35


def test_a_client_that_waits_as_long_as_told_is_served(example: Example, model: Model, gateway: Gateway) -> None:
    """Whole seconds are rounded up: asking then is never too early."""
    example.spend("model-gateway", "chat", *[58.5] * 30)
    refused = gateway.ask()
    assert problem(refused) == (429, "rate_limited")
    time.sleep(int(refused.headers["retry-after"]))
    assert gateway.ask().status_code == 200
    assert len(model.calls) == 1


def test_each_operation_of_the_gateway_has_its_own_budget(example: Example, gateway: Gateway) -> None:
    """Chat is used up, embeddings are not, and what is no operation never reaches the model."""
    example.spend("model-gateway", "chat", *[1.0] * 30)
    assert problem(gateway.ask("chat")) == (429, "rate_limited")
    assert gateway.ask("embeddings").status_code == 200
    refused = gateway.ask("delete")
    assert problem(refused) == (403, "action_not_allowed")
    assert refused.json()["hint"] == "operations: chat, embeddings, rerank"
    assert problem(gateway.ask("chat%3Fadmin=1")) == (403, "action_not_allowed")


def test_the_model_reads_what_was_decided_on(model: Model, gateway: Gateway) -> None:
    """A name that comes twice comes once, as it was judged: no second reading of a body gets past the grant."""
    for model_name, tokens, status in (("small", 1, 200), ("huge", 1, 403), ("small", 4097, 403), ("small", True, 403)):
        assert gateway.ask(body={"model": model_name, "max_tokens": tokens}).status_code == status
    twice = gateway.client.post("/v1/chat", content=b'{"model": "huge", "model": "small"}')
    assert twice.status_code == 200
    assert [json.loads(body) for _, body in model.calls] == [{"model": "small", "max_tokens": 1}, {"model": "small"}]
    assert model.calls[1] == ("/v1/chat", b'{"model": "small"}')


NO_REQUESTS = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b'{"model": NaN}', 400),
    (b'{"temperature": 1e999}', 400),
    (b"\xff", 400),
    (b"[" * 100_000, 400),
    (b'{"model": ' + b"[" * 100 + b"]" * 100 + b"}", 400),
    (b" " * 1_000_001, 413),
]


def test_an_invalid_request_is_refused_and_takes_no_budget(model: Model, gateway: Gateway) -> None:
    """It reaches no model, and the whole budget is left."""
    for content, status in NO_REQUESTS:
        refused = gateway.client.post("/v1/chat", content=content)
        assert problem(refused)[0] == status, content[:40]
    assert model.calls == []
    assert [gateway.ask().status_code for _ in range(31)] == [200] * 30 + [429]
    assert len(model.calls) == 30


def test_a_stop_denies_until_it_ends(example: Example, model: Model, gateway: Gateway) -> None:
    """503 without a time; by whom and why stands in the log, and not in the answer."""
    assert gateway.ask().status_code == 200
    example.operator("stop", "--reason", "the token leaked")
    refused = gateway.ask()
    assert problem(refused) == (503, "stopped")
    assert "retry-after" not in refused.headers
    assert "leaked" not in refused.text
    assert "leaked" in gateway.log
    example.operator("resume")
    assert gateway.ask().status_code == 200
    assert len(model.calls) == 2


def test_an_undecidable_request_is_denied_until_the_fault_is_fixed(example: Example, model: Model) -> None:
    """From the start on: 503, a name of this host in the log alone, and no restart once it is mended."""
    grant = example.root / ".cortex" / "policy" / "tools" / "model-gateway.json"
    text = grant.read_text()
    grant.write_text("{")
    with served(example, model.url) as gateway:
        assert "grant invalid" in gateway.log
        for refused in (gateway.ask(), gateway.client.get("/healthz")):
            assert problem(refused) == (503, "grant_invalid")
            assert str(example.root) not in refused.text
        grant.write_text(text)
        assert gateway.client.get("/healthz").json() == {"status": "ok"}
        assert gateway.ask().status_code == 200
        grant.unlink()
        assert problem(gateway.ask()) == (503, "grant_not_found")
    assert len(model.calls) == 1


def test_the_loop_goes_on_while_a_budget_is_held(gateway: Gateway, state: Path) -> None:
    """A process that was stopped in the middle of a hit holds up the calls of this budget, and nothing else."""
    assert gateway.ask().status_code == 200
    held = [os.open(file, os.O_RDWR) for file in state.glob("*/*") if not file.name.startswith(".")]
    assert held
    for descriptor in held:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as clients:
        try:
            call = clients.submit(gateway.ask)
            assert [gateway.client.get("/healthz").status_code for _ in range(20)] == [200] * 20
            assert not call.done()
        finally:
            for descriptor in held:
                os.close(descriptor)
        assert call.result(START).status_code == 200


def test_an_unreachable_model_is_reported(example: Example, model: Model) -> None:
    """As the fault of neither side of the grant."""
    away = model.url
    model.server_close()
    with served(example, away) as gateway:
        assert problem(gateway.ask()) == (502, None)


def test_the_gateway_stops_cleanly_on_sigterm(gateway: Gateway) -> None:
    """The store is closed with the application; nothing is left to complain of."""
    assert gateway.ask().status_code == 200
    assert gateway.end() in (0, -signal.SIGTERM)  # uvicorn passes the signal on once it is done
    assert "Application shutdown complete" in gateway.log
    assert "Traceback" not in gateway.log
    assert "Warning" not in gateway.log
