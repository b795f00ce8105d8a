"""Print what an HTTP sink costs a call, whatever its receiver does: bench/http_sink.py [ROUNDS].

Slices of calls are timed in turn, by the clock and by the processor time of the calling thread. The figures are medians
of the ratios to a call without a sink in the same round.
"""

import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from resident import open_scratch_root

from cortex_policy import CallableSink, HttpSink, PolicyStore, Sink

ROUNDS, SLICE = 40, 200
NO_SINK = "no sink"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take all, and say so."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve(port: int) -> None:
    """Be a receiver."""
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def time_slice(store: PolicyStore) -> tuple[float, float]:
    """Return what a call takes by the clock and by the processor, in microseconds."""
    began, began_thread = time.perf_counter_ns(), time.thread_time_ns()
    for _ in range(SLICE):
        store.enforce("git", "tree", {"path": "docs/guide.md"})
    return (time.perf_counter_ns() - began) / SLICE / 1e3, (time.thread_time_ns() - began_thread) / SLICE / 1e3


def sinks_of(top: Path, hanging: socket.socket, alive: int) -> dict[str, list[Sink]]:
    """Return the sinks to compare."""

    def ignore(_: Mapping[str, object]) -> None:
        """Do nothing."""

    port = hanging.getsockname()[1]
    options = {"max_bytes": 1 << 30}
    return {
        NO_SINK: [],
        "a CallableSink that does nothing": [CallableSink(ignore)],
        "HttpSink, nobody listens": [HttpSink(f"http://127.0.0.1:{free_port()}/", spool=top / "dead", **options)],
        "HttpSink, the receiver hangs": [HttpSink(f"http://127.0.0.1:{port}/", spool=top / "hangs", **options)],
        "HttpSink, in batches": [HttpSink(f"http://127.0.0.1:{alive}/", spool=top / "batch", mode="batch", **options)],
        "HttpSink, one by one": [HttpSink(f"http://127.0.0.1:{alive}/", spool=top / "single", **options)],
    }


def main(rounds: int) -> None:
    """Print a row for each."""
    with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.1", 0)) as hanging:
        top = Path(directory)
        open_scratch_root(top)
        alive = free_port()
        receiver = multiprocessing.get_context("spawn").Process(target=serve, args=(alive,), daemon=True)
        receiver.start()
        stores = {name: PolicyStore(top / "root", sinks=sinks) for name, sinks in sinks_of(top, hanging, alive).items()}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in stores}
        for store in stores.values():
            time_slice(store)
        for _ in range(rounds):
            for name, store in stores.items():
                time.sleep(0.05)  # so that those that can deliver, do
                found[name].append(time_slice(store))
        receiver.kill()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; {rounds} rounds of {SLICE} calls\n")
    print("| | us, best | times no sink, by the clock | by the processor |\n|---|--:|--:|--:|")
    for name, times in found.items():
        ratios = [
            median(mine[part] / theirs[part] for mine, theirs in zip(times, found[NO_SINK], strict=True))
            for part in range(2)
        ]
        print(f"| {name} | {min(times)[0]:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
