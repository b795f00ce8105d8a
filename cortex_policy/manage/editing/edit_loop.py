"""The loop of `edit`, `hook edit` and `config edit`: run the editor, review, ask; an invalid text is never saved."""

from typing import Protocol

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff
from cortex_policy.manage.transaction.version_after_write import NOT_WRITTEN, Version
from cortex_policy.schema.problems import Problem
from cortex_policy.state.edit_draft import Draft, list_leftover_drafts_of_file

SAVE, EDIT, DIFF, EXIT = "s", "e", "d", "x"
ENDED_AT_ONCE = "the editor ended at once"


class EditorUI(Protocol):
    """The screen and keyboard of the operator."""

    def run_editor(self, path: str, line: int) -> str:
        """Let the operator edit a file, from a line on (0: any); return what went wrong, else ''.

        ENDED_AT_ONCE means that the editor ended sooner than anybody can read.
        """

    def ask_choice(self, choices: str) -> str:
        """Return one of the choices; EXIT at the end of input."""

    def ask_consent(self, change: GrantDiff) -> bool:
        """Ask the operator to confirm a change that may allow more."""

    def show_sentence(self, sentence: str) -> None:
        """Show a sentence."""

    def show_problems(self, problems: tuple[Problem, ...]) -> None:
        """Show errors and warnings."""

    def show_change(self, change: GrantDiff) -> None:
        """Show what a change means."""

    def show_diff(self, old: bytes, new: bytes) -> None:
        """Show the difference between two texts."""


class EditResult(Value):
    """How a session ended: saved, unchanged or cancelled; and the version of the stamp."""

    status: str
    version: Version = NOT_WRITTEN


class Review(Value):
    """What the operator can do with a text, the line to continue at, and the change that saving it needs consent to.

    No choices: there is nothing to do.
    """

    choices: str = EDIT + EXIT
    line: int = 0
    change: GrantDiff | None = None


class EditedFile(Protocol):
    """The file that is edited, and what its texts mean."""

    @property
    def path(self) -> str:
        """Its path."""

    @property
    def label(self) -> str:
        """What a sentence calls it."""

    @property
    def original(self) -> bytes:
        """The text before."""

    @property
    def max_bytes(self) -> int:
        """The length of the longest text that it can have."""

    def first_problem_line(self) -> int:
        """Return the line of the first problem of the original text, 0 for none."""

    def review(self, text: bytes) -> Review:
        """Show what is wrong with a text, and what it changes; the original is valid if it can be saved."""

    def save(self, text: bytes) -> Version:
        """Write a text; return the new version of the stamp."""


def edit_draft_until_saved(file: EditedFile, screen: EditorUI, *, resume: bool = False) -> EditResult:
    """Let an operator edit a private copy of a file until it is saved, unchanged or given up.

    With `resume` it goes on with the text that the last session left. However the session ends, a text that was not
    saved is kept in a file, whose path is shown.
    """
    if resume:
        draft = Draft(file.path, None, file.max_bytes + 1)
    else:
        for path in list_leftover_drafts_of_file(file.path):
            screen.show_sentence(
                f"note: an earlier session left its text in `{path}`; `--resume` goes on with the last one"
            )
        draft = Draft(file.path, file.original, file.max_bytes + 1)
    loop = _EditLoop(file, draft, screen)
    try:
        return loop.run()
    finally:
        if loop.may_still_be_open or draft.keep_if_changed(file.original, loop.saved):
            screen.show_sentence(f"the text was left in `{draft.path}`")


class _EditLoop:
    """One operator, one file, and a copy of it to work on."""

    def __init__(self, file: EditedFile, draft: Draft, screen: EditorUI) -> None:
        self._file, self._draft, self._screen = file, draft, screen
        self._text = file.original
        self.saved: bytes = file.original
        self.may_still_be_open: bool = False  # whether an editor may have the copy open in the background

    def run(self) -> EditResult:
        """Let the operator edit, and ask what to do with the text, until it is saved, unchanged or given up."""
        line = self._file.first_problem_line()
        while True:
            review = self._review_draft(self._screen.run_editor(self._draft.path, line))
            if not review.choices:
                return EditResult("unchanged")
            answer = self._ask_operator(review)
            if answer == SAVE:
                version = self._file.save(self._text)
                self.saved = self._text
                return EditResult("saved", version)
            if answer == EXIT:
                return EditResult("cancelled")
            line = review.line

    def _ask_operator(self, review: Review) -> str:
        while True:
            answer = self._screen.ask_choice(review.choices)
            if answer == DIFF:
                self._screen.show_diff(self._file.original, self._text)
            elif answer != SAVE or review.change is None or self._screen.ask_consent(review.change):
                return answer

    def _review_draft(self, failure: str) -> Review:
        """Review the text that the editor left, unless the editor failed."""
        was_fast = failure == ENDED_AT_ONCE
        if failure and not was_fast:
            self._screen.show_sentence(failure)
        text = self._read_draft()
        self.may_still_be_open = was_fast and text == self._file.original
        if self.may_still_be_open:
            raise _background_editor_error()
        if text is None:
            return Review()
        self._text = text
        if failure and not was_fast:
            return Review()
        if text == self._file.original:
            self._screen.show_sentence(f"{self._file.label} unchanged")
        review = self._file.review(text)
        return Review("") if text == self._file.original and SAVE in review.choices else review

    def _read_draft(self) -> bytes | None:
        """Read the copy; if it is missing or not a regular file, say so and return None."""
        try:
            return self._draft.read_text(self._text)
        except NotDoneError as error:
            self._screen.show_sentence(error.detail)
        return None


def _background_editor_error() -> NotDoneError:
    """Return the error for an editor that ended at once without a change: it may still have the text open."""
    hint = (
        "if you closed the editor, there is nothing to do; if the editor runs in the background, tell it to wait, "
        "as in `EDITOR='code --wait'`"
    )
    return NotDoneError(ENDED_AT_ONCE, hint)
