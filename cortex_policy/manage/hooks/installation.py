"""Install the hook in an agent's settings, and uninstall it: the new text, what the agent still wants, the write."""

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError
from cortex_policy.core.json_tree import find_line_and_column
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks import codex_requirements_edit, settings_edit
from cortex_policy.manage.hooks.handlers import list_handlers_of_all_events
from cortex_policy.manage.hooks.hook_entry import (
    HookEntry,
    find_script_directory,
    make_hook_entry_for_target,
    make_required_settings_members,
)
from cortex_policy.manage.hooks.jsonc import BOM, BYTE_ORDER_MARK, COMMENT, parse_jsonc
from cortex_policy.manage.hooks.own_hook_handlers import is_own_hook_handler
from cortex_policy.manage.hooks.settings_files import (
    AgentSettingsFile,
    read_agent_settings_file,
    replace_agent_settings_file,
)
from cortex_policy.manage.hooks.targets import AGENT_FILES, USER, HookTarget

_PRIVATE_MODE, _PUBLIC_MODE = 0o600, 0o644
# what agents take that strict JSON lacks (docs/hook-install.md); where more is found, they ignore the whole file
_TAKES = {"claude": (BYTE_ORDER_MARK,), "gemini": (COMMENT,)}


class SettingsChange(Value):
    """The settings file of an agent as it is, and its new bytes; None for no file."""

    target: HookTarget
    file: AgentSettingsFile
    data: bytes | None

    @property
    def is_needed(self) -> bool:
        """Whether anything changes."""
        return self.data != self.file.data


def plan_install(target: HookTarget, root: str) -> SettingsChange:
    """Return the change that installs the hook; none is needed if exactly this line is installed already.

    Lines of other versions, or made by hand, are replaced. Raises NotDoneError if the agent would not run the line.
    """
    file, entry = _read_settings_of_target(target), make_hook_entry_for_target(target, root)
    edit = _add_managed_hook if target.is_toml else _add_entry
    try:
        return _to_change(target, file, edit(file.text, target, entry))
    except (MalformedError, NotDoneError) as error:
        raise _add_file_to_error(target, error) from None


def plan_uninstall(target: HookTarget) -> SettingsChange:
    """Return the change that removes each line of this program from a settings file."""
    file = _read_settings_of_target(target)
    try:
        return _to_change(target, file, _remove_our_lines(file.text, target))
    except (MalformedError, NotDoneError) as error:
        raise _add_file_to_error(target, error) from None


def write_settings_change(change: SettingsChange) -> None:
    """Write a change if one is needed; raise NotDoneError if the file has changed since it was read."""
    if not change.is_needed:
        return
    mode = _PRIVATE_MODE if change.target.level == USER else _PUBLIC_MODE
    replace_agent_settings_file(change.file, change.data, mode)


def check_json_syntax_for_agent(target: HookTarget, text: str) -> None:
    """Raise NotDoneError if a text has what makes its agent ignore it; MalformedError for more than that."""
    for kind, offset in parse_jsonc(text).non_json_parts:
        if kind not in _TAKES.get(target.agent, ()):
            line, _ = find_line_and_column(text, offset)
            message = f"it has {kind} in line {line}, so {AGENT_FILES[target.agent].title} ignores the whole file"
            raise NotDoneError(message, "write plain JSON")


def _read_settings_of_target(target: HookTarget) -> AgentSettingsFile:
    return read_agent_settings_file(target.file, follows=target.agent != "cursor")


def _to_change(target: HookTarget, file: AgentSettingsFile, text: str | None) -> SettingsChange:
    return SettingsChange(target, file, None if text is None else text.encode())


def _add_entry(text: str | None, target: HookTarget, entry: HookEntry) -> str | None:
    if text is not None and text.strip(f" \t\r\n{BOM}"):
        check_json_syntax_for_agent(target, text)
        ours = [place for place in list_handlers_of_all_events(parse_jsonc(text)) if is_own_hook_handler(place.handler)]
        if len(ours) == 1 and (ours[0].event, ours[0].group) == (entry.event, entry.value):
            return text
    return settings_edit.add_hook_entry_to_text(_remove_our_lines(text, target), entry.event, entry.value, entry.others)


def _add_managed_hook(text: str | None, target: HookTarget, entry: HookEntry) -> str | None:
    ours = [
        one
        for one in codex_requirements_edit.list_pre_tool_use_handlers_in_text(text or "")
        if is_own_hook_handler(one)
    ]
    if ours == [entry.handler]:
        return text
    return codex_requirements_edit.add_managed_hook(
        _remove_our_lines(text, target), entry.value, find_script_directory()
    )


def _remove_our_lines(text: str | None, target: HookTarget) -> str | None:
    if text is None:
        return None
    if target.is_toml:
        rest = codex_requirements_edit.remove_managed_hook(text)
        if any(map(is_own_hook_handler, codex_requirements_edit.list_pre_tool_use_handlers_in_text(rest or ""))):
            raise NotDoneError("it has a hook of this program that `hook install` did not write", "remove it by hand")
        return rest
    return settings_edit.remove_hook_entries_from_text(
        text, is_own_hook_handler, make_required_settings_members(target)
    )


def _add_file_to_error(target: HookTarget, error: Exception) -> NotDoneError:
    """Return an error about the text of a file with the name of the file."""
    if isinstance(error, NotDoneError):
        return NotDoneError(f"`{target.file}`: {error.detail}", error.hint)
    return NotDoneError(f"`{target.file}`: {error}", "correct the file first: the agent also cannot read it")
