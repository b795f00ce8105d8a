"""Ask on a terminal before something is done that an operator may regret; elsewhere an option must confirm it."""

import sys
import termios
from contextlib import suppress

import typer

from cortex_policy.core.compare.verdicts import widens
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.writer_lock import LockWait


def require_yes_answer(question: str, *, yes: bool) -> None:
    """Ask on a terminal; raise NotDoneError unless the answer is yes."""
    if not yes and _ask_for_line(f"{question} [y/N]", "--yes").lower() not in {"y", "yes"}:
        raise NotDoneError("cancelled")


def require_widening_consent(verdict: str, *, allowed: bool, again: bool = False) -> None:
    """Ask for the word `widen` if a change may allow more than before; raise NotDoneError for any other answer.

    With `again`, only an empty line and the end of input cancel: other answers would lose what was typed before.
    """
    if allowed or not widens(verdict):
        return
    question = "the change may allow more than before; type `widen` to save it"
    while (answer := _ask_for_line(question, "--allow-widening")) != "widen":
        if not (again and answer):
            raise NotDoneError("cancelled")
        typer.echo(escape_message_to_one_line(f"`{answer}` is not `widen`; an empty line cancels"), err=True)


def make_lock_wait_options_with_notice(wait_seconds: float) -> LockWait:
    """Return how long to wait for another writer; on a terminal, its name is printed."""
    return LockWait(wait_seconds, _print_on_terminal)


def is_interactive() -> bool:
    """Return whether a person can see the output and answer: all three streams are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


def ask_text(question: str, default: str = "") -> str:
    """Ask for a word; return the default for an empty answer, raise NotDoneError at the end of input."""
    typer.echo(
        escape_message_to_one_line(f"{question} [{default}]" if default else question) + ": ", nl=False, err=True
    )
    line = _read_line()
    if not line:
        typer.echo(err=True)
        raise NotDoneError("cancelled")
    return line.strip() or default


def _ask_for_line(question: str, option: str) -> str:
    if not is_interactive():
        raise NotDoneError("this needs confirmation, and there is no terminal to ask on", f"add `{option}`")
    with suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # drop what was typed before the question
    typer.echo(f"{escape_message_to_one_line(question)}: ", nl=False, err=True)
    return _read_line().strip()  # empty at the end of input, which is not yes


def _print_on_terminal(sentence: str) -> None:
    if sys.stderr.isatty():
        typer.echo(escape_message_to_one_line(sentence), err=True)


def _read_line() -> str:
    """Read a line; return '' at the end of input or if the terminal is gone."""
    try:
        return sys.stdin.buffer.readline().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
