"""A guard for servers that are written with `MCPServer` of the official SDK (docs/mcp.md).

Provisional, as the middleware of the SDK is: it may change with a minor version of the SDK.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, ContentBlock, TextContent
from mcp_types.methods import serialize_server_result

from cortex_policy.mcp.guard import ToolGuard, failure_decision
from cortex_policy.mcp.guard_threads import decide_in_thread, hidden_in_thread

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from cortex_policy.mcp.guard import ToolDecision

    Context = ServerRequestContext[Any, Any]

__all__ = ["GrantMiddleware"]


class GrantMiddleware:
    """Lets a tool run if the rules of hooks.toml and their grants allow it; for rules it is `SERVER/TOOL`.

    Append it to `server.middleware`. Provisional, as that list is.
    """

    def __init__(self, server: "MCPServer[Any]", name: str = "", *, root: str = "") -> None:
        """Take the server, the name that rules have for it, '' for its own, and the root; '' finds it as `check` does.

        Raises UsageError for a name that no rule can have, and GrantError if there is no root.
        """
        self._server = server
        self._guard = ToolGuard(name or server.name, root)

    async def __call__(self, ctx: "Context", call_next: CallNext) -> HandlerResult:
        """Decide the calls of tools, and filter their list; let all else pass."""
        if ctx.method == "tools/call":
            return await self._call_tool(ctx, call_next)
        result = await call_next(ctx)
        return await self._without_hidden_tools(result) if ctx.method == "tools/list" else result

    async def _call_tool(self, ctx: "Context", call_next: CallNext) -> HandlerResult:
        """Decide a call; a denial is a result for the model, never an error of the transport."""
        params = dict(ctx.params or {})
        name, arguments = params.get("name"), params.get("arguments")
        if type(name) is not str or not (arguments is None or isinstance(arguments, Mapping)):
            raise MCPError(code=INVALID_PARAMS, message="Invalid request parameters")
        try:
            decision = await decide_in_thread(self._guard, name, self._read_as_tool(name, arguments or {}))
        except Exception as error:  # noqa: BLE001 - whatever it is, the tool must not run
            decision = failure_decision(error)
        if not decision.allowed:
            return _denial_result(decision, ctx.protocol_version)
        # INVARIANT: the tool gets the arguments that were decided
        return await call_next(replace(ctx, params={**params, "arguments": decision.arguments}))

    def _read_as_tool(self, name: str, arguments: "Mapping[str, Any]") -> "dict[str, Any]":
        """Return arguments as the tool reads them: the SDK takes some texts for JSON, and a path may be in it."""
        tool = self._server._tool_manager.get_tool(name)  # noqa: SLF001 - the SDK has no other way
        given = dict(arguments)
        return given if tool is None else tool.fn_metadata.pre_parse_json(given)

    async def _without_hidden_tools(self, result: HandlerResult) -> HandlerResult:
        members = result if isinstance(result, dict) else {}
        if result is not None and not isinstance(result, dict):  # another middleware answered
            members = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        tools = members.get("tools", [])
        hidden = await hidden_in_thread(self._guard, [tool["name"] for tool in tools])
        return {**members, "tools": [tool for tool in tools if tool["name"] not in hidden]}


def _denial_result(decision: "ToolDecision", version: str) -> dict[str, Any]:
    """Return a result in the form of a protocol revision: what no handler returns is sent as it is."""
    content: list[ContentBlock] = [TextContent(type="text", text=decision.text)]
    result = CallToolResult(content=content, structured_content=decision.members, is_error=True)
    members = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return serialize_server_result("tools/call", version, members)
