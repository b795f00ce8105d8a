"""Clients of the SDK and of fastmcp speak to `mcp serve`, in each revision that they know, and are told of a write."""

import json
import warnings
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import mcp.client.session
import pytest
from fastmcp import Client as FastmcpClient
from fastmcp.client.transports import StdioTransport
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import ResourceUpdatedNotification

from tests.support.command import PROGRAM, run_command
from tests.support.mcp_client import HANDSHAKES, MODERN, PATIENCE, environment_of
from tests.support.roots import grant_file

URI = "cortex-policy://grants/git"
CALL = {"grant": "git", "action": "tree", "args": {"path": "etc"}}
REVISIONS = [
    pytest.param(one, marks=[pytest.mark.storm] * (one in HANDSHAKES[:-1])) for one in (*HANDSHAKES, MODERN)
]  # fmt: skip


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_client_of_the_sdk_asks_and_is_told_of_a_write(
    root: Path, tmp_path: Path, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds each answer to the schema of its tool."""
    monkeypatch.setattr(mcp.client.session, "LATEST_HANDSHAKE_VERSION", revision)
    words = [*PROGRAM[1:], "mcp", "serve", "--root", str(root)]
    server = StdioServerParameters(command=PROGRAM[0], args=words, env=environment_of(tmp_path))
    anyio.run(use_client, server, root, revision)


async def use_client(server: StdioServerParameters, root: Path, revision: str) -> None:
    """Ask each question, read a grant, and wait for the notice of a write."""
    updated = anyio.Event()

    async def note(message: Any) -> None:
        """Note the notice of an older revision."""
        if isinstance(message, ResourceUpdatedNotification) and message.params.uri == URI:
            updated.set()

    mode = "auto" if revision == MODERN else "legacy"
    with anyio.fail_after(PATIENCE):
        async with Client(server, mode=mode, message_handler=note) as client:
            assert client.session.protocol_version == revision
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            for name, arguments in (("check_grant", CALL), ("explain_call", CALL), ("list_grants", {})):
                answer: Any = await client.call_tool(name, arguments)
                assert not answer.is_error
                if tools[name].output_schema is not None:
                    assert answer.structured_content is not None
            contents: Any = (await client.read_resource(URI)).contents
            assert json.loads(contents[0].text) == json.loads(grant_file(root).read_text())
            async with AsyncExitStack() as stack:
                subscription: Any = None
                if revision == MODERN:
                    subscription = await stack.enter_async_context(client.listen(resource_subscriptions=[URI]))
                else:
                    with warnings.catch_warnings(category=MCPDeprecationWarning, action="ignore"):
                        await client.subscribe_resource(URI)
                run_command("set", "git", "--rate", "20", "--root", str(root))
                if subscription is not None:
                    assert await anext(aiter(subscription)) == ResourceUpdated(uri=URI)
                await updated.wait()
            contents = (await client.read_resource(URI)).contents
            assert json.loads(contents[0].text)["rate"] == {"perMinute": 20}


@pytest.mark.storm
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_client_of_fastmcp_asks(root: Path, tmp_path: Path, mode: Any) -> None:
    """It makes objects of the answers by the schemas of the tools."""

    async def ask() -> None:
        """Ask each question, and for what is there."""
        words = [*PROGRAM[1:], "mcp", "serve", "--root", str(root)]
        transport = StdioTransport(PROGRAM[0], words, env=environment_of(tmp_path), keep_alive=False)
        with anyio.fail_after(PATIENCE):
            async with FastmcpClient(transport, mode=mode) as client:
                assert [tool.name for tool in await client.list_tools()] == [
                    "check_grant",
                    "list_grants",
                    "explain_call",
                ]
                checked = await client.call_tool("check_grant", CALL)
                assert checked.data.decision is False
                assert checked.data.reason == "path_outside_scope"
                assert (await client.call_tool("list_grants")).structured_content["grants"][0]["id"] == "git"
                assert {str(one.uri) for one in await client.list_resources()} >= {URI}
                text: Any = (await client.read_resource(URI))[0]
                assert text.text == grant_file(root).read_text()
                wrong = await client.call_tool("check_grant", {"grant": "git"}, raise_on_error=False)
                assert wrong.is_error

    anyio.run(ask)
