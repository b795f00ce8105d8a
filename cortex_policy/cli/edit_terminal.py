"""The terminal of an edit session: run the editor, read single keys, print results."""

import os
import re
import signal
import subprocess
import sys
import termios
import tty
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.diff import print_diff
from cortex_policy.cli.output.problems.text import format_problem_blocks
from cortex_policy.cli.prompts import require_widening_consent
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import escape_message_to_one_line, escape_unprintable, format_os_error_cause
from cortex_policy.manage.diff.grants import GrantDiff, PolicyDiff
from cortex_policy.manage.diff.unified import format_readable_diff_lines
from cortex_policy.manage.editing.edit_loop import DIFF, EDIT, ENDED_AT_ONCE, EXIT, SAVE
from cortex_policy.manage.editing.editor_command import is_terminal_editor, make_editor_command_for_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from cortex_policy.schema.problems import Problem

KEY_LABELS = {SAVE: "(s)ave", EDIT: "(e)dit again", DIFF: "(d)iff", EXIT: "e(x)it"}
KEY_MEANINGS = {
    SAVE: "save the text",
    EDIT: "go back to the editor",
    DIFF: "show the lines that differ",
    EXIT: "leave without saving; the text is kept in a file of its own",
}
MAX_PROBLEMS = 10  # problems
QUICK_EXIT_SECONDS = 1.0  # seconds
_READ_SIZE = 64  # what a key sends at once
_END_KEY = "\x04"
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*.?|O.?|.)?")


class EditScreen:
    """The screen of an edit session of one file."""

    def __init__(self, editor: list[str], name: str) -> None:
        """Take the editor's command line, and the file's name in a diff."""
        self._editor, self._name = editor, name

    def run_editor(self, path: str, line: int) -> str:
        """Run the editor, which gets Ctrl-C; restore the terminal when it ends."""
        sys.stdout.flush()
        started = monotonic()
        try:
            with _restore_terminal(), _handle_signals(lambda *_: None, signal.SIGINT, signal.SIGQUIT):
                status = subprocess.run(make_editor_command_for_file(self._editor, path, line), check=False).returncode
        except (OSError, ValueError) as error:
            why = format_os_error_cause(error)
            return f"the editor `{self._editor[0]}` does not start: {why}"
        if status < 0:
            return f"the editor was ended by signal {-status}"
        if status > 0:
            return f"the editor ended with status {status}, so its text is not saved"
        is_quick = monotonic() - started < QUICK_EXIT_SECONDS
        return ENDED_AT_ONCE if is_quick and not is_terminal_editor(self._editor) else ""

    def ask_choice(self, choices: str) -> str:
        """Wait for one of the keys; ignore what was typed before the question."""
        question = f"{' '.join(KEY_LABELS[choice] for choice in choices)}: "

        def print_question(*_: object) -> None:
            """Ask, or ask again after a stop, when the shell has reset the terminal."""
            tty.setcbreak(0, termios.TCSAFLUSH)  # before it is seen: an answer is never dropped
            typer.echo(question, nl=False, err=True)

        answer = EXIT
        with _restore_terminal(), suppress(termios.error), _handle_signals(print_question, signal.SIGCONT):
            print_question()
            for key in _read_keys():
                if len(key) == 1 and key in choices:
                    answer = key
                    break
                typer.echo(f"\n{_choices_text(choices)}\n{question}", nl=False, err=True)
        typer.echo(answer, err=True)
        return answer

    def ask_consent(self, change: GrantDiff) -> bool:
        """Ask for the word that lets a grant be widened."""
        try:
            require_widening_consent(change.meaning.verdict, allowed=False)
        except NotDoneError:
            self.show_sentence("it was not saved")
            return False
        return True

    def show_sentence(self, sentence: str) -> None:
        """Print a line."""
        typer.echo(escape_message_to_one_line(sentence), err=True)

    def show_problems(self, problems: "tuple[Problem, ...]") -> None:
        """Print each problem with its line and a mark, as `validate` does."""
        for block in format_problem_blocks(problems[:MAX_PROBLEMS], colour=False):
            typer.echo(block, err=True)
        if len(problems) > MAX_PROBLEMS:
            self.show_sentence(f"and {len(problems) - MAX_PROBLEMS} more")

    def show_change(self, change: GrantDiff) -> None:
        """Print what a change means, field by field."""
        print_diff(PolicyDiff((change,)))
        sys.stdout.flush()

    def show_diff(self, old: bytes, new: bytes) -> None:
        """Print the lines that differ."""
        for line in format_readable_diff_lines(self._name, old, new):
            typer.echo("\t".join(map(escape_unprintable, line.split("\t"))), err=True)


def _choices_text(choices: str) -> str:
    """Return what each key does, for an operator who has pressed another one."""
    return "\n".join(f"  {key}  {KEY_MEANINGS[key]}" for key in choices)


@contextmanager
def _handle_signals(handler: "Callable[[int, FrameType | None], None]", *numbers: signal.Signals) -> "Iterator[None]":
    """Handle signals in a block; unlike `SIG_IGN`, an editor does not inherit a handler."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old_handler in before.items():
            signal.signal(number, old_handler)


@contextmanager
def _restore_terminal() -> "Iterator[None]":
    """Restore the terminal's settings after a block; a closed terminal needs nothing."""
    before = None
    with suppress(termios.error):
        before = termios.tcgetattr(0)
    try:
        yield
    finally:
        if before is not None:
            with suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, before)


def _read_keys() -> "Iterator[str]":
    """Yield keys until the input ends; skip keys that send a sequence, like arrows.

    Several keys at once were pasted, and answer nothing: they come as one key that is not a choice.
    """
    while True:
        try:
            pressed = os.read(0, _READ_SIZE).decode("latin-1")
        except OSError:  # the terminal is gone
            return
        keys = _ESCAPE_SEQUENCE.sub("", pressed)
        if not pressed or _END_KEY in keys:
            return
        if keys:
            yield keys.lower()
