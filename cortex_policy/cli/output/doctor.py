"""Print what `doctor` found: for people with the command that fixes it, for programs as members."""

import sys
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.streams import make_colour_keeping_stream
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun
from cortex_policy.manage.doctor.result import OK, PROBLEM, STATUSES, WARNING
from cortex_policy.state.local_times import localize_times_if_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.manage.doctor.result import CheckResult

STATUS_WIDTH, ID_WIDTH = 9, 19
MIN_WIDTH = 20  # cells of a message
_LOOKS = (
    "df ",
    "ls ",
    "fuser ",
    "cortex-policy status",
    "cortex-policy diff",
    "cortex-policy validate",
)  # what they print says what to do
_STYLES = {OK: "32", WARNING: "33", PROBLEM: "1;31"}


def print_check_result(result: "CheckResult") -> None:
    """Print a result: a line for it, one for the command that fixes it, and one for what was tried if that failed."""
    message, status = (
        escape_message_to_one_line(localize_times_if_terminal(result.message)),
        f"{result.status:<{STATUS_WIDTH}}",
    )
    if sys.stdout.isatty():
        message = _fold_message(message)
        status = f"\x1b[{_STYLES[result.status]}m{status}\x1b[0m"
    _print_styled_line(f"{status}{result.id:<{ID_WIDTH}}{message}")
    if result.status != OK:
        label = "see" if result.command.startswith(_LOOKS) or result.command.endswith(" ping") else "fix"
        for what, command in ((label, result.command), ("tried", result.tried)):
            if command:  # never folded, so that it can be copied
                _print_styled_line(f"{'':<{STATUS_WIDTH}}{what}: {escape_message_to_one_line(command)}")


def _fold_message(message: str) -> str:
    """Fold a message between words, in its column, or below the id if the terminal has no room for that."""
    columns, indent = get_terminal_size().columns, STATUS_WIDTH + ID_WIDTH
    is_narrow = columns - indent < MIN_WIDTH
    if is_narrow:
        indent = STATUS_WIDTH
    lines = wrap(message, max(MIN_WIDTH, columns - indent), break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join([*[""] * is_narrow, *lines])


def _print_styled_line(line: str) -> None:
    typer.echo(line, file=make_colour_keeping_stream(sys.stdout), color=True)


def print_check_counts(results: "Iterable[CheckResult]") -> None:
    """Print how many results there are of each status."""
    found = [result.status for result in results]
    counts = [
        f"{found.count(OK)} {OK}" if status == OK else format_count_with_noun(found.count(status), status)
        for status in STATUSES
        if status in found
    ]
    typer.echo(f"{format_count_with_noun(len(found), 'check')}: {', '.join(counts)}")


def check_result_to_json(result: "CheckResult") -> dict[str, object]:
    """Return a result as JSON members, null for a command that there is not."""
    return {
        "id": result.id,
        "status": result.status,
        "message": result.message,
        "command": result.command or None,
        "tried": result.tried or None,
    }
