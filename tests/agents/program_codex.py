"""How Codex is run."""

import json
from pathlib import Path

from cortex_policy.manage.hooks.codex_trust import hash_hook_definition
from cortex_policy.manage.hooks.handlers import list_handlers_of_all_events
from cortex_policy.manage.hooks.jsonc import parse_jsonc
from tests.agents.program import MCP, MODEL, Call, Program


class Codex(Program):
    """Codex; its newer models write JavaScript, which calls the tools."""

    agent, package, version = "codex", "@openai/codex", "0.171.0"
    pattern = "@openai/codex-*/vendor/*/bin/codex"
    settings_file, project_file = ".codex/hooks.json", ".codex/hooks.json"
    guarded_directory = ".codex"
    switch = (".codex/config.toml", "[features]\nhooks = false\n")
    _SETTINGS = f"""\
model = "gpt-6.2-sol"
model_provider = "mock"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
web_search = "disabled"
[model_providers.mock]
name = "mock"
base_url = "{MODEL}/v1"
wire_api = "responses"
env_key = "MOCK_KEY"
request_max_retries = 0
stream_max_retries = 0
[analytics]
enabled = false
[feedback]
enabled = false
[otel]
exporter = "none"
trace_exporter = "none"
metrics_exporter = "none"
[history]
persistence = "none"
"""

    def write_settings(self) -> None:
        """Write the model, the trust in the project, and the MCP server."""
        path = self.home / ".codex" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        server = "".join(f"{key} = {json.dumps(value)}\n" for key, value in MCP.items())
        trust = f'[projects."{self.work}"]\ntrust_level = "trusted"\n'
        path.write_text(f"{self._SETTINGS}{trust}[mcp_servers.mini]\n{server}")

    def trust_hook(self) -> None:
        """Write what Codex writes if a person trusts the hook in `/hooks`."""
        file, config = self.home / self.settings_file, self.home / ".codex" / "config.toml"
        place = list_handlers_of_all_events(parse_jsonc(file.read_text()))[0]
        state = f'[hooks.state."{file}:pre_tool_use:0:0"]\ntrusted_hash = "{hash_hook_definition(place)}"\n'
        config.write_text(f"{config.read_text()}{state}")

    def argv(self, prompt: str) -> list[str]:
        """Return the command line of one prompt."""
        return [self._file(), "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt]

    def variables(self) -> dict[str, str]:
        """Return the key of the provider."""
        return {"MOCK_KEY": "test"}

    def shell(self, command: str) -> Call:
        """Return a script that calls the shell tool."""
        return self._script("exec_command", {"cmd": command})

    def shell_in(self, directory: Path, command: str) -> Call:
        """Return a script that calls the shell tool with a `workdir`."""
        return self._script("exec_command", {"cmd": command, "workdir": str(directory)})

    def write(self, path: Path) -> Call:
        """Return a script that adds a file by a patch."""
        return self.patch(path)

    def patch(self, *paths: Path) -> Call:
        """Return a script that adds files by one patch."""
        files = "".join(f"*** Add File: {path}\n+x\n" for path in paths)
        return self._script("apply_patch", f"*** Begin Patch\n{files}*** End Patch\n")

    def mark(self, path: Path) -> Call:
        """Return a script that calls the MCP tool."""
        return self._script("mcp__mini__mark", {"path": str(path)})

    def delegate(self, task: str) -> list[list[Call]]:
        """Return the calls that start a sub-agent and wait for it."""
        spawn = {"task_name": "part", "message": task, "fork_turns": "none"}
        return [[{"name": "spawn_agent", "namespace": "collaboration", "arguments": spawn}],
                [{"name": "wait_agent", "namespace": "collaboration", "arguments": {"timeout_ms": 10_000}}]]  # fmt: skip

    @staticmethod
    def _script(tool: str, value: object) -> Call:
        return {"name": "exec", "input": f"text(await tools.{tool}({json.dumps(value)}));\n"}
