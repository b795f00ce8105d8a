"""The proxy before the reference filesystem server from npm, as examples/mcp has it (docs/mcp.md)."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.agents.install import FILESYSTEM, FILESYSTEM_SERVER
from tests.support.checkout import CHECKOUT
from tests.support.command import PROGRAM
from tests.support.mcp_messages import call, request
from tests.support.mcp_proxy import running

EXAMPLE = CHECKOUT / "examples" / "mcp"
pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(
        shutil.which("node") is None or not FILESYSTEM_SERVER.is_file(), reason="the server is not installed"
    ),
]


@pytest.fixture
def words(root: Path) -> list[str]:
    """Put the example into a root; return the command of its client settings, for this root."""
    policy = root / ".cortex" / "policy"
    shutil.copy(EXAMPLE / "hooks.toml", policy)
    shutil.copy(EXAMPLE / "files.json", policy / "tools")
    (root / "docs" / "a.txt").write_text("hello")
    (root / "packages" / "b.txt").write_text("secret")
    settings = json.loads((EXAMPLE / "mcp.json").read_text())["mcpServers"]["files"]
    programs = {
        "cortex-policy": PROGRAM,
        "mcp-server-filesystem": ["node", str(FILESYSTEM_SERVER)],
        "/srv/repo": [str(root)],
    }
    return [word for part in (settings["command"], *settings["args"]) for word in programs.get(part, [part])]


def ask_typescript(words: list[str], *calls: dict[str, Any]) -> Any:
    """Return what a client of the SDK for TypeScript sees."""
    client = CHECKOUT / "tests" / "support" / "mcp_client.mjs"
    given = ["node", str(client), str(FILESYSTEM), json.dumps(calls), *words]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_files_in_the_scope_are_read_and_others_are_denied(root: Path, words: list[str]) -> None:
    """A denial reaches the model as text: clients throw one away whose members do not fit the tool's schema."""
    paths = {"in": "docs/a.txt", "out": "packages/b.txt", "up": "docs/../packages/b.txt", "link": "docs/link/passwd"}
    calls = [{"name": "read_text_file", "arguments": {"path": f"{root}/{path}"}} for path in paths.values()]
    relative = {"name": "read_text_file", "arguments": {"path": "docs/a.txt"}}
    write = {
        "name": "write_file",
        "arguments": {"path": f"{root}/docs/new.txt", "content": "text"},
    }
    move = {"name": "move_file", "arguments": {"source": f"{root}/docs/a.txt", "destination": f"{root}/docs/b.txt"}}
    seen = ask_typescript(words, *calls, relative, write, move)
    assert seen["tools"] == [
        "read_text_file", "write_file", "edit_file", "list_directory", "list_allowed_directories"
    ]  # fmt: skip
    allowed, *denied = seen["results"][:5]
    assert allowed["structuredContent"] == {"content": "hello"}
    assert [result["isError"] for result in denied] == [True] * 4
    assert all(result["content"][0]["text"].startswith("denied by rule 2") for result in denied)
    assert denied[0]["_meta"]["cortex-policy/decision"]["reason"] == "path_outside_scope"
    assert (root / "docs" / "new.txt").read_text() == "text"
    assert seen["results"][6]["structuredContent"]["reason"] == "action_not_allowed"
    assert not (root / "docs" / "b.txt").exists()


def test_of_a_thousand_concurrent_calls_exactly_the_rate_reaches_the_server(root: Path, words: list[str]) -> None:
    """Of four clients, each with a proxy and a server of its own, on one budget."""
    grant = (EXAMPLE / "files.json").read_text().replace('"perMinute": 30', '"perMinute": 600')
    (root / ".cortex" / "policy" / "tools" / "files.json").write_text(grant)

    async def use() -> list[bool]:
        from mcp.client.client import Client  # noqa: PLC0415 - half a second
        from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

        async def use_one() -> list[bool]:
            parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
            async with Client(stdio_client(parameters)) as client:
                asked = [client.call_tool("read_text_file", {"path": f"{root}/docs/a.txt"}) for _ in range(250)]
                return [result.is_error for result in await asyncio.gather(*asked)]

        return [is_error for answers in await asyncio.gather(*[use_one() for _ in range(4)]) for is_error in answers]

    answers = asyncio.run(use())
    assert (answers.count(False), answers.count(True)) == (600, 400)


def test_a_message_of_nine_megabytes_is_written_and_read(root: Path, words: list[str]) -> None:
    """As without the proxy; the server ends itself at ten."""
    text = "x" * 9_000_000
    client = {"name": "test", "version": "1"}
    hello = request("initialize", 0, protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
    with running(server=[], command=words) as proxy:
        assert proxy.ask(hello)["result"]["serverInfo"]["name"] == "secure-filesystem-server"
        proxy.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        proxy.ask(call("write_file", 1, path=f"{root}/docs/big", content=text))
        assert (root / "docs" / "big").read_text() == text
        assert proxy.ask(call("read_text_file", 2, path=f"{root}/docs/big"))["result"]["content"][0]["text"] == text
        code, log = proxy.end()
        assert (code, b"cortex-policy" in log) == (0, False)
