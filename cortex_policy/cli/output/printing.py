"""Print rows as a table on a terminal and as tab-separated lines in a pipe; print JSON, hints and warnings."""

import json
import sys
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.streams import styled_stream
from cortex_policy.core.text import escape_json, message_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.core.model import GrantError
    from cortex_policy.manage.budgets import BudgetStatus
    from cortex_policy.state.emergency_stop import EmergencyStop


def escaped_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, escaped so that no terminal or CI job acts on it; it parses to the same value."""
    return escape_json(json.dumps(value, indent=indent))


def print_json(value: object, indent: int | None = None) -> None:
    """Print a value as JSON."""
    typer.echo(escaped_json(value, indent))


def print_rows(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows of words, aligned on a terminal, with tabs in a pipe; a word of more than 4 kB is cut."""
    shown = [tuple(map(message_line, row)) for row in rows]
    if sys.stdout.isatty():
        _print_table(columns, shown)
    else:
        for row in shown:
            typer.echo("\t".join(row))


def print_hints(hints: "Iterable[str]") -> None:
    """Print each distinct hint once, on stderr."""
    for hint in dict.fromkeys(filter(None, hints)):
        typer.echo(message_line(f"hint: {hint}"), err=True)


def print_warning(doubt: "GrantError | None") -> None:
    """Print a warning and its hint on stderr."""
    if doubt is not None:
        typer.echo(message_line(f"warning: {doubt.detail}"), err=True)
        print_hints([doubt.hint])


def stop_to_json(stop: "EmergencyStop | None") -> dict[str, object] | None:
    """Return an emergency stop as JSON members, None if there is none."""
    if stop is None:
        return None
    return {
        "file": stop.file,
        "host": stop.is_of_host,
        "by": stop.by,
        "stopped_at": stop.timestamp,
        "reason": stop.reason,
        "problem": stop.fault,
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


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs 45 ms of it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column, cells in zip(columns, zip(*rows, strict=True) if rows else [()] * len(columns), strict=True):
        # nothing is cut off: lists wrap, and words fold where even that is not enough
        table.add_column(column, overflow="fold", no_wrap=not any(", " in cell for cell in cells))
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=styled_stream(sys.stdout)).print(table)
