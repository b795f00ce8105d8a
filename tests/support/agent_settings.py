"""Settings files of agents: as people have them, and with the hook."""

import os
from pathlib import Path

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.hooks.targets import USER, find_hook_target
from tests.support.command import run_command

CLAUDE, CODEX, GEMINI, CURSOR, COPILOT, VSCODE = AGENTS
_OTHER = '{"type": "command", "command": "/usr/local/bin/notify", "timeout": 5}'
SETTINGS: dict[str, tuple[str, str | None]] = {  # None is a file that does not exist
    "missing": (CLAUDE, None),
    "empty": (CLAUDE, ""),
    "only a newline": (CODEX, "\n"),
    "an empty object": (CLAUDE, "{}\n"),
    "an empty object with space": (CODEX, "{ \n}\n"),
    "one line without spaces": (CLAUDE, '{"model":"opus","permissions":{"allow":["Bash(ls:*)"],"deny":[]}}'),
    "one line with spaces": (GEMINI, '{"theme": "GitHub", "mcpServers": {"a": {"command": "x", "args": ["-y"]}}}\n'),
    "two spaces": (CLAUDE, '{\n  "model": "opus",\n  "env": {\n    "A": "1"\n  }\n}\n'),
    "four spaces": (GEMINI, '{\n    "ui": {\n        "theme": "Dracula"\n    }\n}\n'),
    "tabs": (CLAUDE, '{\n\t"model": "opus",\n\t"permissions": {\n\t\t"allow": [\n\t\t\t"Read"\n\t\t]\n\t}\n}\n'),
    "CRLF": (CLAUDE, '{\r\n  "model": "opus",\r\n  "cleanupPeriodDays": 30\r\n}\r\n'),
    "a byte order mark": (CLAUDE, '\ufeff{\n  "model": "opus"\n}\n'),
    "no newline at the end": (CLAUDE, '{\n  "model": "opus"\n}'),
    "blank lines at both ends": (CLAUDE, '\n\n{\n  "model": "opus"\n}\n\n\n'),
    "an empty hooks object": (CLAUDE, '{\n  "hooks": {}\n}\n'),
    "an empty list of the event": (CODEX, '{\n  "hooks": {\n    "PreToolUse": []\n  }\n}\n'),
    "an empty list over two lines": (CODEX, '{\n  "hooks": {\n    "PreToolUse": [\n    ]\n  }\n}\n'),
    "hooks of other events": (
        CLAUDE,
        '{\n  "hooks": {\n    "Stop": [\n      {\n        "hooks": [\n          '
        + _OTHER
        + "\n        ]\n      }\n    ]\n  }\n}\n",
    ),
    "another hook of the event": (
        CLAUDE,
        '{\n  "hooks": {\n    "PreToolUse": [\n      {\n        "matcher": "Bash",\n        "hooks": [\n          '
        + _OTHER
        + '\n        ]\n      }\n    ]\n  },\n  "model": "opus"\n}\n',
    ),
    "another hook for all tools": (
        CODEX,
        '{"hooks":{"PreToolUse":[{"matcher":"*","hooks":[' + _OTHER + "]}]}}",
    ),
    "brackets on one line": (
        CLAUDE,
        '{\n  "hooks": {\n    "PreToolUse": [{\n      "matcher": "Edit|Write",\n      "hooks": ['
        + _OTHER
        + "]\n    }]\n  }\n}\n",
    ),
    "comments": (
        GEMINI,
        '// mine\n{\n  // the look\n  "ui": { "theme": "x" }, // dark\n  "tools": {} /* none */ // end\n  // "hooks": {}\n}\n',
    ),
    "a comment in empty hooks": (GEMINI, '{\n  "hooks": {\n    // none yet\n  }\n}\n'),
    "what only looks like a comment": (GEMINI, '{"a": "// no, /* no */ ,]", "b": "\\"//\\\\"}\n'),
    "nested arrays": (CLAUDE, '{"x": [[1, [2, {"y": [[]]}]], []], "z": {"hooks": {"PreToolUse": []}}}\n'),
    "letters of all kinds": (CLAUDE, '{\n  "name": "Zoë 🦊 \\u00e9 \\ud83d",\n  "n": 1e400,\n  "m": -0.0\n}\n'),
    "hooks of Cursor": (
        CURSOR,
        '{\n  "version": 1,\n  "hooks": {\n    "afterFileEdit": [\n      { "command": "./format.sh" }\n    ]\n  }\n}\n',
    ),
    "only the version": (CURSOR, '{\n  "version": 1\n}\n'),
    "hooks of Copilot": (
        COPILOT,
        '{"version": 1, "hooks": {"preToolUse": [{"type": "command", "bash": "./a.sh", "timeoutSec": 3}]}}\n',
    ),
    "missing, of Copilot": (COPILOT, None),
    "missing, of VS Code": (VSCODE, None),
}


def settings_of(agent: str) -> Path:
    """Return the user's settings file of an agent."""
    return Path(find_hook_target(agent, USER, "", os.environ).file)


def install_hook(agent: str, *options: str) -> None:
    """Install the hook of the root that the caller stands in."""
    run_command("hook", "install", agent, "--yes", *options)
