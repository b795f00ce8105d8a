"""Print rows as a table on a terminal and as tab-separated lines in a pipe; print JSON, hints and warnings."""

import json
import sys
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.common_options import TableFormat
from cortex_policy.cli.streams import find_any_terminal_width_or_none, is_colour_wanted, make_colour_keeping_stream
from cortex_policy.core.text import escape_job_commands_in_ascii_json, escape_message_to_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.core.model import Grant, GrantError
    from cortex_policy.manage.budgets import BudgetStatus


def to_escaped_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, escaped so that no terminal or CI job acts on it; it parses to the same value."""
    return escape_job_commands_in_ascii_json(json.dumps(value, indent=indent))


def print_json(value: object, indent: int | None = None) -> None:
    """Print a value as JSON that no terminal acts on, in one line unless `indent` is given."""
    typer.echo(to_escaped_json(value, indent))


def print_table_or_tsv(
    columns: tuple[str, ...], rows: list[tuple[str, ...]], output: TableFormat | None = None
) -> None:
    """Print rows of words, as a table on a terminal, else with tabs; a word of more than 4 kB is cut."""
    shown = [tuple(map(escape_message_to_one_line, row)) for row in rows]
    if output is None:
        output = TableFormat.TABLE if sys.stdout.isatty() else TableFormat.TSV
    if output is TableFormat.TSV:
        for row in shown:
            typer.echo("\t".join(row))
        return
    _print_table(columns, shown)


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows as wide as the terminal; their texts are escaped already."""
    from cortex_policy.cli.output.table_layout import format_table_lines  # noqa: PLC0415 - a pipe needs none

    is_coloured = is_colour_wanted(is_terminal=sys.stdout.isatty())
    lines = format_table_lines(columns, rows, find_any_terminal_width_or_none(), _style_bold if is_coloured else str)
    make_colour_keeping_stream(sys.stdout).write("".join(f"{line}\n" for line in lines))


def _style_bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"


def print_hints(hints: "Iterable[str]") -> None:
    """Print each distinct hint once, on stderr."""
    for hint in dict.fromkeys(filter(None, hints)):
        typer.echo(escape_message_to_one_line(f"hint: {hint}"), err=True)


def print_error_as_warning(doubt: "GrantError | None") -> None:
    """Print a warning and its hint on stderr."""
    if doubt is not None:
        typer.echo(escape_message_to_one_line(f"warning: {doubt.detail}"), err=True)
        print_hints([doubt.hint])


def warn_if_command_not_logged(command: str, problem: str) -> None:
    """Say on stderr that a command is done, but is not in the log."""
    if problem:
        typer.echo(
            escape_message_to_one_line(f"warning: `{command}` is done, but the log does not have it: {problem}"),
            err=True,
        )


def grant_to_json(grant: "Grant | None") -> dict[str, object]:
    """Return what a grant says, by the names that all JSON has; null for a grant that does not load."""
    return {
        "tool": grant.tool if grant is not None else None,
        "actions": list(grant.actions) if grant is not None else None,
        "args": grant.args if grant is not None else None,
        "data_class": grant.data_class if grant is not None else None,
        "scope": list(grant.fs_scope) if grant is not None else None,
        "per_minute": grant.rate.per_minute if grant is not None else None,
    }


def budget_to_json(one: "BudgetStatus") -> dict[str, object]:
    """Return the status of a budget as JSON members."""
    budget = one.budget
    return {
        "id": one.id,
        "tool": one.tool or None,
        "action": one.action or None,
        "limit": budget.limit if budget is not None else None,
        "used": budget.used if budget is not None else None,
        "remaining": budget.remaining if budget is not None else None,
        "retry_after_seconds": budget.retry_after_seconds if budget is not None else None,
        "problem": one.problem or None,
    }
