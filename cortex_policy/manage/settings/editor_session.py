"""Edit a settings file; invalid settings, and those with which every check would be denied, are never installed."""

import re

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.editing.edit_loop import DIFF, EDIT, EXIT, SAVE, EditResult, Review, edit_draft_until_saved
from cortex_policy.manage.settings.write import (
    SettingsFile,
    check_settings_text,
    find_widening,
    raise_if_all_calls_denied,
    replace_settings_text,
)
from cortex_policy.manage.transaction.version_after_write import NO_STAMP, Version
from cortex_policy.state.settings import MAX_BYTES, read_settings_bytes_or_none
from cortex_policy.state.writer_lock import LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.editing.edit_loop import EditorUI

_LINE = re.compile(r"\(at line (\d+)")


def edit_settings_file_in_editor(
    target: SettingsFile, lock_wait: LockWait, screen: "EditorUI", *, resume: bool = False
) -> EditResult:
    """Let an operator edit a settings file, as `edit_draft_until_saved` does."""
    return edit_draft_until_saved(_EditedSettings(target, lock_wait, screen), screen, resume=resume)


class _EditedSettings:
    """A settings file, which may not exist yet, or be invalid."""

    max_bytes: int = MAX_BYTES
    label: str = "the settings are"

    def __init__(self, target: SettingsFile, lock_wait: LockWait, screen: "EditorUI") -> None:
        self._target, self._lock_wait, self._screen = target, lock_wait, screen
        self._existing = read_settings_bytes_or_none(target.place, target.root_path)
        self.path: str = target.file
        self.original: bytes = self._existing or b""

    def first_problem_line(self) -> int:
        """Return the line of the first problem in the text before, 0 for none."""
        return _line_in_error_text(self._error_text(self.original))

    def review(self, text: bytes) -> Review:
        """Show why a text cannot be the settings, or what more it allows."""
        if fault := self._error_text(text):
            self._screen.show_sentence(fault)
            return Review(EDIT + DIFF + EXIT, _line_in_error_text(fault))
        change = find_widening(self._target, self._existing, text)
        if change is not None:
            self._screen.show_change(change)
        return Review(SAVE + EDIT + DIFF + EXIT, change=change)

    def save(self, text: bytes) -> Version:
        """Write the text, and say so if the log does not have it."""
        done = replace_settings_text(self._target, self._existing, text, self._lock_wait)
        if done.unrecorded:
            self._screen.show_sentence(f"the log does not have it: {done.unrecorded}")
        return NO_STAMP

    def _error_text(self, text: bytes) -> str:
        """Return why a text cannot be the settings, '' if it can."""
        try:
            check_settings_text(self._target, text)
            raise_if_all_calls_denied(self._target, self._existing, text)
        except NotDoneError as error:
            return f"{error.detail}; {error.hint}" if error.hint else error.detail
        except CortexPolicyError as error:
            return f"{error}; {error.hint}" if error.hint else str(error)
        return ""


def _line_in_error_text(fault: str) -> int:
    match = _LINE.search(fault)
    return int(match[1]) if match else 0
