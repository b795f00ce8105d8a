"""What an agent sends before it runs a tool: the JSON of six agents, read as one kind of value (docs/hooks.md)."""

from cortex_policy.core import Value
from cortex_policy.core.decode import has_surrogate
from cortex_policy.core.hooks import MAX_NAME_LENGTH, PayloadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Members = dict[str, Any]

AGENTS = ("claude", "codex", "gemini", "cursor", "copilot", "vscode")
CANARY = "cortex_policy_canary"  # the tool name that `hook doctor` asks for: always denied, never counted
MAX_BYTES = 32 << 20  # of one payload
_MARKS_SUBAGENTS = ("claude", "codex")  # the others send nothing that tells a sub-agent from the main agent
_OF_CLAUDE = ("transcript_path", "permission_mode", "prompt_id", "mcp_server")  # Copilot sends none of them


class ToolCall(Value):
    """The call of a tool, before it runs.

    `mcp` is empty for a tool of the agent itself; else each (server, tool) that the name may stand for. `call_id` is ''
    if the agent sends none. `subagent` is the kind of sub-agent that calls, '' if that has no name, None for the main
    agent and where the agent does not tell. `cwd` is absolute. `plain_texts` are the inputs of an MCP tool that its
    server surely takes for texts, and not for JSON. `has_nested_json`: it may take texts at any depth for JSON.
    """

    agent: str
    session: str
    call_id: str
    tool: str
    mcp: tuple[tuple[str, str], ...]
    inputs: "dict[str, object]"
    cwd: str
    subagent: str | None
    timestamp: str
    plain_texts: frozenset[str] = frozenset()
    has_nested_json: bool = False


def detect_agent(document: object, named: str) -> str:
    """Return which agent sent a payload, '' if none of ours did.

    `named` is the agent that the hook was installed for. It only counts where the payload does not tell two apart.
    """
    if not isinstance(document, dict):
        return ""
    if "hook_event_name" in document:
        is_mixed = any(key in document for key in ("toolName", "toolArgs", "hookEventName"))
        return "" if is_mixed else _agent_by_event(document, named)
    if "hookEventName" in document:
        is_vscode = document["hookEventName"] == "PreToolUse" and "toolName" not in document
        return "vscode" if is_vscode else ""
    return "copilot" if "toolName" in document and "toolArgs" in document and "tool_name" not in document else ""


def _agent_by_event(document: "Members", named: str) -> str:
    event = document["hook_event_name"]
    if event == "BeforeTool":
        return "gemini"
    if event == "preToolUse":
        return "cursor"
    if event != "PreToolUse":
        return ""
    if "turn_id" in document:
        return "codex"
    if any(key in document for key in _OF_CLAUDE):
        return "claude"
    if "tool_use_id" in document:
        return named if named == "vscode" else "claude"
    if "timestamp" in document:
        return "copilot"
    return named if named in ("claude", "copilot", "vscode") else ""


def read_tool_call(document: object, named: str) -> ToolCall:
    """Return the call that a decoded payload asks for; raise PayloadError if it is none, or not as its agent sends it.

    The inputs may still hold lone surrogates, which only ignored text may (docs/hooks.md).
    """
    agent = detect_agent(document, named)
    if not agent or not isinstance(document, dict):
        raise PayloadError("this is not what a known agent sends before it runs a tool")
    is_camel = agent == "vscode" and "hookEventName" in document
    is_flat = agent == "copilot" and "toolName" in document
    session_key = "sessionId" if is_camel or is_flat else "session_id"
    tool_key, inputs_key = ("toolName", "toolArgs") if is_flat else ("tool_name", "tool_input")
    tool, inputs = _read_name_member(document, tool_key), document.get(inputs_key)
    if not isinstance(inputs, dict):
        raise PayloadError(f"`{inputs_key}` is not an object")
    cwd = _read_text_member(document, "cwd")
    if not cwd.startswith("/") or "\0" in cwd:
        raise PayloadError("`cwd` is not an absolute path")
    return ToolCall(
        agent, _read_text_member(document, session_key), _read_text_member(document, "tool_use_id", is_required=False),
        tool, _read_mcp_names(agent, tool, document), inputs, cwd, _read_subagent(agent, document),
        _read_timestamp(document),
    )  # fmt: skip


def _read_text_member(document: "Members", key: str, *, is_required: bool = True) -> str:
    value = document.get(key)
    if value is None and not is_required:
        return ""
    if not isinstance(value, str) or not value:
        raise PayloadError(f"`{key}` is missing, or not a text")
    if has_surrogate(value):
        raise PayloadError(f"`{key}` contains an incomplete character")
    return value


def _read_name_member(document: "Members", key: str) -> str:
    name = _read_text_member(document, key)
    if len(name) > MAX_NAME_LENGTH:
        raise PayloadError(f"`{key}` is longer than {MAX_NAME_LENGTH} characters")
    return name


def _read_subagent(agent: str, document: "Members") -> str | None:
    if agent not in _MARKS_SUBAGENTS or document.get("agent_id") is None:
        return None
    return "" if document.get("agent_type") is None else _read_name_member(document, "agent_type")


def _read_timestamp(document: "Members") -> str:
    value = document.get("timestamp")
    return (
        str(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else _read_text_member(document, "timestamp", is_required=False)
    )


def _read_mcp_names(agent: str, tool: str, document: "Members") -> tuple[tuple[str, str], ...]:
    is_told = document.get("mcp_server") is not None or document.get("mcp_context") is not None
    if not is_told and not tool.startswith(("mcp_", "MCP:")) and (agent != "copilot" or "-" not in tool):
        return ()
    from cortex_policy.core.hooks.mcp_names import list_mcp_name_readings  # noqa: PLC0415 - most tools are the agent's own

    return list_mcp_name_readings(agent, tool, document)
