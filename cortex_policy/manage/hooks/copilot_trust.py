"""Whether Copilot CLI runs the hooks of a project: only in a folder that is trusted (docs/hook-install.md)."""

import os

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.jsonc import parse_jsonc
from cortex_policy.manage.hooks.settings_files import read_agent_settings_file

_KEYS = ("trustedFolders", "trusted_folders")


def is_trusted_folder(folder: str, config: str) -> bool:
    """Return whether a folder, or one above it, is in the list that Copilot CLI keeps in its configuration file."""
    real = os.path.realpath(folder)
    return any(
        os.path.commonpath((real, os.path.realpath(one))) == os.path.realpath(one)
        for one in _read_trusted_folders(config)
    )


def _read_trusted_folders(config: str) -> list[str]:
    try:
        document = parse_jsonc(read_agent_settings_file(config).text or "{}")
        value = document.to_python(document.tree)
    except (NotDoneError, MalformedError):
        return []
    lists = [value.get(key) for key in _KEYS] if isinstance(value, dict) else []
    return [one for each in lists if isinstance(each, list) for one in each if isinstance(one, str) and one[:1] == "/"]
