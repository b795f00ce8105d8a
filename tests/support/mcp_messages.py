"""Messages of MCP, and a guard that a test can look into."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cortex_policy.mcp.guard import ToolDecision


class FakeGuard:
    """Allows all calls of tools whose name does not begin with `no`, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []

    def decide(self, tool: str, arguments: Mapping[str, object], _: frozenset[str] = frozenset()) -> ToolDecision:
        """Note a call, and decide it."""
        self.asked.append((tool, dict(arguments)))
        is_allowed = not tool.startswith("no")
        members = {"decision": is_allowed, "reason": "x"}
        return ToolDecision(is_allowed, "" if is_allowed else "denied: not this one", members, dict(arguments))

    def hidden_tools(self, names: Iterable[str]) -> frozenset[str]:
        """Hide what is never allowed."""
        return frozenset(name for name in names if name.startswith("no"))


def line_of(message: object) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"


def request(method: str, request_id: object = 1, **params: object) -> dict[str, Any]:
    """Return a request."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def call(tool: str, request_id: object = 1, **arguments: object) -> dict[str, Any]:
    """Return the call of a tool."""
    return request("tools/call", request_id, name=tool, arguments=arguments)


def listed(request_id: object, *tools: str, **more: object) -> dict[str, Any]:
    """Return the answer that lists tools, as the SDK for TypeScript orders it."""
    return {"result": {"tools": [{"name": tool} for tool in tools], **more}, "jsonrpc": "2.0", "id": request_id}
