"""The requests of `mcp serve` in the types of the SDK: tools, and the files of the policy as resources."""

import logging
from base64 import b64encode

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)
from mcp_types.version import is_version_at_least

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.text import escape_job_commands_in_ascii_json, escape_message_to_one_line
from cortex_policy.mcp.log_lines import format_bug_with_place
from cortex_policy.mcp.server_answers import ToolAnswer, answer_tool_call, format_error, make_error_tool_answer
from cortex_policy.mcp.server_files import (
    GRANTS_URI,
    PolicyFile,
    format_grant_description,
    list_possible_policy_files,
    load_policy_file_or_none,
    make_policy_file_uri,
    parse_policy_file_uri_or_none,
    read_stamp_or_none,
)
from cortex_policy.mcp.server_threads import BoundedThreads, Pace
from cortex_policy.mcp.server_tool_descriptions import TOOLS
from cortex_policy.state import find_resource_shortage_error_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from mcp.server.context import ServerRequestContext
    from mcp_types import CallToolRequestParams, PaginatedRequestParams, ReadResourceRequestParams

    from cortex_policy.library.root_path_lookup import UnresolvedRoot
    from cortex_policy.state import Root
    from cortex_policy.state.stamp import Stamp

    Context = ServerRequestContext[Any, Any]
    Page = PaginatedRequestParams | None
    T = TypeVar("T")

CALLS_PER_SECOND = 50  # of tools: a model that asks in a loop fills no audit log, and keeps no core
_TURN_BYTES = 1 << 13  # of arguments: a longer call, whose line in the log is longer too, takes the place of several
_THREADS = 4  # one that waits for a lock, a disk or a server of budgets stops no other
_META = "cortex-policy"  # the member of `_meta` that is ours
_STRUCTURED = "2025-06-18"  # the first revision with `structuredContent`
_ONLY_ASKS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_log = logging.getLogger(__name__)


