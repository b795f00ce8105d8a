"""What is printed as rows is readable wherever it is read."""

from pathlib import Path

import pytest

from tests.support.command import run_command
from tests.support.terminal import Terminal

TABLES = ["list", "rate show", "config list", "rule", "log", "approvals", "diff git model-gateway"]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("line", TABLES)
def test_a_pipe_gets_tabs_unless_a_table_is_asked_for(line: str) -> None:
    """The table has a head, and its lines are those of the rows."""
    plain, tabs = run_command(*line.split()).stdout, run_command(*line.split(), "--output", "tsv").stdout
    table = run_command(*line.split(), "--output", "table", COLUMNS="400").stdout.splitlines()
    assert plain == tabs
    assert table[0].split()[0] in ("ID", "SETTING", "CODE", "VERSION")
    assert [row.split()[:1] for row in plain.splitlines()] == [row.split()[:1] for row in table[1:]]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("columns", ["40", "60", "80", "120"])
def test_a_terminal_shows_each_word_at_every_width(columns: str) -> None:
    """As wide as the terminal, no id, state or action cut."""
    code, text = Terminal("list", columns=int(columns)).end()
    assert code == 0
    for word in ("git", "model-gateway", "tree,", "snippet,", "search", "unstamped", "apps/cortex-os,", "30/min"):
        assert word in text.split(), columns
    assert all(len(line) <= int(columns) for line in text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
@pytest.mark.parametrize(
    "words",
    [("list", "--output", "table"), ("explain", "git", "push"), ("check", "git", "push", "--explain"), ("validate",)],
)
def test_colours_follow_the_usual_variables(
    root: Path, words: tuple[str, ...], variables: dict[str, str], *, is_coloured: bool
) -> None:
    """In a pipe they are forced or absent; what programs read never has any."""
    (root / ".cortex/policy/tools/bad.json").write_text("{}")
    done = run_command(*words, code=10 if "push" in words else int(words[0] == "validate"), **variables)
    assert ("\x1b[" in done.stdout + done.stderr) == is_coloured
    assert "\x1b" not in run_command("list", **variables).stdout
    assert "\x1b" not in run_command("list", "--json", **variables).stdout
