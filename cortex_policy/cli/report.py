"""The same rows as a table on a terminal, and as plain lines in a pipe."""

import sys

import typer

from cortex_policy.wording import printable


def print_rows(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows of words, aligned under their columns on a terminal, apart by tabs in a pipe."""
    shown = [tuple(map(printable, row)) for row in rows]
    if sys.stdout.isatty():
        _print_table(columns, shown)
    else:
        for row in shown:
            typer.echo("\t".join(row))


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs 45 ms of it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column, cells in zip(columns, zip(*rows, strict=True) if rows else [()] * len(columns), strict=True):
        # nothing is cut off: lists go on in the next line, and words where even that is not enough
        table.add_column(column, overflow="fold", no_wrap=not any(", " in cell for cell in cells))
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
