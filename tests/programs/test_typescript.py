"""The client in TypeScript, against a real server."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import CHECKOUT
from tests.support.serve import Server, environment, make_root, running

CLIENT = CHECKOUT / "examples" / "typescript" / "client.ts"
FIRST_NODE = 23  # that reads TypeScript


def node_version() -> int:
    """Return the major version of Node.js, 0 if it is not installed."""
    if shutil.which("node") is None:
        return 0
    return int(
        subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    )


@pytest.fixture(scope="module")
def client() -> list[str]:
    """Return the words that run the client: as it is, or as JavaScript that `TYPESCRIPT_CLIENT` names."""
    made = os.environ.get("TYPESCRIPT_CLIENT")
    if made is None and node_version() < FIRST_NODE:
        pytest.skip(f"Node.js {FIRST_NODE} is not installed")
    return ["node", made or str(CLIENT)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a server on a port."""
    root = make_root(tmp_path, git={"actions": ["tree"], "rate": {"perMinute": 2}, "fsScope": ["docs"]})
    words = ("--tcp", "127.0.0.1:0", "--token", str(tmp_path / "token"))
    with running(root, *words, env=environment(tmp_path)) as server:
        yield server


def ask(client: list[str], url: str, token: Path, **args: object) -> dict[str, object]:
    """Return what the client prints; its exit code must say the same."""
    variables = {**os.environ, "PDP_URL": url, "PDP_TOKEN_FILE": str(token)}
    argv = [*client, "git", "tree", json.dumps(args)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=variables)
    answer: dict[str, object] = json.loads(done.stdout)
    assert answer["allowed"] is (done.returncode == 0)
    return answer


def test_it_counts_calls_and_says_when_to_ask_again(client: list[str], server: Server, tmp_path: Path) -> None:
    """The budget is exact."""
    answers = [ask(client, server.url, tmp_path / "token", path="docs/x") for _ in range(3)]
    assert [one["allowed"] for one in answers] == [True, True, False]
    assert answers[2]["reason"] == "rate_limited"
    assert answers[2]["retryAfterSeconds"]
    assert ask(client, server.url, tmp_path / "token", path="/etc")["reason"] == "path_outside_scope"


def test_it_denies_whatever_goes_wrong(client: list[str], server: Server, tmp_path: Path) -> None:
    """A wrong token, and no server at all."""
    (tmp_path / "wrong").write_text("x" * 64)
    assert ask(client, server.url, tmp_path / "wrong", path="docs/x")["reason"] == "undecided"
    assert server.end() == 0
    assert ask(client, server.url, tmp_path / "token", path="docs/x")["reason"] == "undecided"
