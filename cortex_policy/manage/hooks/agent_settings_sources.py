"""The files in which an agent looks for hooks, or for a word that switches them off (docs/hook-install.md)."""

import os
from glob import escape, glob

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.targets import LEVELS, PROJECT, USER, find_agent_directory_of_user, find_hook_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# besides the file of `hook install`: below the agent's directory, below the root, and for all users
_MORE = {
    "claude": (("settings.local.json",), (".claude/settings.local.json",), ("managed-settings.d/*.json",)),
    "codex": (("config.toml",), (".codex/config.toml",), ()),
    "gemini": ((), (), ()),
    "cursor": ((), (".claude/settings.json", ".claude/settings.local.json"), ()),
    "copilot": (
        ("hooks/*.json", "settings.json"),
        (
            ".github/hooks/*.json", ".github/copilot/settings.json", ".github/copilot/settings.local.json",
            ".claude/settings.json", ".claude/settings.local.json",
        ),
        ("*.json",),
    ),
    "vscode": (
        ("hooks/*.json",),
        (".github/hooks/*.json", ".claude/settings.json", ".claude/settings.local.json"),
        (),
    ),
}  # fmt: skip
_READ_CLAUDES = ("cursor", "vscode")  # they run the hooks of Claude Code's user as well


def list_settings_files_by_level(agent: str, root: str, environment: "Mapping[str, str]") -> list[tuple[str, str]]:
    """Return each level with each file that an agent reads there, if it exists; a root of '' has no project."""
    found = dict[str, str]()
    for level in LEVELS:
        if level == PROJECT and not root:
            continue
        for pattern in _file_patterns(agent, level, root, environment):
            for file in sorted(glob(pattern)):
                found.setdefault(file, level)
    return [(level, file) for file, level in found.items()]


def _file_patterns(agent: str, level: str, root: str, environment: "Mapping[str, str]") -> "Iterator[str]":
    """Yield the patterns of the files of a level; an agent whose directory is not known has none."""
    try:
        file = find_hook_target(agent, level, root, environment).file
        yield escape(file)
        more = _MORE[agent][LEVELS.index(level)]
        directory = {USER: lambda: find_agent_directory_of_user(agent, environment), PROJECT: lambda: root}.get(
            level, lambda: os.path.dirname(file)
        )()
        yield from (f"{escape(directory)}/{name}" for name in more)
        if level == USER and agent in _READ_CLAUDES:
            yield escape(find_hook_target("claude", USER, root, environment).file)
    except NotDoneError:
        return
