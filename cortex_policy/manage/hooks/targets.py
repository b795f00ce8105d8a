"""Where each agent reads its hooks from: a settings file for each level (docs/hook-install.md)."""

import os
import sys

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state import find_home_directory_or_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = USER, PROJECT, MANAGED = ("user", "project", "managed")


class AgentFiles(Value):
    """An agent's settings files: the variable that moves its directory, and where its file is at each level.

    The user's file is below the agent's directory, the project's below `project_directory` in the root. There is no
    managed file if that is ''.
    """

    title: str
    variable: str
    directory: str
    project_directory: str
    file: str
    managed: str
    managed_on_macos: str


AGENT_FILES = {
    "claude": AgentFiles(
        "Claude Code", "CLAUDE_CONFIG_DIR", ".claude", ".claude", "settings.json",
        "/etc/claude-code/managed-settings.json", "/Library/Application Support/ClaudeCode/managed-settings.json",
    ),
    "codex": AgentFiles(
        "Codex", "CODEX_HOME", ".codex", ".codex", "hooks.json",
        "/etc/codex/requirements.toml", "/etc/codex/requirements.toml",
    ),
    "gemini": AgentFiles(
        "Gemini CLI", "GEMINI_CLI_HOME", ".gemini", ".gemini", "settings.json",
        "/etc/gemini-cli/settings.json", "/Library/Application Support/GeminiCli/settings.json",
    ),
    "cursor": AgentFiles(
        "Cursor", "", ".cursor", ".cursor", "hooks.json",
        "/etc/cursor/hooks.json", "/Library/Application Support/Cursor/hooks.json",
    ),
    "copilot": AgentFiles(
        "Copilot CLI", "COPILOT_HOME", ".copilot", ".github", "hooks/cortex-policy.json",
        "/etc/github-copilot/policy.d/cortex-policy.json", "/etc/github-copilot/policy.d/cortex-policy.json",
    ),
    "vscode": AgentFiles("VS Code", "", ".copilot", ".github", "hooks/cortex-policy-vscode.json", "", ""),
}  # fmt: skip


class HookTarget(Value):
    """The settings file of an agent at one level: absolute, perhaps not there yet."""

    agent: str
    level: str
    file: str

    @property
    def is_toml(self) -> bool:
        """Whether it is Codex's file of requirements."""
        return self.file.endswith(".toml")


def find_hook_target(agent: str, level: str, root: str, environment: "Mapping[str, str]") -> HookTarget:
    """Return the settings file of an agent at a level; raise NotDoneError if the agent has no such file."""
    files = AGENT_FILES[agent]
    if level == MANAGED:
        file = files.managed_on_macos if sys.platform == "darwin" else files.managed
        if not file:
            raise NotDoneError(f"{files.title} has no managed settings", "use `--user`")
        return HookTarget(agent, level, file)
    if level == PROJECT:
        return HookTarget(agent, level, f"{root.rstrip('/')}/{files.project_directory}/{files.file}")
    return HookTarget(agent, level, f"{find_agent_directory_of_user(agent, environment)}/{files.file}")


def find_agent_directory_of_user(agent: str, environment: "Mapping[str, str]") -> str:
    """Return the directory of an agent's settings of the user; raise NotDoneError unless it is absolute."""
    files = AGENT_FILES[agent]
    named = environment.get(files.variable, "") if files.variable else ""
    if named:
        if not os.path.isabs(named):
            raise NotDoneError(f"`{files.variable}` is not absolute", "set it to an absolute path, or unset it")
        # Gemini's variable names what stands for the home directory
        return os.path.normpath(f"{named}/{files.directory}" if agent == "gemini" else named)
    home = find_home_directory_or_empty()
    if not home:
        raise NotDoneError("the home directory is not known", "set HOME to an absolute path")
    return f"{home}/{files.directory}"
