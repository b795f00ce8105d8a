"""The loop of `config edit`: edit a private copy, check it, ask; what cannot be believed is never installed."""

import os
import re
import shutil
import tempfile

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.manage.sessions import DIFF, EDIT, EXIT, SAVE, Outcome
from cortex_policy.manage.settings import Target, check, install, widening
from cortex_policy.state.grants import read_all
from cortex_policy.state.settings import LARGEST, NAME, read_file
from cortex_policy.state.writers import Patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.sessions import Screen

_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_LINE = re.compile(r"\(at line (\d+)")


def edit(target: Target, patience: Patience, screen: "Screen") -> Outcome:
    """Let an operator edit the settings of a place; a text that was not saved is left and named."""
    original = read_file(target.place, target.path)
    directory = tempfile.mkdtemp(prefix="cortex-policy-")  # 0700: nobody else reads or writes there
    copy = f"{directory}/{NAME}"
    with open(copy, "xb") as file:
        file.write(original or b"")
    session = _Session(target, original, copy, screen, patience)
    try:
        return session.run()
    finally:
        if session.is_left():
            screen.say(f"the text was left in `{copy}`")
        else:
            shutil.rmtree(directory, ignore_errors=True)


class _Session:
    def __init__(self, target: Target, original: bytes | None, copy: str, screen: "Screen", patience: Patience) -> None:
        self._target, self._original, self._copy = target, original, copy
        self._screen, self._patience = screen, patience
        self._saved = original or b""

    def run(self) -> Outcome:
        """Edit until the text is saved, unchanged or given up."""
        line = 0
        while True:
            failure = self._screen.edit(self._copy, line)
            text = self._read()
            fault = failure or ("" if text is None else self._fault(text))
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
                self._saved = text
                return Outcome("saved")
            if answer == EXIT:
                return Outcome("cancelled")

    def is_left(self) -> bool:
        """Whether the copy holds a text that is nowhere else."""
        try:
            text = _bytes_of(self._copy)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return bool(text.strip()) and text not in (self._original, self._saved)

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
            return _bytes_of(self._copy)
        except OSError as error:
            self._screen.say(f"`{self._copy}`: {(error.strerror or str(error)).lower()}")
            return None

    def _fault(self, text: bytes) -> str:
        """Say why a text cannot be the settings, '' where it can."""
        try:
            check(self._target, text)
        except CortexPolicyError as error:
            return f"{error}; {error.hint}" if error.hint else str(error)
        return ""


def _bytes_of(path: str) -> bytes:
    descriptor = os.open(path, _FILE)
    try:
        return read_all(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
