"""An MCP server with one tool, `mark`, which makes a file."""

import json
import sys
from pathlib import Path
from typing import Any

_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request."""
    if method == "initialize":
        version = params.get("protocolVersion", "2025-06-18")
        info = {"name": "mini", "version": "1"}
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": "mark", "description": "make a file", "inputSchema": _SCHEMA}]}
    if method == "tools/call":
        Path(params["arguments"]["path"]).write_text("x\n")
        return {"content": [{"type": "text", "text": "marked"}]}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message["method"], message.get("params", {}))
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
            sys.stdout.flush()
