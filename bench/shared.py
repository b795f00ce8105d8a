"""Print what shared budgets cost beside other libraries on the same server: bench/shared.py [--seconds S] [--node DIR].

It runs a redis-server of its own on a socket. `--node` names a directory in which npm has installed
`rate-limiter-flexible` and `ioredis`. BullMQ has no row: its limiter delays the jobs of a queue, and has no call that
answers yes or no.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

import redis
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis._parsers import _HiredisParser, _RESP2Parser

from cortex_policy import RedisBudgets

PROCESSES, ROUNDS = 8, 5
SECRET = b"a key of 32 bytes for this run.."
NODE_WORKER = """
const {{ RateLimiterRedis }} = await import("{modules}/rate-limiter-flexible/index.js").then(m => m.default ?? m);
const Redis = (await import("{modules}/ioredis/built/index.js")).default.default;
const client = new Redis("{path}");
const limiter = new RateLimiterRedis({{ storeClient: client, points: {limit}, duration: 60 }});
let calls = 0, admitted = 0;
await client.ping();
const end = Date.now() + {seconds} * 1000;
while (Date.now() < end) {{
  calls++;
  try {{ await limiter.consume("{key}"); admitted++; }} catch (denial) {{ if (denial instanceof Error) throw denial; }}
}}
console.log(JSON.stringify([calls, admitted]));
client.disconnect();
"""
ONE_SHOT = """
from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.state.shared_budgets.one_shot_budgets import OneShotBudgets
budgets = OneShotBudgets(parse_budget_server({url!r}), "bench", {secret!r}, state_dir={state!r}, timeout_ms=1000)
assert budgets.take("bench", "one shot", 1000000).consumed
"""
Hit = Callable[[], bool]


def open_ours(path: str, key: str, limit: int) -> Hit:
    """Hit a shared budget."""
    budgets = RedisBudgets(f"unix://{path}", "bench", SECRET, state_dir=f"{path}-state", timeout_ms=5000)
    return lambda: budgets.hit("bench", key, limit)


def open_limits(path: str, key: str, limit: int) -> Hit:
    """Hit the moving window of limits."""
    limiter, item = MovingWindowRateLimiter(RedisStorage(f"redis+unix://{path}")), RateLimitItemPerMinute(limit)
    return lambda: limiter.hit(item, key)


OURS, LIMITS, NODE = "RedisBudgets.hit", "limits, moving window", "rate-limiter-flexible, Node"
OPENERS = {OURS: open_ours, LIMITS: open_limits}


def call_greedily(name: str, path: str, key: str, limit: int, seconds: float, barrier: Barrier) -> tuple[int, int]:
    """Hit as often as possible for a time; return the calls and how many were admitted."""
    hit = OPENERS[name](path, key, limit)
    calls = admitted = int(hit())
    barrier.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        calls += 1
        admitted += hit()
    return calls, admitted


def _child(results: "multiprocessing.Queue[tuple[int, int]]", *words: object) -> None:
    results.put(call_greedily(*words))  # type: ignore[arg-type]


def run_processes(name: str, path: str, key: str, limit: int, seconds: float) -> list[tuple[int, int]]:
    """Run a limiter in several processes at once."""
    results: multiprocessing.Queue[tuple[int, int]] = multiprocessing.Queue()
    barrier = multiprocessing.Barrier(PROCESSES)
    words = results, name, path, key, limit, seconds, barrier
    children = [multiprocessing.Process(target=_child, args=words) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    found = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    return found


def run_node(modules: str, path: str, key: str, limit: int, seconds: float) -> list[tuple[int, int]]:
    """Do the same in Node."""
    program = NODE_WORKER.format(modules=modules, path=path, key=key, limit=limit, seconds=seconds)
    words = ["node", "--input-type=module", "-e", program]
    children = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    return [tuple(json.loads(child.communicate(timeout=60)[0])) for child in children]


def print_throughput(path: str, seconds: float, node: str | None) -> None:
    """Print the calls a second of all processes together, and what each limiter admitted."""
    print(f"\n{PROCESSES} processes, one key, {ROUNDS} rounds of {seconds:g} s in turn")
    names = [OURS, LIMITS, *([NODE] if node else [])]
    for limit in (1_000_000, 60):
        rates: dict[str, list[float]] = {name: [] for name in names}
        admitted: dict[str, list[int]] = {name: [] for name in names}
        for turn in range(ROUNDS):
            for name in names:
                key = f"{limit} {turn} {len(name)}"
                found = (
                    run_node(f"{node}/node_modules", path, key, limit, seconds)
                    if name == NODE
                    else run_processes(name, path, key, limit, seconds)
                )
                rates[name].append(sum(calls for calls, _ in found) / seconds)
                admitted[name].append(sum(hits for _, hits in found))
        for name in names:
            most = f"admitted at most {max(admitted[name]):,} of {limit:,}" if limit == 60 else ""  # noqa: PLR2004 - the small one
            print(f"  limit {limit:>9,}  {name:<28} {median(rates[name]):>9,.0f} calls/s  {most}")
        ratios = [ours / theirs for ours, theirs in zip(rates[OURS], rates[LIMITS], strict=True)]
        print(f"  limit {limit:>9,}  beside limits: {median(ratios):.2f} times (goal 1.5)")


def print_latency(path: str) -> None:
    """Print the median of a hit beside `ping` of redis-py, with each of its parsers, call by call in turn."""
    hit = open_ours(path, "latency", 1_000_000)
    hit()
    print()
    for name, parser in (("as it is installed", _RESP2Parser), ("with hiredis", _HiredisParser)):
        pool = redis.ConnectionPool(
            connection_class=redis.UnixDomainSocketConnection, path=path, protocol=2, parser_class=parser
        )
        ratio, ours, ping = compare(hit, redis.Redis(connection_pool=pool).ping)
        print(f"a hit beside ping() of redis-py, {name}: {ours:.1f} us, {ping:.1f} us: {ratio:.2f} (goal 0.7)")


def compare(hit: Hit, ping: Callable[[], object]) -> tuple[float, float, float]:
    """Return the ratio of two calls, and the microseconds of each: the middle of 20 rounds' medians."""
    ratios = []
    for _ in range(20):
        times: tuple[list[int], list[int]] = [], []
        for _ in range(500):
            began = time.perf_counter_ns()
            hit()
            between = time.perf_counter_ns()
            ping()
            times[0].append(between - began)
            times[1].append(time.perf_counter_ns() - between)
        ours, theirs = (median(each) / 1000 for each in times)
        ratios.append((ours / theirs, ours, theirs))
    return sorted(ratios)[len(ratios) // 2]


def print_memory(path: str) -> None:
    """Print the bytes of a full budget, beside a sorted set and the list of limits."""
    client = redis.Redis(unix_socket_path=path)
    budgets = RedisBudgets(f"unix://{path}", "bench", SECRET, state_dir=f"{path}-state", timeout_ms=5000)
    limiter = MovingWindowRateLimiter(RedisStorage(f"redis+unix://{path}"))
    print("\nbytes of the server for each hit of a full budget")
    for limit in (60, 1000, 100_000):
        before = set(client.scan_iter("cortex:*"))
        for _ in range(limit // 20):
            budgets.take("bench", f"memory {limit}", limit, cost=20)
        (ours,) = set(client.scan_iter("cortex:*")) - before
        client.zadd("sorted set", {f"{number:012}": time.time() + number / 1e6 for number in range(limit)})
        item = RateLimitItemPerMinute(limit)
        for _ in range(limit // 20):
            limiter.hit(item, f"memory {limit}", cost=20)
        (theirs,) = client.scan_iter(f"*memory {limit}*")
        sizes = [client.memory_usage(key, samples=0) / limit for key in (ours, "sorted set", theirs)]
        print(f"  {limit:>7,} hits: {sizes[0]:6.1f}; a sorted set {sizes[1]:6.1f}; limits {sizes[2]:6.1f}")
        client.delete("sorted set")


def print_one_shot(path: str) -> None:
    """Print what a process takes that asks once, beside a bare Python."""
    program = ONE_SHOT.format(url=f"unix://{path}", secret=SECRET, state=f"{path}-state")
    words = {"bare": [sys.executable, "-I", "-c", "pass"], "one shot": [sys.executable, "-I", "-c", program]}
    ratios = []
    for _ in range(30):
        took = {}
        for name, command in words.items():
            began = time.perf_counter()
            subprocess.run(command, check=True)
            took[name] = time.perf_counter() - began
        ratios.append(took["one shot"] / took["bare"])
    print(f"\na process that asks once, beside a bare Python: {median(ratios):.2f} (goal 1.6)")


def main() -> None:
    """Run the server and all measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--node")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="cp-bench-"))
    path = f"{directory}/socket"
    os.makedirs(f"{path}-state", mode=0o700)
    server = subprocess.Popen(
        [
            shutil.which("redis-server") or "redis-server",
            "--port",
            "0",
            "--unixsocket",
            path,
            "--dir",
            directory,
            "--save",
            "",
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not os.path.exists(path):
            time.sleep(0.01)
        RedisBudgets(f"unix://{path}", "bench", SECRET, state_dir=f"{path}-state", timeout_ms=5000).reset_all()
        print_latency(path)
        print_one_shot(path)
        print_memory(path)
        print_throughput(path, options.seconds, options.node)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
