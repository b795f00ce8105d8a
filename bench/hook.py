"""Print how long an agent waits for its hook, as ratios to `python -I -c pass`: python bench/hook.py [PAIRS]."""

import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from startup import WARM_UPS, install_wheel

CLIENT = Path(__file__).parent.parent / "examples" / "hook_client.py"
CALL = b"toolu_"  # each call has an id of its own, which a number makes of this
GOAL = "1.6"  # of an allowed call, the fork included
GRANT = {"tool": "fs", "actions": ["write"], "rate": {"perMinute": 1_000_000}, "fsScope": ["docs"]}
RULES = """\
format = 1
unmapped = "deny"

[[rule]]
tools = ["Read", "Grep", "Glob", "LS"]
decide = "pass"

[[rule]]
tools = ["Write", "Edit", "NotebookEdit"]
grant = "fs"
action = "write"
within = "root"
ignore = ["content", "old_string", "new_string"]
"""


class Case(NamedTuple):
    """A payload, the code that it must be answered with, and the ratio it should not exceed."""

    name: str
    payload: bytes
    code: int = 0
    goal: str = ""


def cases(root: Path) -> list[Case]:
    """Return what is timed."""
    return [
        Case("allowed by a grant, counted", payload(root, "Write", "docs/x"), goal=GOAL),
        Case("passed by a rule", payload(root, "Read", "docs/x"), goal=GOAL),
        Case("allowed, 1 MiB of text", payload(root, "Write", "docs/x", "x" * (1 << 20))),
        Case("denied by a grant", payload(root, "Write", "x"), 2),
        Case("denied by the rules", payload(root, "WebFetch", "docs/x"), 2),
    ]


def payload(root: Path, tool: str, path: str, content: str = "text") -> bytes:
    """Return what Claude Code sends."""
    return json.dumps({
        "session_id": "s", "transcript_path": "/t", "cwd": str(root), "permission_mode": "default",
        "hook_event_name": "PreToolUse", "tool_name": tool, "tool_use_id": CALL.decode(),
        "tool_input": {"file_path": f"{root}/{path}", "content": content},
    }).encode()  # fmt: skip


def open_scratch_root(top: Path) -> Path:
    """Make a root with rules and a grant."""
    root = top / "root"
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (root / "docs").mkdir()
    (tools / "fs.json").write_text(json.dumps(GRANT))
    (tools.parent / "hooks.toml").write_text(RULES)
    return root


def milliseconds(words: list[str], given: bytes, environment: dict[str, str], expected: int) -> float:
    """Time one whole process; end the run where it answers another code than expected."""
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        began = time.perf_counter_ns()
        done = subprocess.run(
            words, stdin=file, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        took = (time.perf_counter_ns() - began) / 1e6
    if done.returncode != expected:
        sys.exit(f"`{' '.join(words)}` ended with {done.returncode}, not {expected}")
    return took


@contextmanager
def resident(hook: list[str], environment: dict[str, str], place: Path) -> Iterator[None]:
    """Let a resident hook listen below a directory."""
    words = [*hook[:-5], "serve", *hook[-5:], "--socket", f"{place}/sock"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as server:
        try:
            next(iter(server.stdout or ()))  # it listens
            yield
        finally:
            server.terminate()


def socket_milliseconds(place: Path, given: bytes) -> float:
    """Time one call over the socket, without a process of its own."""
    key = (place / "sock.key").read_bytes().strip()
    began = time.perf_counter_ns()
    nonce = os.urandom(16).hex()
    signature = hmac.digest(key, f"request\n{nonce}\n".encode() + given, "sha256").hex()
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(given)}\r\nCortex-Policy-Nonce: {nonce}\r\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{place}/sock")
        client.sendall(f"{head}Cortex-Policy-Signature: {signature}\r\n\r\n".encode() + given)
        answer = b""
        while part := client.recv(1 << 16):
            answer += part
    took = (time.perf_counter_ns() - began) / 1e6
    if not answer.endswith(b"\r\n\r\n{}\n"):
        sys.exit(f"the resident hook answered {answer!r}")
    return took


def print_row(
    name: str, goal: str, pairs: int, given: bytes, ask: Callable[[bytes], float], bare: Callable[[], float]
) -> None:
    """Ask in turn with a bare Python, and print the ratios."""
    ratios = [ask(given.replace(CALL, b"%s%d" % (CALL, number))) / bare() for number in range(WARM_UPS + pairs)]
    kept = ratios[WARM_UPS:]
    print(f"| {name} | {median(kept):.2f} | {min(kept):.2f} | {max(kept):.2f} | {goal} |", flush=True)


def main(pairs: int) -> None:
    """Run a hook for each payload in turn with a bare Python, as it is installed, and print the ratios.

    A hook believes no variable, so that its rate state is that of whoever runs this.
    """
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        programs, root = install_wheel(top), open_scratch_root(top)
        environment = {"HOME": str(top)}
        python = [f"{programs}/python", "-I"]
        hook = [*python, f"{programs}/cortex-policy", "hook", "claude", "--root", str(root), "--deadline", "8"]

        def bare() -> float:
            return milliseconds([*python, "-c", "pass"], b"", environment, 0)

        print(f"ratio to `python -I -c pass`, {pairs} pairs, Python {sys.version.split()[0]}\n")
        print("| call of a tool | median | min | max | goal |\n|---|---|---|---|---|")
        for case in cases(root):
            words = [*hook, "--install", "user"]
            print_row(
                case.name, case.goal, pairs, case.payload,
                lambda given, words=words, code=case.code: milliseconds(words, given, environment, code), bare,
            )  # fmt: skip
        allowed, place = payload(root, "Write", "docs/x").replace(CALL, b"resident" + CALL), top / "private"
        client = [*python, str(CLIENT), f"{place}/sock", f"{place}/sock.key"]
        with resident(hook, environment, place):
            print_row(
                "allowed and counted, by the client of a resident hook", "", pairs, allowed,
                lambda given: milliseconds(client, given, environment, 0), bare,
            )  # fmt: skip
            print_row(
                "the same over its socket, without a process", "", pairs, allowed,
                lambda given: socket_milliseconds(place, given), bare,
            )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