class Handlers:
    """Answers requests about one root; each answer is read from the disk again."""

    def __init__(self, name: "UnresolvedRoot") -> None:
        """Take the name of the root."""
        self._name = name
        self._threads = BoundedThreads(_THREADS)
        self._pace = Pace(CALLS_PER_SECOND)

    async def list_tools(self, _: "Context", page: "Page") -> ListToolsResult:
        """Return the tools."""
        _check_first_page(page)
        return ListToolsResult(tools=[
            Tool(
                name=name, title=one.title, description=one.description, input_schema=one.input_schema,
                output_schema=one.output_schema, annotations=_ONLY_ASKS,
            )
            for name, one in TOOLS.items()
        ])  # fmt: skip

    async def call_tool(self, context: "Context", params: "CallToolRequestParams") -> CallToolResult:
        """Answer a question; only a tool that does not exist is an error of the protocol."""
        if params.name not in TOOLS:
            known = ", ".join(TOOLS)
            raise MCPError(
                INVALID_PARAMS, escape_message_to_one_line(f"there is no tool `{params.name}`; there are {known}")
            )
        given = params.arguments or {}
        await self._pace.wait_for_turn(1 + len(format_ascii_json(given)) // _TURN_BYTES)
        try:
            answer = await self._threads.run(answer_tool_call, self._name, params.name, given)
        except Exception as error:  # noqa: BLE001 - whatever happens, the model hears that nothing is allowed
            answer = _failure_answer(error)
        content: list[Any] = [TextContent(type="text", text=answer.text)]
        if answer.members is not None and not is_version_at_least(context.protocol_version, _STRUCTURED):
            content.append(
                TextContent(type="text", text=escape_job_commands_in_ascii_json(format_ascii_json(answer.members)))
            )
        return CallToolResult(content=content, structured_content=answer.members, is_error=answer.is_error)

    async def list_resources(self, _: "Context", page: "Page") -> ListResourcesResult:
        """Return a resource for each file of the policy, also for those that checks refuse."""
        _check_first_page(page)
        return await self._read(_list_resources)

    async def list_templates(self, _: "Context", page: "Page") -> ListResourceTemplatesResult:
        """Return the form of the URIs of grants."""
        _check_first_page(page)
        template = ResourceTemplate(
            name="grant", uri_template=f"{GRANTS_URI}{{id}}", description="A grant by its id.", mime_type=_mime_type("")
        )
        return ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(self, _: "Context", params: "ReadResourceRequestParams") -> ReadResourceResult:
        """Return the bytes of a file as they are on disk."""
        name = parse_policy_file_uri_or_none(params.uri)
        if name is None:
            raise make_unknown_uri_error(params.uri)
        return await self._read(lambda root: _read_resource(root, name))

    async def _read(self, read: "Callable[[Root], T]") -> "T":
        try:
            return await self._threads.run(lambda: read(self._name.resolve()))
        except CortexPolicyError as error:
            raise _refused_error(error) from None


def _failure_answer(error: Exception) -> ToolAnswer:
    """Return the answer to a question that failed, for lack of descriptors or memory or by a bug."""
    lack = find_resource_shortage_error_or_none(error)
    if lack is not None:
        return make_error_tool_answer(lack)
    _log.error("%s", format_bug_with_place(error))
    return ToolAnswer(f"{format_bug_with_place(error)}; take the call for denied", None, is_error=True)


def _check_first_page(page: "Page") -> None:
    """Refuse a cursor: each list has one page, so we have given none."""
    if page is not None and page.cursor is not None:
        raise MCPError(INVALID_PARAMS, "there is no other page")


def make_unknown_uri_error(uri: str) -> MCPError:
    """Return the error for a URI at which there is nothing."""
    return MCPError(
        INVALID_PARAMS,
        escape_message_to_one_line(f"there is no resource `{uri}`"),
        {"uri": escape_message_to_one_line(uri)},
    )


def _refused_error(error: CortexPolicyError) -> MCPError:
    data = {
        "reason": str(error.reason),
        "exit_code": error.exit_code,
        "hint": escape_message_to_one_line(error.hint) or None,
    }
    return MCPError(INTERNAL_ERROR, format_error(error), data)


def _list_resources(root: "Root") -> ListResourcesResult:
    stamp = read_stamp_or_none(root)
    files = (load_policy_file_or_none(root, name) for name in list_possible_policy_files(root))
    resources = [_resource_of(file, stamp) for file in files if file is not None]
    return ListResourcesResult(
        resources=resources, _meta={_META: {"root": escape_message_to_one_line(root.path), **_version(stamp)}}
    )


def _resource_of(file: PolicyFile, stamp: "Stamp | None") -> Resource:
    return Resource(
        name=file.name, uri=make_policy_file_uri(file.name),
        description=_description(file), mime_type=_mime_type(file.name),
        size=len(file.data) if file.data is not None else None, _meta={_META: _state(file, stamp)},
    )  # fmt: skip


def _description(file: PolicyFile) -> str:
    if file.error is not None:
        return escape_message_to_one_line(f"every call is denied: {file.error}")
    return (
        escape_message_to_one_line(format_grant_description(file.grant))
        if file.grant is not None
        else "the rules of agents' hooks"
    )


def _read_resource(root: "Root", name: str) -> ReadResourceResult:
    stamp, file, uri = (
        read_stamp_or_none(root),
        load_policy_file_or_none(root, name),
        make_policy_file_uri(name),
    )
    if file is None or name not in list_possible_policy_files(root):  # some file systems ignore case
        raise make_unknown_uri_error(uri)
    if file.data is None:
        assert file.error is not None  # noqa: S101 - see PolicyFile
        raise file.error
    given: dict[str, Any] = {
        "uri": uri,
        "mime_type": _mime_type(name),
        "_meta": {_META: {**_state(file, stamp), **_version(stamp)}},
    }
    try:
        contents: Any = TextResourceContents(text=file.data.decode(), **given)
    except UnicodeDecodeError:
        contents = BlobResourceContents(blob=b64encode(file.data).decode("ascii"), **given)
    return ReadResourceResult(contents=[contents])


def _mime_type(name: str) -> str:
    return "application/toml" if name == HOOKS_TOML else "application/json"


def _state(file: PolicyFile, stamp: "Stamp | None") -> "dict[str, object]":
    """Return the state of a file as `show --json` names it."""
    digest = file.digest.removeprefix("sha256:") if file.digest is not None else None
    problem = escape_message_to_one_line(str(file.error)) if file.error is not None else None
    return {"state": file.listed_state(stamp), "problem": problem, "sha256": digest}


def _version(stamp: "Stamp | None") -> "dict[str, object]":
    return {
        "version": stamp.version if stamp is not None else None,
        "checksum": stamp.checksum_of_digests if stamp is not None else None,
    }
