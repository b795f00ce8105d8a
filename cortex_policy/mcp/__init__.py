"""The policy for tools of MCP servers: a guard, a server that answers questions, and a proxy (docs/mcp.md)."""
