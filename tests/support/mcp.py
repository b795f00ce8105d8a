"""Grants and rules for the tools of an MCP server that is called `files`."""

import json
from pathlib import Path
from typing import Any

from tests.support.roots import grant_file

RULES = """\
format = 1
unmapped = "deny"

[[rule]]
mcp = ["files/wipe"]
decide = "deny"

[[rule]]
mcp = ["files/ping"]
decide = "pass"

[[rule]]
mcp = ["files/secret"]
grant = "absent"
action = "read"

[[rule]]
mcp = ["files/both"]
subagents = []
grant = "fs"
action = "read"

[[rule]]
mcp = ["files/*"]
grant = "fs"
action = "{tool}"
within = "root"
ignore = ["content"]
"""
GRANT: dict[str, Any] = {"tool": "fs", "actions": ["read", "write"], "rate": {"perMinute": 1000}, "fsScope": ["docs"]}


def make_mcp_root(root: Path, **members: Any) -> None:
    """Write rules for the server, and the grant of most of its tools."""
    (root / ".cortex" / "policy" / "hooks.toml").write_text(RULES)
    write_grant(root, **members)


def write_grant(root: Path, **members: Any) -> None:
    """Replace members of the grant."""
    grant_file(root, "fs").write_text(json.dumps(GRANT | members))


def hits(root: Path, state: Path, action: str = "read") -> int:
    """Return the hits of an action of the grant."""
    from cortex_policy.state.ledger import Ledger  # noqa: PLC0415 - as a process would

    status = root.stat()
    return Ledger((status.st_dev, status.st_ino), str(state)).peek("fs", action, 100_000).used
