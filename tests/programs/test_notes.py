"""The notes as a client has them: a real server over its standard input and output, in each revision of the protocol."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastmcp
import mcp
import pytest
from fastmcp.client.transports import StdioTransport
from mcp import StdioServerParameters
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION

from tests.support.examples import Example

SDK_SERVER = """
import sys
from mcp.server.mcpserver import MCPServer
from cortex_policy.adapters.mcp_server import GrantMiddleware
server = MCPServer("notes")
server.middleware.append(GrantMiddleware(server, root=sys.argv[1]))
for name in ("count", "read", "write", "remove"):
    def tool(path: str = "", text: str = "", name: str = name) -> str:
        if name == "write":
            open(path, "w").write(text)
        return open(path).read() if name == "read" else "0"
    server.add_tool(tool, name=name)
server.run()
"""


@pytest.fixture
def notes(tmp_path: Path) -> Example:
    """Copy the example."""
    return Example("notes", tmp_path)


def command(notes: Example, kind: str) -> list[str]:
    """Return what starts a server of the notes, written with one of the two libraries."""
    words = [str(notes.root / "notes.py")] if kind == "fastmcp" else ["-c", SDK_SERVER, str(notes.root)]
    return [sys.executable, *words]


def environment(state: Path) -> dict[str, str]:
    """Return the variables of a server: clients hand on few of theirs."""
    return {"CORTEX_POLICY_STATE_DIR": str(state), "HOME": str(state)}


async def use(client: Any, **options: Any) -> None:
    """Do what a model might, with either client: only what the grant allows happens."""

    async def call(tool: str, **arguments: str) -> Any:
        return await client.call_tool(tool, arguments, **options)

    listed = await client.list_tools()
    assert {tool.name for tool in getattr(listed, "tools", listed)} == {"count", "read", "write"}
    assert not (await call("write", path="notes/a.txt", text="{}")).is_error
    assert (await call("read", path="notes/a.txt")).content[0].text == "{}"
    assert not (await call("count")).is_error
    for tool, path, reason in (
        ("read", "/etc/passwd", "path_outside_scope"),
        ("write", ".cortex/policy/hooks.toml", "action_not_allowed"),
        ("remove", "notes/a.txt", "action_not_allowed"),
        ("nobody", "notes/a.txt", "action_not_allowed"),
    ):
        result = await call(tool, path=path, text="x")
        members = result.structured_content or result.meta["cortex-policy/decision"]
        assert (result.is_error, members["reason"]) == (True, reason)
        assert result.content[0].text
    more = await asyncio.gather(*(call("read", path="notes/a.txt") for _ in range(30)))
    assert [sum(one.is_error is not wrong for one in more) for wrong in (True, False)] == [19, 11]
    assert "Wait" in next(one for one in more if one.is_error).content[0].text


def ask_with_sdk(notes: Example, state: Path, kind: str, mode: Any) -> None:
    """Use a server with the client of the official SDK."""
    program, *words = command(notes, kind)
    parameters = StdioServerParameters(command=program, args=words, env=environment(state), cwd=notes.root)

    async def run() -> None:
        async with mcp.Client(parameters, mode=mode) as client:
            await use(client)

    asyncio.run(run())


def ask_with_fastmcp(notes: Example, state: Path, kind: str, mode: Any) -> None:
    """Use a server with the client of fastmcp."""
    program, *words = command(notes, kind)
    transport = StdioTransport(program, words, env=environment(state), cwd=str(notes.root))

    async def run() -> None:
        async with fastmcp.Client(transport, mode=mode) as client:
            await use(client, raise_on_error=False)

    asyncio.run(run())


def test_a_client_gets_what_the_grant_allows(notes: Example, state: Path) -> None:
    """That of the SDK, in the newest revision of the protocol; a storm tries the others."""
    ask_with_sdk(notes, state, "fastmcp", "auto")


@pytest.mark.storm
@pytest.mark.parametrize("mode", ["legacy", LATEST_MODERN_VERSION])
@pytest.mark.parametrize("kind", ["fastmcp", "sdk"])
@pytest.mark.parametrize("ask", [ask_with_sdk, ask_with_fastmcp])
def test_each_client_gets_the_same_of_each_server(notes: Example, state: Path, ask: Any, kind: str, mode: str) -> None:
    """In both eras of the protocol."""
    ask(notes, state, kind, mode)


@pytest.mark.storm
@pytest.mark.parametrize("kind", ["fastmcp", "sdk"])
@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
def test_a_denial_has_the_form_of_each_older_revision(notes: Example, state: Path, kind: str, version: str) -> None:
    """The lines are as a client of that time writes them."""
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    call = {"name": "read", "arguments": {"path": "/etc/passwd"}}
    lines = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": call},
    ]
    with subprocess.Popen(
        command(notes, kind), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=notes.root,
        env=environment(state),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        answers: dict[int, Any] = {}
        for line in lines:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **line}) + "\n")
            process.stdin.flush()
            while "id" in line and line["id"] not in answers:
                answer = json.loads(process.stdout.readline())
                answers[answer.get("id")] = answer.get("result")
        process.stdin.close()
    assert answers[1]["protocolVersion"] == version
    assert {tool["name"] for tool in answers[2]["tools"]} == {"count", "read", "write"}
    assert answers[3]["isError"] is True
    assert "outside the project" in answers[3]["content"][0]["text"]
    assert answers[3]["_meta"]["cortex-policy/decision"]["reason"] == "path_outside_scope"
    assert "structuredContent" not in answers[3]


@pytest.mark.storm
@pytest.mark.parametrize("kind", ["fastmcp", "sdk"])
def test_several_servers_share_one_budget_exactly(notes: Example, state: Path, kind: str) -> None:
    """Four processes, 100 calls at once each."""
    file = notes.root / ".cortex" / "policy" / "tools" / "notes.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"rate": {"perMinute": 150}}))
    (notes.root / "notes" / "a.txt").write_text("x")

    async def run() -> int:
        program, *words = command(notes, kind)
        parameters = StdioServerParameters(command=program, args=words, env=environment(state), cwd=notes.root)
        async with mcp.Client(parameters) as client:
            calls = (client.call_tool("read", {"path": "notes/a.txt"}) for _ in range(100))
            return sum(not result.is_error for result in await asyncio.gather(*calls))

    async def run_all() -> int:
        return sum(await asyncio.gather(*(run() for _ in range(4))))

    assert asyncio.run(run_all()) == 150
