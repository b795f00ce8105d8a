"""Clients of the official SDK and of fastmcp, through the proxy, to servers of both."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.support.checkout import CHECKOUT
from tests.support.command import PROGRAM
from tests.support.mcp import hits, make_mcp_root
from tests.support.mcp_messages import call, request
from tests.support.mcp_proxy import running

SERVER = [sys.executable, "-I", str(CHECKOUT / "tests" / "support" / "mcp_sdk_server.py")]
MODES = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}
STORM = pytest.mark.storm
Seen = tuple[list[str], bool, str, bool, str]


@pytest.fixture
def words(root: Path) -> list[str]:
    """Return the words of a proxy in a root with rules for the server `files`, without the server."""
    make_mcp_root(root)
    return [*PROGRAM, "mcp", "proxy", "--server", "files", "--"]


async def use_sdk(words: list[str], mode: str) -> tuple[str | None, *Seen]:
    """Use the client of the official SDK."""
    from mcp.client.client import Client  # noqa: PLC0415 - half a second
    from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

    parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
    async with Client(stdio_client(parameters), mode=mode) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        allowed = await client.call_tool("read", {"path": "docs/x"})
        denied = await client.call_tool("read", {"path": "/etc/passwd"})
        version = client.protocol_version
    return version, tools, allowed.is_error, text_of(allowed), denied.is_error, text_of(denied)


async def use_fastmcp(words: list[str], mode: str) -> tuple[str | None, *Seen]:
    """Use the client of fastmcp."""
    from fastmcp import Client  # noqa: PLC0415 - as above
    from fastmcp.client.transports import StdioTransport  # noqa: PLC0415

    client: Any = Client(StdioTransport(words[0], words[1:], env=dict(os.environ), keep_alive=False), mode=mode)
    async with client:
        tools = [tool.name for tool in await client.list_tools()]
        allowed = await client.call_tool("read", {"path": "docs/x"}, raise_on_error=False)
        denied = await client.call_tool("read", {"path": "/etc/passwd"}, raise_on_error=False)
    return None, tools, allowed.is_error, text_of(allowed), denied.is_error, text_of(denied)


def text_of(result: Any) -> str:
    """Return the text of a result."""
    return str(result.content[0].text)


@pytest.mark.parametrize("mode", [pytest.param("legacy", marks=STORM), "auto", pytest.param("2026-07-28", marks=STORM)])
@pytest.mark.parametrize("server", ["sdk", pytest.param("fastmcp", marks=STORM)])
@pytest.mark.parametrize("use", [use_sdk, pytest.param(use_fastmcp, marks=STORM)])
def test_a_client_sees_what_is_allowed_and_why_the_rest_is_not(
    root: Path, state: Path, words: list[str], mode: str, server: str, use: Any
) -> None:
    """In each revision that it speaks; a denial is no error of the transport, whatever the tool's schema says."""
    version, tools, is_error, text, is_denied, why = asyncio.run(use([*words, *SERVER, server], mode))
    assert version in (None, MODES[mode])
    assert (tools, is_error, text, is_denied) == (["read"], False, "read docs/x", True)
    assert "`/etc/passwd` is outside the project" in why
    assert hits(root, state) == 1


@pytest.mark.storm
@pytest.mark.parametrize("server", ["sdk", "fastmcp"])
@pytest.mark.parametrize("revision", HANDSHAKE_PROTOCOL_VERSIONS)
def test_a_server_answers_each_revision(words: list[str], server: str, revision: str) -> None:
    """Those that no client of today asks for, too."""
    client = {"name": "test", "version": "1"}
    hello = request("initialize", 0, protocolVersion=revision, capabilities={}, clientInfo=client)
    with running(server, server=SERVER, command=words) as proxy:
        assert proxy.ask(hello)["result"]["protocolVersion"] == revision
        proxy.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert [tool["name"] for tool in proxy.ask(request("tools/list", 1))["result"]["tools"]] == ["read"]
        assert proxy.ask(call("read", 2, path="docs/x"))["result"]["content"][0]["text"] == "read docs/x"
        assert set(proxy.ask(call("wipe", 3))["result"]) == {"content", "isError", "structuredContent"}
