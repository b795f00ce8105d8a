"""The loop of `config edit`: edit a private copy, check it, ask; what cannot be believed is never installed."""

import re

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.manage.editing.session import DIFF, EDIT, ENDED_AT_ONCE, EXIT, SAVE, Outcome, in_background
from cortex_policy.manage.settings.write import Target, check, install, widening
from cortex_policy.state.edit_draft import Draft, left
from cortex_policy.state.settings import LARGEST, read_file
from cortex_policy.state.writer_lock import NotDone, Patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.editing.session import Screen

_LINE = re.compile(r"\(at line (\d+)")


def edit(target: Target, patience: Patience, screen: "Screen") -> Outcome:
    """Let an operator edit the settings of a place; a text that was not saved is left and named."""
    original = read_file(target.place, target.path)
    for path in left(target.file):
        screen.say(f"note: an earlier session left its text in `{path}`")
    draft = Draft(target.file, original or b"", LARGEST + 1)
    session = _Session(target, original, draft, screen, patience)
    try:
        return session.run()
    finally:
        if session.may_go_on or draft.settle(original or b"", session.saved):
            screen.say(f"the text was left in `{draft.path}`")


class _Session:
    def __init__(
        self, target: Target, original: bytes | None, draft: Draft, screen: "Screen", patience: Patience
    ) -> None:
        self._target, self._original, self._draft = target, original, draft
        self._screen, self._patience = screen, patience
        self._last = original or b""
        self.saved = original or b""
        self.may_go_on = False  # whether an editor may have the copy open in the background

    def run(self) -> Outcome:
        """Edit until the text is saved, unchanged or given up."""
        line = 0
        while True:
            failure = self._screen.edit(self._draft.path, line)
            text = self._read()
            self.may_go_on = failure == ENDED_AT_ONCE and text == (self._original or b"")
            if self.may_go_on:
                raise in_background()
            fault = failure.removeprefix(ENDED_AT_ONCE) or ("" if text is None else self._fault(text))
            if fault:
                self._screen.say(fault)
            elif text == (self._original or b""):
                self._screen.say("the settings are unchanged")
                return Outcome("unchanged")
            found = _LINE.search(fault)
            line = int(found[1]) if found else 0
            answer = self._answer(None if fault else text)
            if answer == SAVE and text is not None:
                install(self._target, self._original, text, self._patience)
                self.saved = text
                return Outcome("saved")
            if answer == EXIT:
                return Outcome("cancelled")

    def _answer(self, text: bytes | None) -> str:
        """Ask what to do with a text, None for one that cannot be saved; what it widens is shown, and a question."""
        if text is None:
            return self._screen.ask(EDIT + EXIT)
        change = widening(self._target, self._original, text)
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
        except NotDone as error:
            self._screen.say(error.detail)
            return None
        return self._last

    def _fault(self, text: bytes) -> str:
        """Say why a text cannot be the settings, '' where it can."""
        try:
            check(self._target, text)
        except CortexPolicyError as error:
            return f"{error}; {error.hint}" if error.hint else str(error)
        return ""
