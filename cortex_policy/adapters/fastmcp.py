"""A guard for servers that are written with fastmcp: each call of a tool is decided before it runs (docs/mcp.md)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.server.providers.addressing import parse_hashed_backend_name
from fastmcp.tools.base import Tool, ToolResult
from mcp_types import CallToolRequestParams, ListToolsRequest, TextContent

from cortex_policy.mcp.guard import ToolGuard, failure_decision
from cortex_policy.mcp.guard_threads import decide_in_thread, hidden_in_thread

if TYPE_CHECKING:
    from cortex_policy.mcp.guard import ToolDecision

__all__ = ["GrantMiddleware"]


class GrantMiddleware(Middleware):
    """Lets a tool run if the rules of hooks.toml and their grants allow it; for rules it is `SERVER/TOOL`.

    Add it behind what changes the name or the arguments of a call, and before what answers from a cache.
    """

    def __init__(self, server: str, *, root: str = "") -> None:
        """Take the name that rules have for the server, and the root; '' finds it as `check` does.

        Raises UsageError for a name that no rule can have, and GrantError if there is no root.
        """
        self._guard = ToolGuard(server, root)

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[CallToolRequestParams, ToolResult]
    ) -> ToolResult:
        """Decide a call; a denial is a result for the model, never an error of the transport."""
        message = context.message
        try:
            name = await _listed_name(context)
            decision = await decide_in_thread(self._guard, name, message.arguments or {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the tool must not run
            name, decision = message.name, failure_decision(error)
        if not decision.allowed:
            return _denial_result(decision)
        # INVARIANT: the tool that was decided gets the arguments that were decided
        decided = message.model_copy(update={"name": name, "arguments": decision.arguments})
        return await call_next(context.copy(message=decided))

    async def on_list_tools(
        self, context: MiddlewareContext[ListToolsRequest], call_next: CallNext[ListToolsRequest, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """Leave out the tools that are never allowed."""
        tools = await call_next(context)
        hidden = await hidden_in_thread(self._guard, [tool.name for tool in tools])
        return [tool for tool in tools if tool.name not in hidden]


async def _listed_name(context: MiddlewareContext[CallToolRequestParams]) -> str:
    """Return the name that the tool of a call is listed under: an app may call it by a hash of what it is."""
    name = context.message.name
    hashed = parse_hashed_backend_name(name)
    if hashed is None or context.fastmcp_context is None:
        return name
    server = context.fastmcp_context.fastmcp
    tool = await server.get_tool(name) or await server.get_tool_by_hash(*hashed)
    return tool.name if tool is not None else name


def _denial_result(decision: "ToolDecision") -> ToolResult:
    content = [TextContent(type="text", text=decision.text)]
    return ToolResult(content=content, structured_content=decision.members, is_error=True)
