"""A table that fits a width: only its last column is cut, and nobody takes what is cut for the whole."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

GAP = 1  # cells between two columns, of each side
MIN_LAST = 10  # cells; a last column with less is left out


def make_fitted_table(columns: "Sequence[str]", rows: "Sequence[Sequence[Text]]", width: int) -> "Table":
    """Return a table whose last column gets what the others leave of the width; if that is too little, they fold."""
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    left = width - sum(measure_column_width(columns, rows, number) + 2 * GAP for number in range(len(columns) - 1))
    shown = len(columns) if left >= MIN_LAST or not columns[-1] else len(columns) - 1
    table = Table(box=None, pad_edge=False)
    for column in columns[:shown]:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        cells = [cell.copy() for cell in row[:shown]]
        if shown == len(columns):
            cells[-1].truncate(max(left, MIN_LAST), overflow="ellipsis")
        table.add_row(*cells)
    return table


def measure_column_width(columns: "Sequence[str]", rows: "Sequence[Sequence[Text]]", number: int) -> int:
    """Return the cells that a column needs."""
    return max([len(columns[number]), *(row[number].cell_len for row in rows)])
