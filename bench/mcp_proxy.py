"""Print what `mcp proxy` adds to messages, as ratios to the same server without it: python bench/mcp_proxy.py [ROUNDS].

The server only reads a line and writes one, so the ratios are the worst there can be. Both are asked in turns, and the
fastest round of each counts: a round is short enough to be alone on a core at some time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

from startup import install_wheel

CALLS = 10  # of a round
LARGE = 10_000_000
SERVER = """
import sys
large = b'"%s"' % (b"x" * int(sys.argv[1]))
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":1,"result":%s}\\n' % (large if b'"large"' in line[:200] else b"{}"))
    sys.stdout.buffer.flush()
"""
GRANT = {"tool": "files", "actions": ["write"], "rate": {"perMinute": 1_000_000}, "fsScope": ["docs"]}
RULES = """\
format = 1
unmapped = "deny"

[[rule]]
mcp = ["files/pass"]
decide = "pass"

[[rule]]
mcp = ["files/*"]
grant = "files"
action = "write"
ignore = ["content"]
"""


class Case(NamedTuple):
    """A message, and how often it is sent in a round."""

    name: str
    line: bytes
    calls: int = CALLS


class Server:
    """A server, or a proxy before it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Take the process."""
        self.stdin, self.stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

    def seconds(self, line: bytes, calls: int) -> float:
        """Return how long so many round trips took."""
        begin = time.perf_counter()
        for _ in range(calls):
            self.stdin.write(line)
            self.stdin.flush()
            answer = self.stdout.readline()
        seconds = time.perf_counter() - begin
        if b'"error"' in answer[:200] or (b'"isError"' in answer) > (b"/denied" in line[:300]):
            raise SystemExit(f"a wrong answer: {answer[:400]!r}")
        return seconds


def cases(root: Path) -> list[Case]:
    """Return what is timed."""
    write = {"path": f"{root}/docs/x"}
    return [
        Case("no call of a tool", message("ping")),
        Case("a call that a rule passes", call("pass", {})),
        Case("a call that a grant allows and counts", call("write", write)),
        Case("a call that is denied", call("write", {"path": f"{root}/denied"})),
        Case("a call with 10 MB of text", call("write", {**write, "content": "x" * LARGE}), 1),
        Case("a result of 10 MB", call("write", {"kind": "large", **write}), 1),
    ]


def message(method: str, **params: object) -> bytes:
    """Return a request."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def call(tool: str, arguments: dict[str, str]) -> bytes:
    """Return the call of a tool."""
    return message("tools/call", name=tool, arguments=arguments)


@contextmanager
def running(words: list[str], environment: dict[str, str]) -> Iterator[Server]:
    """Run a server for a while."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    try:
        yield Server(process)
    finally:
        process.communicate()


def main(rounds: int) -> None:
    """Print the ratio for each kind of message."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve()
        programs = install_wheel(top)
        root = top / "root"
        (root / "docs").mkdir(parents=True)
        (root / ".cortex" / "policy" / "tools").mkdir(parents=True)
        (root / ".cortex" / "policy" / "tools" / "files.json").write_text(json.dumps(GRANT))
        (root / ".cortex" / "policy" / "hooks.toml").write_text(RULES)
        environment = {"PATH": os.environ["PATH"], "CORTEX_POLICY_STATE_DIR": str(top / "state"), "HOME": str(top)}
        (top / "state").mkdir(mode=0o700)
        server = [str(programs / "python"), "-I", "-c", SERVER, str(LARGE)]
        proxy = [
            str(programs / "cortex-policy"),
            "mcp",
            "proxy",
            "--server",
            "files",
            "--root",
            str(root),
            "--",
            *server,
        ]
        with running(server, environment) as bare, running(proxy, environment) as guarded:
            for case in cases(root):
                print_ratio(case, bare, guarded, rounds)


def print_ratio(case: Case, bare: Server, guarded: Server, rounds: int) -> None:
    """Time a message by both in turns, and print how they compare."""
    pairs = [[one.seconds(case.line, case.calls) / case.calls for one in (bare, guarded)] for _ in range(rounds)]
    before, after = map(min, zip(*pairs, strict=True))
    print(f"{case.name:<40} {after / before:6.2f} times {(after - before) * 1e6:9,.0f} us more")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
