"""The loop of `edit` and `hook edit`: open the editor, check the text, ask; a text that is not valid is never saved."""

from typing import Protocol

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS, MAX_BYTES
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff, compare_bytes
from cortex_policy.manage.editing.validity import find_text_problems
from cortex_policy.manage.replay.impact import impact_sentence
from cortex_policy.manage.transaction.record import is_valid_text
from cortex_policy.manage.transaction.writer import GrantWriter, write_transaction
from cortex_policy.schema.catalog import NOTE
from cortex_policy.schema.problems import Problem
from cortex_policy.state import Root
from cortex_policy.state.comparison_settings import comparison_settings
from cortex_policy.state.edit_draft import Draft, leftover_drafts
from cortex_policy.state.grants import TrustCheck, unread_grant_error
from cortex_policy.state.policy_files import check_policy_name, path_below_policy, raise_missing
from cortex_policy.state.writer_lock import LockWait

TYPE_CHECKING = False

SAVE, EDIT, DIFF, EXIT = "s", "e", "d", "x"
ENDED_AT_ONCE = "the editor ended at once"


class EditorUI(Protocol):
    """The screen and keyboard of the operator."""

    def run_editor(self, path: str, line: int) -> str:
        """Let the operator edit a file, from a line on (0: any); return what went wrong, else ''.

        ENDED_AT_ONCE means that the editor ended sooner than anybody can read.
        """

    def ask(self, choices: str) -> str:
        """Return one of the choices; EXIT at the end of input."""

    def consent(self, change: GrantDiff) -> bool:
        """Ask the operator to confirm a change that may allow more."""

    def say(self, sentence: str) -> None:
        """Show a sentence."""

    def show_problems(self, problems: tuple[Problem, ...]) -> None:
        """Show errors and warnings."""

    def show_change(self, change: GrantDiff) -> None:
        """Show what a change means."""

    def show_diff(self, old: bytes, new: bytes) -> None:
        """Show the difference between two texts."""


class EditResult(Value):
    """How a session ended: saved, unchanged or cancelled; the version is None if the next write finishes the stamp."""

    status: str
    version: int | None = None


class _Review(Value):
    """The text after the editor ended, what the operator can do with it, and the line to continue at."""

    text: bytes
    choices: str = EDIT + EXIT
    line: int = 0
    change: GrantDiff | None = None


def run_edit_session(
    root: Root, name: str, lock_wait: LockWait, screen: EditorUI, *, resume: bool = False
) -> EditResult:
    """Let an operator edit a grant, or `hooks.toml`, while the writers' lock is held.

    With `resume` it goes on with the text that the last session left. Raise NotDoneError or GrantError if that is
    impossible. However the session ends, the file is the old or the new one, and a text that was not saved is kept in
    a file, whose path is shown.
    """
    check_policy_name(name)
    with write_transaction(root, lock_wait, "hook edit" if name == HOOKS else "edit", name) as writer:
        original = _read_original(writer, name)
        file = f"{root.policy}/{path_below_policy(name)}"
        if resume:
            draft = Draft(file, None, MAX_BYTES + 1)
        else:
            for path in leftover_drafts(file):
                screen.say(f"note: an earlier session left its text in `{path}`; `--resume` goes on with the last one")
            draft = Draft(file, original, MAX_BYTES + 1)
        session = EditSession(writer, name, original, draft, screen)
        try:
            return session.run()
        finally:
            if session.may_still_be_open or draft.keep_if_changed(original, session.saved):
                screen.say(f"the text was left in `{draft.path}`")


def _read_original(writer: GrantWriter, name: str) -> bytes:
    """Return the bytes of a file that can be saved after editing; it may be invalid."""
    root = writer.root
    original, file = writer.grants.read(name), f"{root.policy}/{path_below_policy(name)}"
    if original is None:
        if name == HOOKS:
            raise_missing(root, name)
        raise unread_grant_error(FileNotFoundError(None, None, file), TrustCheck(root), name)
    if len(original) > MAX_BYTES:
        raise NotDoneError(f"`{file}` is larger than {MAX_BYTES} bytes", "fix it by hand")
    writer.grants.check_permissions(name)
    writer.check_stamped(name, original)
    return original


