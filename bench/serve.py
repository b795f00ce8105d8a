"""Print what `serve` costs: bench/serve.py [SECONDS] [REQUESTS].

Beside it, in turns: a bare Starlette route that reads the same body and returns an answer of the same length, under the
same uvicorn. `wrk` asks both; it must be installed. Then memory over so many requests, and 10,000 clients that do not
go on, while others ask.
"""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from resident import open_scratch_root

ROUNDS = 5
CONNECTIONS, MANY = 16, 1000
CLIENTS, AT_ONCE = 10_000, 1000
GOAL_RATE, GOAL_P99 = 0.5, 10.0
PATH = "/access/v1/evaluation"
REQUEST = {
    "subject": {"type": "user", "id": "alice"},
    "resource": {"type": "tool", "id": "git"},
    "action": {"name": "tree"},
}  # the context is an absolute path below the root
BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
answer = sys.argv[1].encode()
async def endpoint(request):
    await request.body()
    return Response(answer, media_type="application/json")
app = Starlette(routes=[Route("/access/v1/evaluation", endpoint, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), http="httptools", loop="asyncio", ws="none", lifespan="off",
            access_log=False, log_level="error")
"""
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Load(NamedTuple):
    """What `wrk` saw: answers a second, the 99th percentile in ms; and processor time of the server for one, in us."""

    rate: float
    p99: float
    processor: float


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, token: str) -> None:
        """Take its process, its port and the token of its clients."""
        self.process, self.port, self.token = process, port, token

    def request(self, path: str = PATH, body: bytes = b"", more: str = "") -> bytes:
        """Return the bytes of a request."""
        fields = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n{more}"
        if body:
            fields += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\n{fields}\r\n".encode() + body

    def get(self, path: str, body: bytes = b"") -> bytes:
        """Return the answer to a request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(self.request(path, body, "Connection: close\r\n"))
            return b"".join(iter(lambda: client.recv(65536), b""))

    def processor_seconds(self) -> float:
        """Return its processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mebibytes(self) -> float:
        """Return its memory that is its own."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return sum(map(int, re.findall(r"Private_\w+: +(\d+)", text))) / 1024


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(words: list[str], port: int, token: Path | None = None) -> Iterator[Server]:
    """Run a server for a while."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(200):
            time.sleep(0.05)
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield Server(process, port, token.read_text().strip() if token is not None else "")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def request_body(top: Path, **more: bool) -> bytes:
    """Return a question, or a call that is counted."""
    return json.dumps({**REQUEST, "context": {"path": f"{top}/root/docs/guide.md", **more}}).encode()


def ask(server: Server, top: Path, connections: int, seconds: float) -> Load:
    """Let `wrk` ask."""
    script = top / f"{server.port}.lua"
    script.write_text(
        f"wrk.method='POST'\nwrk.body={json.dumps(request_body(top).decode())}\n"
        f"wrk.headers['Content-Type']='application/json'\nwrk.headers['Authorization']='Bearer {server.token}'\n"
    )
    before = server.processor_seconds()
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
    said = subprocess.run([*words, f"http://127.0.0.1:{server.port}{PATH}"], capture_output=True, text=True, check=True)
    text = said.stdout
    if "Non-2xx" in text:
        sys.exit(text)
    count = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    p99, unit = re.search(r"99% +([\d.]+)(us|ms|s)\b", text).groups()  # type: ignore[union-attr]
    rate = float(re.search(r"Requests/sec: +([\d.]+)", text)[1])  # type: ignore[index]
    return Load(rate, float(p99) * UNITS[unit], (server.processor_seconds() - before) / count * 1e6)


def compare(bare: Server, ours: Server, top: Path, connections: int, seconds: float) -> None:
    """Print both, in turns."""
    loads: dict[str, list[Load]] = {"bare": [], "ours": []}
    for _ in range(ROUNDS):
        loads["bare"].append(ask(bare, top, connections, seconds))
        loads["ours"].append(ask(ours, top, connections, seconds))
    rates, tails, costs = (
        {name: median(one[field] for one in all_of) for name, all_of in loads.items()} for field in range(3)
    )
    for name in loads:
        print(f"| {name} | {connections} | {rates[name]:,.0f} | {tails[name]:.1f} | {costs[name]:.0f} |")
    rate, tail, cost = (each["ours"] / each["bare"] for each in (rates, tails, costs))
    print(f"| ours : bare | {connections} | {rate:.2f} | {tail:.2f} | {cost:.2f} |")
    print_goal(f"answers a second, at least {GOAL_RATE}", rate >= GOAL_RATE)
    print_goal(f"99th percentile, at most {GOAL_P99}", tail <= GOAL_P99)


def print_goal(what: str, is_met: bool) -> None:  # noqa: FBT001 - a fact
    """Print whether a goal is met."""
    print(f"| goal: {what} | | {'met' if is_met else 'MISSED'} | | |")


def count_answers(server: Server) -> int:
    """Return how often it has answered, as it says itself."""
    text = server.get("/metrics").decode()
    return int(float(re.search(rf'requests_total{{path="{PATH}",status="200"}} (\S+)', text)[1]))  # type: ignore[index]


def watch_memory(server: Server, top: Path, requests: int) -> None:
    """Print its memory after a tenth of the requests, and after all."""
    start = count_answers(server)
    sizes = []
    for goal in (requests // 10, requests):
        while count_answers(server) - start < goal:
            ask(server, top, CONNECTIONS, 5)
        sizes.append((count_answers(server) - start, server.mebibytes()))
    for count, size in sizes:
        print(f"| {count:,} requests | {size:.1f} MiB |")


def annoy(server: Server) -> None:
    """Be clients that do not go on, and print whether others are answered meanwhile."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4096),) * 2)
    begun = [
        b"", b"P", b"GET /healthz HTTP/1.1\r\n", b"\x16\x03\x01", server.request(PATH, b"{}")[:-1],
        server.request()[:-2] + b"x" * 20_000, server.request(PATH, b"x" * 100)[:-50],
    ]  # fmt: skip
    kept: list[socket.socket] = []
    slowest, answered = 0.0, 0
    for number in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        client.sendall(begun[number % len(begun)])
        if number % 3 == 0:
            client.shutdown(socket.SHUT_WR)
        kept.append(client)
        if len(kept) > AT_ONCE:
            kept.pop(0).close()
        if number % 100 == 0:
            start = time.perf_counter()
            answered += b"ok" in server.get("/healthz")
            slowest = max(slowest, time.perf_counter() - start)
    for client in kept:
        client.close()
    print(f"| {CLIENTS:,} clients that do not go on | {answered} of {CLIENTS // 100} others answered |")
    print(f"| the slowest answer meanwhile | {slowest * 1e3:.1f} ms |")


def main() -> None:
    """Print all of it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000  # noqa: PLR2004 - the second argument
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:  # no disk may slow either down
        top = Path(name)
        open_scratch_root(top)
        ports = free_port(), free_port()
        answer = json.dumps({"decision": True, "context": "x" * 700})
        words = ["-m", "cortex_policy", "serve", "--root", str(top / "root"), "--tcp", f"127.0.0.1:{ports[1]}"]
        with (
            running(["-c", BARE, answer, str(ports[0])], ports[0]) as bare,
            running([*words, "--token", f"{top}/token"], ports[1], top / "token") as ours,
        ):
            ours.get(PATH, request_body(top, consume=True))  # so that there is a budget to read
            print("| | connections | answers a second | 99 % within ms | processor us for one |\n|---|---|---|---|---|")
            for connections in (CONNECTIONS, MANY):
                compare(bare, ours, top, connections, seconds)
            print("\n| | |\n|---|---|")
            watch_memory(ours, top, requests)
            annoy(ours)
            print(f"| memory after that | {ours.mebibytes():.1f} MiB |")


if __name__ == "__main__":
    main()
