"""Lay out rows as lines of text: a table where it fits, else a record for each row. Nothing is ever cut."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Row = Sequence[str]

GAP = 2  # cells between two columns
MAX_FOLDED = 4  # lines of a row, on average; records are easier to read then


def format_table_lines(
    columns: "Row", rows: "Sequence[Row]", width: int | None = None, style_head: "Callable[[str], str]" = str
) -> list[str]:
    """Return the lines of a table, its head first; if the width is too small, of records: a line for each cell.

    Cells are folded at spaces to fit the width; None is a width without a limit. `style_head` makes heads bold, say.
    """
    widths = _column_widths(columns, rows, width)
    if widths is not None:
        head = [style_head(line) for line in _row_lines(columns, widths)]
        lines = [*head, *(line for row in rows for line in _row_lines(row, widths))]
        if len(lines) <= MAX_FOLDED * (1 + len(rows)):
            return lines
    if not rows:
        return wrap_text((" " * GAP).join(columns), width or 0)
    return _record_lines(columns, rows, width or 0, style_head)


def measure_text_width(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - few texts need it

    return cell_len(text)


def _column_widths(columns: "Row", rows: "Sequence[Row]", width: int | None) -> list[int] | None:
    """Return the width of each column, None if the longest words do not fit beside each other."""
    cells = list(zip(columns, *rows, strict=True))
    widths = [max(map(measure_text_width, column)) for column in cells]
    least = [max(measure_text_width(word) for cell in column for word in cell.split(" ")) for column in cells]
    if width is None:
        return widths
    room = width - GAP * (len(columns) - 1)
    if sum(least) > room:
        return None
    for _ in range(sum(widths) - room):  # take a cell from the widest that can be folded
        widest = max((at for at in range(len(widths)) if widths[at] > least[at]), key=lambda at: widths[at])
        widths[widest] -= 1
    return widths


def _row_lines(row: "Row", widths: list[int]) -> list[str]:
    folded = [wrap_text(cell, size) for cell, size in zip(row, widths, strict=True)]
    height = max(map(len, folded), default=0)
    lines = []
    for number in range(height):
        parts = [cell[number] if number < len(cell) else "" for cell in folded]
        padded = (part + " " * (size - measure_text_width(part)) for part, size in zip(parts, widths, strict=True))
        lines.append((" " * GAP).join(padded).rstrip())
    return lines


def _record_lines(columns: "Row", rows: "Sequence[Row]", width: int, style_head: "Callable[[str], str]") -> list[str]:
    label = max(map(len, columns)) + GAP
    lines = list[str]()
    for number, row in enumerate(rows):
        lines += [""] if number else []
        for name, cell in zip(columns, row, strict=True):
            first, *more = wrap_text(cell, max(1, width - label))
            space = " " * (label - len(name))
            lines += [f"{style_head(name)}{space}{first}".rstrip(), *(" " * label + line for line in more)]
    return lines


def wrap_text(text: str, width: int) -> list[str]:
    """Return a text as lines of a width, broken at spaces where that is possible; at least one line."""
    if measure_text_width(text) <= width:
        return [text]
    lines, line = list[str](), ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if measure_text_width(joined) <= width:
            line = joined
            continue
        lines += [line] if line else []
        line = word
        while measure_text_width(line) > width:
            head = _longest_fitting_start(line, width)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line]


def _longest_fitting_start(text: str, width: int) -> str:
    """Return as much of the start of a text as fits, at least a character."""
    end = 1
    while end < len(text) and measure_text_width(text[: end + 1]) <= width:
        end += 1
    return text[:end]