class EditSession:
    """One operator, one grant or `hooks.toml`, and a copy of it to work on."""

    may_still_be_open: bool
    saved: bytes

    def __init__(self, writer: GrantWriter, name: str, original: bytes, draft: Draft, screen: EditorUI) -> None:
        """Take what writes the file, its name and bytes, the copy and the operator's screen."""
        self._writer, self._name, self._original, self._draft, self._screen = writer, name, original, draft, screen
        self._last = original
        self.saved = original
        self.may_still_be_open = False  # whether an editor may have the copy open in the background

    def run(self) -> EditResult:
        """Edit until the text is saved, unchanged or given up."""
        line = _first_line(self._find_problems(self._original)[1])
        while True:
            review = self._review_text(self._screen.run_editor(self._draft.path, line))
            if not review.choices:
                return EditResult("unchanged")
            answer = self._ask_operator(review)
            if answer == SAVE:
                version = self._writer.write(self._name, self._original, review.text)
                self.saved = review.text
                return EditResult("saved", version)
            if answer == EXIT:
                return EditResult("cancelled")
            line = review.line

    def _ask_operator(self, review: _Review) -> str:
        while True:
            answer = self._screen.ask(review.choices)
            if answer == DIFF:
                self._screen.show_diff(self._original, review.text)
            elif answer != SAVE or review.change is None or self._screen.consent(review.change):
                return answer

    def _review_text(self, failure: str) -> _Review:
        was_fast = failure == ENDED_AT_ONCE
        if failure and not was_fast:
            self._screen.say(failure)
        text = self._read()
        self.may_still_be_open = was_fast and text == self._original
        if self.may_still_be_open:
            raise background_editor_error()
        if text is None:
            return _Review(self._last)
        self._last = text
        if failure and not was_fast:
            return _Review(text)
        if not text.strip() and text != self._original:
            self._screen.say(f"`{self._name}` was emptied, and an empty file is not valid")
            return _Review(text)
        loads, problems = self._find_problems(text)
        if text == self._original:
            self._screen.say(f"`{self._name}` is unchanged")
            if loads:
                return _Review(text, "")
        return self._review_meaning(text, problems, loads=loads)

    def _review_meaning(self, text: bytes, problems: tuple[Problem, ...], *, loads: bool) -> _Review:
        if problems:
            self._screen.show_problems(problems)
        if not loads:
            return _Review(text, EDIT + DIFF + EXIT, _first_line(problems))
        root = self._writer.root
        change = compare_bytes(self._name, self._original, text, comparison_settings(root.path))
        self._screen.show_change(change)
        if past := impact_sentence(root, change):
            self._screen.say(past)
        return _Review(text, SAVE + EDIT + DIFF + EXIT, _first_line(problems), change)

    def _find_problems(self, text: bytes) -> tuple[bool, tuple[Problem, ...]]:
        """Return whether a text is valid, and its errors and warnings."""
        problems = find_text_problems(self._name, text)
        return is_valid_text(self._name, text), tuple(one for one in problems if one.severity != NOTE)

    def _read(self) -> bytes | None:
        """Read the copy; if it is missing or not a regular file, say so and return None."""
        try:
            return self._draft.read(self._last)
        except NotDoneError as error:
            self._screen.say(error.detail)
        return None


def background_editor_error() -> NotDoneError:
    """Return the error for an editor that ended at once without a change: it may still have the text open."""
    hint = "if the editor runs in the background, tell it to wait, as in `EDITOR='code --wait'`"
    return NotDoneError(ENDED_AT_ONCE, hint)


def _first_line(problems: tuple[Problem, ...]) -> int:
    return problems[0].line if problems else 0
