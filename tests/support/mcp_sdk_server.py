"""A server of the official SDK or of fastmcp on standard input and output: python mcp_sdk_server.py sdk|fastmcp.

It imports only one of them: each takes a second.
"""

import sys


def read(path: str) -> str:
    """Return a text that names a path; it has an output schema, since it is typed."""
    return f"read {path}"


def wipe() -> str:
    """Do what no rule allows."""
    return "wiped"


if sys.argv[1] == "sdk":
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("files")
    for function in (read, wipe):
        server.tool()(function)
    server.run("stdio")
else:
    from fastmcp import FastMCP

    other = FastMCP("files")
    for function in (read, wipe):
        other.tool(function)
    other.run("stdio", show_banner=False)
