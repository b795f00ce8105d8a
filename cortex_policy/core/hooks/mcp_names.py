"""Which server and tool the name of an MCP tool stands for: each agent joins them in its own way."""

from cortex_policy.core.hooks import MAX_NAME_LENGTH, PayloadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Readings = tuple[tuple[str, str], ...]

_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_JOINTS = {"claude": "__", "codex": "__", "gemini": "_", "vscode": "_", "copilot": "-", "cursor": ""}


def list_mcp_name_readings(agent: str, tool: str, document: "dict[str, Any]") -> "Readings":
    """Return each (server, tool) that a name may stand for, at least one; raise PayloadError for what is not a name.

    A server that the agent does not name is ''.
    """
    context, server = document.get("mcp_context"), document.get("mcp_server")
    if context is not None:
        readings = [(_read_name_member(context, "server_name"), _read_name_member(context, "tool_name"))]
    elif server is not None:
        readings = list(_readings_of_server(_read_name_member(server, "name"), tool))
    elif tool.startswith("MCP:"):
        readings = [("", tool.removeprefix("MCP:"))]
    else:
        readings = _splits_at_joints(tool.removeprefix("mcp__" if _JOINTS[agent] == "__" else "mcp_"), _JOINTS[agent])
    if any("/" in name for _, name in readings):
        raise PayloadError("the name of an MCP tool contains a `/`, so no rule can name it")
    # a rule names a server without `/`, which separates it from the tool
    return tuple(dict.fromkeys((name.replace("/", "_"), inner) for name, inner in readings))


def _read_name_member(value: object, key: str) -> str:
    name = value.get(key) if isinstance(value, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise PayloadError(f"the MCP server of this call has no readable `{key}`")
    return name


def _readings_of_server(server: str, tool: str) -> "Iterator[tuple[str, str]]":
    """Yield the tools that a name may stand for, given its server: after `mcp__SERVER__`, or a plugin's prefix."""
    mark = "".join(one if one in _SAFE else "_" for one in server) + "__"
    if tool.startswith(f"mcp__{mark}"):
        yield server, tool[len(mark) + 5 :]
        return
    found = tool.find(f"_{mark}")
    if found < 0:
        raise PayloadError("the name of an MCP tool does not contain the name of its server")
    while found >= 0:
        yield server, tool[found + len(mark) + 1 :]
        found = tool.find(f"_{mark}", found + 1)


def _splits_at_joints(name: str, joint: str) -> "list[tuple[str, str]]":
    """Return each way to split a name at a joint, both parts not empty; the whole name as a server if there is none."""
    places = [at for at in range(1, len(name) - len(joint)) if joint and name.startswith(joint, at)]
    return [(name[:at], name[at + len(joint) :]) for at in places] or [(name, "")]
