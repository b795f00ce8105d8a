"""A guard for servers that are written with `MCPServer` of the official SDK (docs/mcp.md).

Provisional, as the middleware of the SDK is: it may change with a minor version of the SDK.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, ContentBlock, InputRequiredResult, TextContent
from mcp_types.methods import serialize_server_result

from cortex_policy.mcp.approval_round_trips import ApprovalRoundTrips, UserQuestion
from cortex_policy.mcp.client_results import (
    STATE_MEMBERS,
    can_ask_user,
    make_denial_structured_content_and_meta,
    make_question_result,
)
from cortex_policy.mcp.guard import ToolGuard, make_failure_decision
from cortex_policy.mcp.guard_threads import find_hidden_tools_in_thread, run_decision_in_thread_or_deny
from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments, find_non_json_texts_in_schema

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
        self._tools = server._tool_manager  # noqa: SLF001 - the SDK has no other way
        self._guard = ToolGuard(name or server.name, root)
        self._trips = ApprovalRoundTrips(self._guard)

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
        state = params.get("requestState")
        try:
            given = self._read_as_tool(name, arguments or {})
            can_ask = can_ask_user(ctx.protocol_version, ctx.session.client_capabilities)
            decide = partial(
                self._trips.decide, name, given, state, params.get("inputResponses"), can_ask=can_ask,
                texts=self._text_arguments(name),
            )  # fmt: skip
            decision = await run_decision_in_thread_or_deny(decide)
        except Exception as error:  # noqa: BLE001 - whatever it is, the tool must not run
            decision = make_failure_decision(error)
        if isinstance(decision, UserQuestion):
            return _wire_result(make_question_result(decision), ctx.protocol_version)
        if not decision.allowed:
            return _wire_result(self._denial_result(decision, name), ctx.protocol_version)
        if self._trips.is_own_state(state):  # the tool would take it for its own
            params = {key: value for key, value in params.items() if key not in STATE_MEMBERS}
        # INVARIANT: the tool gets the arguments that were decided
        return await call_next(replace(ctx, params={**params, "arguments": decision.arguments}))

    def _denial_result(self, decision: "ToolDecision", name: str) -> CallToolResult:
        tool = self._tools.get_tool(name)
        has_schema = tool is not None and tool.output_schema is not None
        structured, meta = make_denial_structured_content_and_meta(decision, has_schema=has_schema)
        content: list[ContentBlock] = [TextContent(type="text", text=decision.text)]
        return CallToolResult(content=content, structured_content=structured, _meta=meta, is_error=True)

    def _read_as_tool(self, name: str, arguments: "Mapping[str, Any]") -> "dict[str, Any]":
        """Return arguments as the tool reads them: the SDK takes some texts for JSON, and a path may be in it."""
        tool = self._tools.get_tool(name)
        given = dict(arguments)
        return given if tool is None else tool.fn_metadata.pre_parse_json(given)

    def _text_arguments(self, name: str) -> TextArguments:
        tool = self._tools.get_tool(name)
        return find_non_json_texts_in_schema(tool.parameters) if tool is not None else UNKNOWN_TEXTS

    async def _without_hidden_tools(self, result: HandlerResult) -> HandlerResult:
        members = result if isinstance(result, dict) else {}
        if result is not None and not isinstance(result, dict):  # another middleware answered
            members = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        tools = members.get("tools", [])
        hidden = await find_hidden_tools_in_thread(self._guard, [tool["name"] for tool in tools])
        return {**members, "tools": [tool for tool in tools if tool["name"] not in hidden]}


def _wire_result(result: CallToolResult | InputRequiredResult, version: str) -> dict[str, Any]:
    """Return a result in the form of a protocol revision: the SDK sends as it is what no handler returned."""
    members = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return serialize_server_result("tools/call", version, members)
