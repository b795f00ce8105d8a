"""How Claude Code is run."""

import json
from pathlib import Path

from tests.agents.program import MCP, MODEL, Call, Program


class Claude(Program):
    """Claude Code."""

    agent, package, version = "claude", "@anthropic-ai/claude-code", "2.1.332"
    pattern = "@anthropic-ai/claude-code-*/claude"
    settings_file, project_file = ".claude/settings.json", ".claude/settings.json"
    guarded_directory = ".claude/agents"
    switch = (".claude/settings.json", '{"disableAllHooks": true}')

    def write_settings(self) -> None:
        """Write that the user has been greeted and trusts the project."""
        trust = {str(self.work): {"hasTrustDialogAccepted": True}}
        self._write_json(".claude.json", {"hasCompletedOnboarding": True, "projects": trust})
        self._write_json(self.settings_file, {"includeCoAuthoredBy": False})

    def argv(self, prompt: str) -> list[str]:
        """Return the command line of one prompt."""
        mcp = json.dumps({"mcpServers": {"mini": MCP}})
        return [self._file(), "-p", prompt, "--dangerously-skip-permissions", "--model", "claude-sonnet-4-5",
                "--output-format", "text", "--mcp-config", mcp]  # fmt: skip

    def variables(self) -> dict[str, str]:
        """Return what keeps it on loopback, and lets root run it."""
        off = ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY",
               "DISABLE_ERROR_REPORTING", "IS_SANDBOX")  # fmt: skip
        return {"ANTHROPIC_BASE_URL": MODEL, "ANTHROPIC_API_KEY": "test", **dict.fromkeys(off, "1")}

    def shell(self, command: str) -> Call:
        """Return a call of `Bash`."""
        return {"name": "Bash", "arguments": {"command": command, "description": "a step"}}

    def write(self, path: Path) -> Call:
        """Return a call of `Write`."""
        return {"name": "Write", "arguments": {"file_path": str(path), "content": "x\n"}}

    def mark(self, path: Path) -> Call:
        """Return a call of the MCP tool."""
        return {"name": "mcp__mini__mark", "arguments": {"path": str(path)}}

    def delegate(self, task: str) -> list[list[Call]]:
        """Return a call of `Agent`."""
        arguments = {"description": "a part", "prompt": task, "subagent_type": "general-purpose",
                     "run_in_background": False}  # fmt: skip
        return [[{"name": "Agent", "arguments": arguments}]]
