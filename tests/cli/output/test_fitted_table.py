"""A table fits its width, and cuts its last column alone."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from cortex_policy.cli.output.fitted_table import make_fitted_table

COLUMNS = ("ID", "ACTION", "ARGUMENTS")


def drawn(rows: list[list[str]], width: int) -> list[str]:
    """Draw a table on a screen of this width, and return its lines."""
    console = Console(file=io.StringIO(), width=width)
    console.print(make_fitted_table(COLUMNS, [[Text(cell) for cell in row] for row in rows], width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "last"), [(60, "x" * 40), (40, "x" * 21 + "…"), (29, "x" * 10 + "…")])
def test_the_last_column_is_cut_with_a_sign(width: int, last: str) -> None:
    """The others are whole."""
    _, line = drawn([["1f0c9a7e", "read", "x" * 40]], width)
    assert line.split() == ["1f0c9a7e", "read", last]


def test_a_last_column_without_room_is_left_out() -> None:
    """Its head too."""
    assert [line.split() for line in drawn([["1f0c9a7e", "read", "x" * 40]], 20)] == [
        ["ID", "ACTION"],
        ["1f0c9a7e", "read"],
    ]


@given(
    st.lists(st.lists(st.text("ab漢", min_size=1, max_size=30), min_size=3, max_size=3), max_size=3),
    st.integers(20, 120),
)
def test_nothing_is_wider_than_the_screen_and_no_id_is_cut(rows: list[list[str]], width: int) -> None:
    """One that has no room folds: all of its letters are there."""
    lines = drawn(rows, width)
    assert all(Text(line).cell_len <= width for line in lines)
    shown = "".join(lines)
    for row in rows:
        assert all(
            shown.count(letter) >= row[0].count(letter) + row[1].count(letter)
            for letter in set(row[0] + row[1]) - {" "}
        )
