"""How Copilot CLI is run."""

import json
from pathlib import Path

from tests.agents.program import MCP, MODEL, Call, Program


class Copilot(Program):
    """Copilot CLI, with a model of one's own."""

    agent, package, version = "copilot", "@github/copilot", "1.0.102"
    pattern = "@github/copilot-*/copilot"
    settings_file, project_file = ".copilot/hooks/cortex-policy.json", ".github/hooks/cortex-policy.json"
    guarded_directory = ".github/hooks"
    switch = (".github/copilot/settings.json", '{"disableAllHooks": true}')

    def argv(self, prompt: str) -> list[str]:
        """Return the command line of one prompt."""
        mcp = json.dumps({"mcpServers": {"mini": {"type": "local", "tools": ["*"], **MCP}}})
        return [self._file(), "-p", prompt, "--allow-all", "--no-auto-update", "--disable-client-telemetry",
                "--no-remote", "--disable-builtin-mcps", "--no-custom-instructions", "--no-ask-user", "-s",
                "--additional-mcp-config", mcp]  # fmt: skip

    def variables(self) -> dict[str, str]:
        """Return where the model is; no account is asked."""
        return {"COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false", "COPILOT_MODEL": "gpt-4.1",
                "COPILOT_PROVIDER_BASE_URL": f"{MODEL}/v1", "COPILOT_PROVIDER_API_KEY": "test"}  # fmt: skip

    def shell(self, command: str) -> Call:
        """Return a call of `bash`."""
        return {"name": "bash", "arguments": {"command": command, "description": "a step"}}

    def write(self, path: Path) -> Call:
        """Return a call of `create`."""
        return {"name": "create", "arguments": {"path": str(path), "file_text": "x\n"}}

    def mark(self, path: Path) -> Call:
        """Return a call of the MCP tool."""
        return {"name": "mini-mark", "arguments": {"path": str(path)}}

    def delegate(self, task: str) -> list[list[Call]]:
        """Return a call of `task`."""
        arguments = {"description": "a part", "prompt": task, "agent_type": "general-purpose", "name": "part"}
        return [[{"name": "task", "arguments": arguments}]]
