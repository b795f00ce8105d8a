"""Four hosts that share one budget of 30 calls a minute, and what they do when the server that counts is gone.

    python fleet.py ROOT

It starts a server of its own, on a socket in a directory of its own. A host is a process with its own state directory,
and without any network if root starts it: it reaches nothing but the socket. It ends with 1 if an answer is not as
expected.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOSTS, OFFERED, LIMIT, SHARE = 4, 20, 30, 0.25
CALL = json.dumps({"grant": "deploy", "action": "start"})
PROGRAM = [sys.executable, "-m", "cortex_policy"]
NO_NETWORK = ["unshare", "--net"]
PATIENCE = 10.0  # seconds until the server must answer


class Fleet:
    """The hosts, and all that they have in common: the grant, the address of the server, a name and a key."""

    def __init__(self, root: str, top: Path) -> None:
        """Give each host a state directory, and all of them the key."""
        self.socket = top / "socket"
        self._root, self._top = root, top
        self._prefix = NO_NETWORK if can_do_without_network() else []
        key = top / "key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
        for host in range(HOSTS):
            (top / f"host-{host}").mkdir(mode=0o700)

    def environment(self, host: int, **more: str) -> dict[str, str]:
        """Return the settings of a host; more of them for a host that differs."""
        settings = {
            "URL": f"unix://{self.socket}", "NAME": "fleet", "KEY_FILE": str(self._top / "key"), "TIMEOUT_MS": "1000",
            **more,
        }  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")}
        return {
            **inherited,
            "XDG_CONFIG_HOME": str(self._top),  # without the settings of whoever starts this
            "CORTEX_POLICY_STATE_DIR": str(self._top / f"host-{host}"),
            **{f"CORTEX_POLICY_BUDGETS_{name}": value for name, value in settings.items()},
        }

    def operate(self, *words: str) -> None:
        """Run a command of an operator on the first host."""
        command = [*PROGRAM, *words, "--root", self._root]
        subprocess.run(command, env=self.environment(0), check=True, capture_output=True)

    def ask_at_once(self, **more: str) -> list[Counter[str]]:
        """Let each host make its calls at the same time as all others, and count its answers by their words."""
        with ThreadPoolExecutor(HOSTS) as hosts:
            return list(hosts.map(lambda host: self._ask(host, **more), range(HOSTS)))

    def _ask(self, host: int, **more: str) -> Counter[str]:
        words = [*self._prefix, *PROGRAM, "check", "--batch", "-", "--root", self._root]
        done = subprocess.run(
            words, env=self.environment(host, **more), input=f"{CALL}\n" * OFFERED, stdout=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
        return Counter(map(word_of, map(json.loads, done.stdout.splitlines())))


def can_do_without_network() -> bool:
    """Whether this user may start a process in a network of its own."""
    if shutil.which(NO_NETWORK[0]) is None:
        return False
    return subprocess.run([*NO_NETWORK, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def word_of(answer: dict[str, Any]) -> str:
    """Return the reason of an answer, and `local` if the host counted by itself."""
    return f"{answer['reason']} {answer.get('budget', '')}".rstrip()


@contextmanager
def running_server(socket: Path) -> Iterator[None]:
    """Run a server on a socket, without any data of before."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit("fleet: neither redis-server nor valkey-server is installed")
    words = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + PATIENCE
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield
        finally:
            server.send_signal(signal.SIGKILL)
    socket.unlink(missing_ok=True)


def tell(what: str, answers: list[Counter[str]], expected: dict[str, int]) -> bool:
    """Print what the hosts were answered, and return whether that is as expected, of all hosts together."""
    print(what)
    for host, words in enumerate(answers):
        print(f"  host {host}: {', '.join(f'{count} {word}' for word, count in sorted(words.items()))}")
    total = sum(answers, Counter())
    print(f"  all:    {', '.join(f'{count} {word}' for word, count in sorted(total.items()))}\n", flush=True)
    return total == expected


def play(fleet: Fleet) -> bool:
    """Let the hosts ask while the server runs, while it is gone, and when it is back; return whether that is right."""
    offered, alone = HOSTS * OFFERED, int(LIMIT * SHARE) * HOSTS
    with running_server(fleet.socket):
        fleet.operate("rate", "reset", "deploy", "--yes")  # a new server denies every call for a minute
        shared = tell("one budget", fleet.ask_at_once(), {"allowed": LIMIT, "rate_limited": offered - LIMIT})
    silent = tell("the server is gone: deny", fleet.ask_at_once(), {"state_unavailable": offered})
    local = tell(
        "the server is gone: local, a quarter of the limit on each host",
        fleet.ask_at_once(ON_ERROR="local", LOCAL_SHARE=str(SHARE)),
        {"allowed local": alone, "rate_limited local": offered - alone},
    )
    with running_server(fleet.socket):
        closed = tell("the server is back, without its data", fleet.ask_at_once(), {"rate_limited": offered})
    return shared and silent and local and closed


def main() -> int:
    """Play it; return the exit code."""
    parser = ArgumentParser(description="let four hosts share one budget")
    parser.add_argument("root", help="the directory that holds .cortex/policy")
    root = os.path.abspath(parser.parse_args().root)
    with tempfile.TemporaryDirectory(prefix="fleet-") as top:
        return 0 if play(Fleet(root, Path(top))) else 1


if __name__ == "__main__":
    sys.exit(main())
