"""What is asked before something is done that an operator may regret: on a terminal, else by an option."""

import sys
import termios
from contextlib import suppress
from typing import Annotated

import typer

from cortex_policy.cli.options import reject_nan
from cortex_policy.core.compare.grants import widens
from cortex_policy.core.text import printable
from cortex_policy.state.writer_lock import LockWait, NotDoneError

WideningOption = Annotated[
    bool, typer.Option("--allow-widening", help="Save what may allow more than before, without being asked.")
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait", metavar="SECONDS", min=0, callback=reject_nan, help="Wait at most so long for another writer."
    ),
]


def ask_yes_no(question: str, *, yes: bool) -> None:
    """Ask on a terminal; raise NotDone for anything but a yes."""
    if not yes and _read_answer(f"{question} [y/N]", "--yes").lower() not in {"y", "yes"}:
        raise NotDoneError("cancelled")


def ask_widening(verdict: str, *, allowed: bool) -> None:
    """Ask for the word `widen` where something may allow more than before; raise NotDone for any other."""
    if allowed or not widens(verdict):
        return
    if _read_answer("it may allow more than before; type `widen` to save it", "--allow-widening") != "widen":
        raise NotDoneError("cancelled")


def lock_wait(wait_seconds: float) -> LockWait:
    """Return how long to wait for another writer; who sits at a terminal is told for whom."""
    return LockWait(wait_seconds, _print_on_terminal)


def is_attended() -> bool:
    """Whether somebody is there who sees what is shown, and can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


def ask_text(question: str, default: str = "") -> str:
    """Ask for a word, the default where the answer is empty; raise NotDone at the end of input."""
    typer.echo(printable(f"{question} [{default}]" if default else question) + ": ", nl=False, err=True)
    line = _read_line()
    if not line:
        typer.echo(err=True)
        raise NotDoneError("cancelled")
    return line.strip() or default


def _read_answer(question: str, option: str) -> str:
    if not is_attended():
        raise NotDoneError("nobody is there to be asked", f"say it with `{option}`")
    with suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the question is no answer to it
    typer.echo(f"{printable(question)}: ", nl=False, err=True)
    return _read_line().strip()  # nothing at the end of input, which is no yes


def _print_on_terminal(sentence: str) -> None:
    if sys.stderr.isatty():
        typer.echo(printable(sentence), err=True)


def _read_line() -> str:
    """Read a line, nothing at the end of input, or where the terminal is gone."""
    try:
        return sys.stdin.buffer.readline().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
