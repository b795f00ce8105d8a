"""Guards for MCP servers that are written in Python, and the old home of the sinks."""
