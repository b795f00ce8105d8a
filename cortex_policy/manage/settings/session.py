"""The loop of `config edit`: edit a private copy, check it, ask; invalid settings are never installed."""

import re

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.editing.session import (
    DIFF,
    EDIT,
    ENDED_AT_ONCE,
    EXIT,
    SAVE,
    EditResult,
    background_editor_error,
)
from cortex_policy.manage.settings.write import (
    SettingsFile,
    check_not_all_denied,
    check_settings_text,
    find_widening,
    install_text,
)
from cortex_policy.state.edit_draft import Draft, leftover_drafts
from cortex_policy.state.settings import MAX_BYTES, read_settings_file
from cortex_policy.state.writer_lock import LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.editing.session import EditorUI

_LINE = re.compile(r"\(at line (\d+)")


def run_settings_session(target: SettingsFile, lock_wait: LockWait, screen: "EditorUI") -> EditResult:
    """Let an operator edit a settings file; a text that was not saved is kept in a file, whose path is shown."""
    original = read_settings_file(target.place, target.root_path)
    for path in leftover_drafts(target.file):
        screen.say(f"note: an earlier session left its text in `{path}`")
    draft = Draft(target.file, original or b"", MAX_BYTES + 1)
    session = _Session(target, original, draft, screen, lock_wait)
    try:
        return session.run()
    finally:
        if session.may_still_be_open or draft.keep_if_changed(original or b"", session.saved):
            screen.say(f"the text was left in `{draft.path}`")


class _Session:
    def __init__(
        self, target: SettingsFile, original: bytes | None, draft: Draft, screen: "EditorUI", lock_wait: LockWait
    ) -> None:
        self._target, self._original, self._draft = target, original, draft
        self._screen, self._patience = screen, lock_wait
        self._last = original or b""
        self.saved = original or b""
        self.may_still_be_open = False  # whether an editor may have the copy open in the background

    def run(self) -> EditResult:
        """Edit until the text is saved, unchanged or given up."""
        line = 0
        while True:
            failure = self._screen.run_editor(self._draft.path, line)
            text = self._read()
            self.may_still_be_open = failure == ENDED_AT_ONCE and text == (self._original or b"")
            if self.may_still_be_open:
                raise background_editor_error()
            fault = failure.removeprefix(ENDED_AT_ONCE) or ("" if text is None else self._error_text(text))
            if fault:
                self._screen.say(fault)
            elif text == (self._original or b""):
                self._screen.say("the settings are unchanged")
                return EditResult("unchanged")
            match = _LINE.search(fault)
            line = int(match[1]) if match else 0
            answer = self._ask_operator(None if fault else text)
            if answer == SAVE and text is not None:
                done = install_text(self._target, self._original, text, self._patience)
                if done.unrecorded:
                    self._screen.say(f"the log does not have it: {done.unrecorded}")
                self.saved = text
                return EditResult("saved")
            if answer == EXIT:
                return EditResult("cancelled")

    def _ask_operator(self, text: bytes | None) -> str:
        """Ask what to do with a text (None: it cannot be saved); show what it widens, and ask for consent to that."""
        if text is None:
            return self._screen.ask(EDIT + EXIT)
        change = find_widening(self._target, self._original, text)
        if change is not None:
            self._screen.show_change(change)
        while True:
            answer = self._screen.ask(SAVE + EDIT + DIFF + EXIT)
            if answer == DIFF:
                self._screen.show_diff(self._original or b"", text)
            elif answer != SAVE or change is None or self._screen.consent(change):
                return answer

    def _read(self) -> bytes | None:
        try:
            self._last = self._draft.read(self._last)
        except NotDoneError as error:
            self._screen.say(error.detail)
            return None
        return self._last

    def _error_text(self, text: bytes) -> str:
        """Return why a text cannot be the settings, '' if it can."""
        try:
            check_settings_text(self._target, text)
            check_not_all_denied(self._target, self._original, text)
        except NotDoneError as error:
            return f"{error.detail}; {error.hint}" if error.hint else error.detail
        except CortexPolicyError as error:
            return f"{error}; {error.hint}" if error.hint else str(error)
        return ""
