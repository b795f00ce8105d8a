"""Calls of tools as agents send them, and rules for them."""

import tomllib
from pathlib import Path
from typing import Any

from cortex_policy.core.decode import decode_json
from cortex_policy.core.hooks.hook_rules import HookRules
from cortex_policy.core.hooks.hooks_toml_problems import check_and_decode_rules_document
from cortex_policy.core.hooks.payload import MAX_BYTES, ToolCall, read_tool_call
from cortex_policy.core.hooks.ruling import Ruling, apply_rules

PAYLOADS = sorted((Path(__file__).parent.parent / "documents" / "payloads").glob("*.json"))
HOME = "/home/u"
# the rules of docs/hooks.md, and what the recorded payloads need besides
RULES = """
format = 1
unmapped = "deny"
guard = ["/etc/agents/settings"]

[[rule]]
tools = ["Write", "Edit", "create", "edit", "write_file", "replace"]
grant = "fs.write"
action = "write"
within = "root"
ignore = ["content", "file_text", "old_string", "new_string", "old_str", "new_str"]

[[rule]]
tools = ["Read", "view", "read_file", "view_image"]
grant = "fs.read"
action = "read"

[[rule]]
tools = ["Grep", "Glob", "LS", "grep", "glob", "list_directory"]
grant = "fs.read"
action = "read"
paths = ["path?"]
globs = ["pattern"]

[[rule]]
tools = ["apply_patch"]
grant = "fs.write"
action = "write"
patch = ["command"]

[[rule]]
tools = ["Bash", "bash", "run_shell_command", "Shell"]
grant = "shell"
action = "run"
no_path = true

[[rule]]
mcp = ["mini/*"]
grant = "mini"
action = "{tool}"
"""


def rules(text: str = RULES) -> HookRules:
    """Return rules from the text of a hooks.toml."""
    return check_and_decode_rules_document(tomllib.loads(text))


def one_rule(text: str, unmapped: str = "deny") -> HookRules:
    """Return a file of one rule."""
    return rules(f'format = 1\nunmapped = "{unmapped}"\n[[rule]]\n{text}')


def call(tool: str = "Write", agent: str = "claude", cwd: str = "/repo", **more: Any) -> ToolCall:
    """Return the call of a tool: the inputs by `inputs`, the rest by the names of its fields."""
    fields = {"session": "s", "call_id": "c", "mcp": (), "inputs": {}, "subagent": None, "timestamp": ""} | more
    return ToolCall(agent=agent, tool=tool, cwd=cwd, **fields)


def bash(command: object, **more: Any) -> ToolCall:
    """Return the call of a shell."""
    return call("Bash", inputs={"command": command}, **more)


def read(data: bytes, named: str = "claude") -> ToolCall:
    """Read a payload as a hook does."""
    return read_tool_call(decode_json(data, MAX_BYTES, allow_surrogates=True), named)


def ruling(asked: ToolCall, given: HookRules | None = None) -> Ruling:
    """Return what rules say of a call."""
    return apply_rules(asked, rules() if given is None else given, HOME)
