"""Rows fit the terminal as a table or as records, and nothing of them is ever cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.cli.output.table_layout import format_table_lines, measure_text_width, wrap_text

COLUMNS = ("ID", "ACTIONS", "STATE")
ROWS = [("git", "tree, snippet, search", "ok"), ("model-gateway", "chat", "unstamped")]


def test_a_table_that_fits_is_aligned() -> None:
    """With its head."""
    assert format_table_lines(COLUMNS, ROWS, 80) == format_table_lines(COLUMNS, ROWS) == [
        "ID             ACTIONS                STATE",
        "git            tree, snippet, search  ok",
        "model-gateway  chat                   unstamped",
    ]  # fmt: skip


def test_a_list_folds_at_its_spaces() -> None:
    """Ids and states stay in their lines."""
    assert format_table_lines(COLUMNS, ROWS, 40) == [
        "ID             ACTIONS         STATE",
        "git            tree, snippet,  ok",
        "               search",
        "model-gateway  chat            unstamped",
    ]


def test_a_table_that_does_not_fit_becomes_records() -> None:
    """A line for each cell, a blank line between two."""
    assert format_table_lines(COLUMNS, ROWS, 30, str.lower) == [
        "id       git",
        "actions  tree, snippet, search",
        "state    ok",
        "",
        "id       model-gateway",
        "actions  chat",
        "state    unstamped",
    ]


def test_without_rows_there_is_a_head() -> None:
    """So that it can be seen that there is nothing."""
    assert format_table_lines(COLUMNS, [], 80) == ["ID  ACTIONS  STATE"]


cells = st.text("ab, 漢é-", max_size=12).map(str.strip)


@given(st.lists(st.tuples(cells, cells, cells), max_size=4), st.integers(1, 60))
def test_no_character_is_lost_at_any_width(rows: list[tuple[str, str, str]], width: int) -> None:
    """And no line is wider than the terminal, unless it has no room for a label and a character."""
    lines = format_table_lines(COLUMNS, rows, width)
    printed = [char for char in "".join(lines) if char not in " ACDEINOST"]  # the heads alone have capitals
    assert sorted(printed) == sorted("".join("".join(row) for row in rows).replace(" ", ""))
    if width >= len("ACTIONS") + 4:
        assert max(map(measure_text_width, lines)) <= width


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("a b c", 3, ["a b", "c"]),
        ("abcdef", 4, ["abcd", "ef"]),
        ("a bcdef", 3, ["a", "bcd", "ef"]),
        ("", 3, [""]),
        ("漢漢漢", 4, ["漢漢", "漢"]),
        ("  a", 3, ["  a"]),
    ],
)
def test_a_text_folds_at_spaces_else_anywhere(text: str, width: int, lines: list[str]) -> None:
    """A wide character takes two cells."""
    assert wrap_text(text, width) == lines
