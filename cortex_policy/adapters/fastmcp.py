"""A guard for servers that are written with fastmcp: each call of a tool is decided before it runs (docs/mcp.md)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fastmcp.server.dependencies import FastMCPRequestContext, bind_request_context
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.server.providers.addressing import parse_hashed_backend_name
from fastmcp.tools.base import InputRequiredToolResult, Tool, ToolResult
from fastmcp.utilities.versions import VersionSpec
from mcp_types import CallToolRequestParams, ListToolsRequest, TextContent

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
    from cortex_policy.mcp.guard import ToolDecision

__all__ = ["GrantMiddleware"]


class GrantMiddleware(Middleware):
    """Lets a tool run if the rules of hooks.toml and their grants allow it; for rules it is `SERVER/TOOL`.

    Add it after what changes the name or the arguments of a call, and before what answers from a cache.
    """

    def __init__(self, server: str, *, root: str = "") -> None:
        """Take the name that rules have for the server, and the root; '' finds it as `check` does.

        Raises UsageError for a name that no rule can have, and GrantError if there is no root.
        """
        self._guard = ToolGuard(server, root)
        self._trips = ApprovalRoundTrips(self._guard)

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[CallToolRequestParams, ToolResult]
    ) -> ToolResult:
        """Decide a call; a denial is a result for the model, never an error of the transport."""
        message = context.message
        try:
            name = await _listed_name(context)
            decide = partial(
                self._trips.decide, name, message.arguments or {}, message.request_state, _answers(message),
                can_ask=_can_ask(context), texts=await _text_arguments(context, name),
            )  # fmt: skip
            decision = await run_decision_in_thread_or_deny(decide)
        except Exception as error:  # noqa: BLE001 - whatever it is, the tool must not run
            name, decision = message.name, make_failure_decision(error)
        if isinstance(decision, UserQuestion):
            return InputRequiredToolResult(make_question_result(decision))
        if not decision.allowed:
            return await _denial_result(decision, context, name)
        # INVARIANT: the tool that was decided gets the arguments that were decided
        decided = message.model_copy(update={"name": name, "arguments": decision.arguments})
        if not self._trips.is_own_state(message.request_state):
            return await call_next(context.copy(message=decided))
        decided = decided.model_copy(update={"request_state": None, "input_responses": None})
        with _without_state(context):
            return await call_next(context.copy(message=decided))

    async def on_list_tools(
        self, context: MiddlewareContext[ListToolsRequest], call_next: CallNext[ListToolsRequest, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """Leave out the tools that are never allowed."""
        tools = await call_next(context)
        hidden = await find_hidden_tools_in_thread(self._guard, [tool.name for tool in tools])
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


def _answers(message: CallToolRequestParams) -> dict[str, Any]:
    return {name: answer.model_dump() for name, answer in (message.input_responses or {}).items()}


def _request_of(context: MiddlewareContext[CallToolRequestParams]) -> FastMCPRequestContext | None:
    """Return the request that a call came in, None if the server itself calls the tool."""
    return context.fastmcp_context.request_context if context.fastmcp_context is not None else None


def _can_ask(context: MiddlewareContext[CallToolRequestParams]) -> bool:
    """Whether the client of a call can ask its user, and call again: another tool may have made the call."""
    request = _request_of(context)
    if request is None or (request._srctx.params or {}).get("name") != context.message.name:  # noqa: SLF001 - as below
        return False
    return can_ask_user(request.protocol_version, request.session.client_capabilities)


def _without_state(context: MiddlewareContext[CallToolRequestParams]) -> AbstractContextManager[object]:
    """Hide a `requestState` of ours, and its answers, from the tool, which would take it for its own."""
    request = _request_of(context)
    if request is None:
        return nullcontext()
    raw = request._srctx  # noqa: SLF001 - fastmcp has no other way
    params = {key: value for key, value in (raw.params or {}).items() if key not in STATE_MEMBERS}
    return bind_request_context(replace(raw, params=params))


async def _denial_result(
    decision: "ToolDecision", context: MiddlewareContext[CallToolRequestParams], name: str
) -> ToolResult:
    structured, meta = make_denial_structured_content_and_meta(decision, has_schema=await _has_schema(context, name))
    content = [TextContent(type="text", text=decision.text)]
    return ToolResult(content=content, structured_content=structured, meta=meta, is_error=True)


async def _has_schema(context: MiddlewareContext[CallToolRequestParams], name: str) -> bool:
    """Whether a client may hold the result of a tool to a schema; True if that cannot be found out."""
    try:
        tool = await _find_tool(context, name)
    except Exception:  # noqa: BLE001 - a denial is a result, whatever is wrong with the tool
        return True
    return tool is not None and tool.output_schema is not None


async def _text_arguments(context: MiddlewareContext[CallToolRequestParams], name: str) -> TextArguments:
    """Return how a tool reads texts: as JSON, too, where that is not known, as of a server behind this one."""
    try:
        tool = await _find_tool(context, name)
    except Exception:  # noqa: BLE001 - the call is decided, and written to the audit log, whatever is wrong with the tool
        return UNKNOWN_TEXTS
    return find_non_json_texts_in_schema(tool.parameters) if tool is not None else UNKNOWN_TEXTS


async def _find_tool(context: MiddlewareContext[CallToolRequestParams], name: str) -> Tool | None:
    if context.fastmcp_context is None:
        return None
    return await context.fastmcp_context.fastmcp.get_tool(name, _version_of(context.message))


def _version_of(message: CallToolRequestParams) -> VersionSpec | None:
    """Return which version of a tool a call names, None for the newest one."""
    meta: dict[str, Any] = dict(message.meta or {})
    named = meta.get("fastmcp", {}).get("version")
    return VersionSpec(eq=named) if isinstance(named, str) else VersionSpec(**named) if named else None
