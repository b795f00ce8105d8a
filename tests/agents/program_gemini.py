"""How Gemini CLI is run."""

import shutil
from pathlib import Path

from tests.agents.program import MCP, MODEL, Call, Program


class Gemini(Program):
    """Gemini CLI."""

    agent, package, version = "gemini", "@google/gemini-cli", "0.61.0"
    pattern = "@google/gemini-cli/bundle/gemini.js"
    settings_file, project_file = ".gemini/settings.json", ".gemini/settings.json"
    guarded_directory = ".gemini"
    switch = (".gemini/settings.json", '{"hooksConfig": {"enabled": false}}')

    def write_settings(self) -> None:
        """Write how to sign in, the MCP server, and that nothing is reported."""
        security = {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}}
        self._write_json(self.settings_file, {
            "security": security, "privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False},
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "tools": {"useRipgrep": False}, "mcpServers": {"mini": MCP},
        })  # fmt: skip

    def argv(self, prompt: str) -> list[str]:
        """Return the command line of one prompt."""
        return [shutil.which("node") or "node", self._file(), "-p", prompt, "--approval-mode", "yolo", "--skip-trust",
                "-m", "gemini-2.5-pro"]  # fmt: skip

    def variables(self) -> dict[str, str]:
        """Return where the model is."""
        return {"GOOGLE_GEMINI_BASE_URL": MODEL, "GEMINI_API_KEY": "test", "GEMINI_CLI_NO_RELAUNCH": "true"}

    def shell(self, command: str) -> Call:
        """Return a call of `run_shell_command`."""
        return {"name": "run_shell_command", "arguments": {"command": command, "description": "a step"}}

    def shell_in(self, directory: Path, command: str) -> Call:
        """Return a call of `run_shell_command` with a `dir_path`, which must be in the project."""
        call = self.shell(command)
        return {**call, "arguments": {**call["arguments"], "dir_path": str(directory)}}

    def write(self, path: Path) -> Call:
        """Return a call of `write_file`."""
        return {"name": "write_file", "arguments": {"file_path": str(path), "content": "x\n"}}

    def mark(self, path: Path) -> Call:
        """Return a call of the MCP tool."""
        return {"name": "mcp_mini_mark", "arguments": {"path": str(path)}}

    def delegate(self, task: str) -> list[list[Call]]:
        """Return a call of `invoke_agent`."""
        return [[{"name": "invoke_agent", "arguments": {"agent_name": "generalist", "prompt": task}}]]
