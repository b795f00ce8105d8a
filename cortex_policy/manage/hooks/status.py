"""Which agents have a hook of this program, and in which settings file."""

import os

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.targets import AGENT_FILES, LEVELS, hook_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class SettingsFileStatus(Value):
    """A settings file of an agent, and whether it exists."""

    agent: str
    level: str
    file: str
    exists: bool


def hook_statuses(root: str) -> "Iterator[SettingsFileStatus]":
    """Yield the settings file of each agent at each level it has."""
    for agent in AGENT_FILES:
        for level in LEVELS:
            try:
                target = hook_target(agent, level, root, os.environ)
            except NotDoneError:  # the agent has no file there
                continue
            yield SettingsFileStatus(agent, level, target.file, os.path.lexists(target.file))
