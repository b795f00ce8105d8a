"""An operator reads what is wrong, where, and how to mend it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from cortex_policy.cli.output.problems.text import render_report
from cortex_policy.core.text import escape_unprintable
from cortex_policy.schema.problems import MAX_LINE_LENGTH, Problem, Report, UnlocatedProblem, locate_problems
from tests.support.reports import REAL, hostile, is_quiet, reports

GOLDEN = """\
.cortex/policy/tools/git.json:2:10: note: the tool is `日本 git`, the file `git` [tool-id]
  2 |     "tool": "日本 git",
    |             ^^^^^^^^^^

.cortex/policy/tools/git.json:3:23: warning: the action `tree` appears twice [action-twice]
  3 |   "actions": ["tree", "tree"],
    |                       ^^^^^^
  fix: `--fix` repairs it

.cortex/policy/tools/git.json:5:14: warning: `fsscope` is no key of a grant [key-unknown]
  5 |   "fsscope": [
    |              ^
  hint: did you mean `fsScope`?

.cortex/policy/tools/git.json:8:15: error: the scope `docs/**` can never match [scope-dead]
  8 |   "fsScope": ["docs/**"]
    |               ^^^^^^^^^
  hint: write `docs`

.cortex/policy/tools/hg.json: warning: everyone may write to it [file-unsafe]
.cortex/policy/tools/svn.json: warning: everyone may write to it [file-unsafe]
  hint: run `chmod go-w .cortex/policy/tools/*`

.cortex/policy/stamp.json: note: there is no stamp [stamp-missing]

5 files: 1 error, 4 warnings, 2 notes; `--fix` repairs 1 of them
"""
COMMANDS = re.compile(r"^\s*::|##\[|##vso\[", re.MULTILINE)


def line_of(source: str, start: int, end: int, **place: int) -> Problem:
    """Return a problem in a line, from one of its characters up to another."""
    values = {"line": 1, "end_line": 1, "column": start + 1, "end_column": end + 1, **place}
    return Problem("a", pointer="", code="shape-type", severity="error", message="it is wrong", source=source, **values)


def rows(problem: Problem) -> tuple[str, str]:
    """Return the line of a problem and the marks below it."""
    _, line, marks, *_ = render_report(Report(1, (problem,))).split("\n")
    return line.removeprefix("  1 | "), marks.removeprefix("    | ")


def test_each_problem_has_its_line_and_its_hint() -> None:
    """A remedy of several stands once, and what is about a whole file has no line."""
    assert render_report(REAL) == GOLDEN


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Report(0, ()), "0 files are valid"),
        (Report(1, ()), "1 file is valid"),
        (Report(3, ()), "3 files are valid"),
        (Report(1, REAL.problems[:1]), "1 file is valid: 1 note"),
        (Report(2, REAL.problems[:4]), "2 files: 1 error, 2 warnings, 1 note; `--fix` repairs 1 of them"),
    ],
)
def test_the_last_line_counts(report: Report, said: str) -> None:
    """One is singular, and what there is none of is not told."""
    assert render_report(report).splitlines()[-1] == said


@pytest.mark.parametrize(
    ("source", "span", "line", "marks"),
    [
        ("ab", (0, 1), "ab", "^"),
        ("ab", (2, 2), "ab", "  ^"),
        ("\t\tab", (2, 3), "        ab", "        ^"),
        ("日本", (1, 2), "日本", "  ^^"),
        ("a🎉b", (1, 2), "a🎉b", " ^^"),
        ("e\u0301b", (2, 3), "e\u0301b", " ^"),
        ("e\u0301b", (1, 2), "e\u0301b", "^"),
        ("\u0301", (0, 1), "\u0301", "^"),
        ("한\u1161b", (2, 3), "한\u1161b", "  ^"),
        ("\ufeff{", (0, 1), "\\ufeff{", "^^^^^^"),
        ("a\x1bb", (2, 3), "a\\x1bb", "     ^"),
        ("##[b]c", (5, 6), "##\\x5bb]c", "        ^"),
        ("::b", (2, 3), ":\\x3ab", "     ^"),
    ],
)
def test_marks_are_below_the_characters_they_mean(source: str, span: tuple[int, int], line: str, marks: str) -> None:
    """Columns of a screen are counted: characters may take none, two, or as many as their escape has."""
    assert rows(line_of(source, *span)) == (line, marks)


def test_a_place_of_many_lines_is_marked_to_the_end_of_its_first() -> None:
    """What follows is not shown."""
    assert rows(line_of('"a": [  ', 5, 1, end_line=3)) == ('"a": [  ', "     ^")


def test_a_long_line_is_cut_where_nothing_is_meant() -> None:
    """Dots stand for what is left out."""
    text = "[" + "1, " * 99 + '"b", ' + "2, " * 99 + "3]"
    (problem,) = locate_problems("a", text.encode(), [UnlocatedProblem("shape-type", "it is wrong", pointer="/99")])
    line, marks = rows(problem)
    assert line.startswith("...")
    assert line.endswith("...")
    assert line[marks.index("^") : len(marks)] == '"b"'


def test_a_line_that_just_fits_is_whole_where_its_end_is_meant() -> None:
    """Dots would hide it."""
    source = "x" * MAX_LINE_LENGTH
    assert rows(line_of(source, MAX_LINE_LENGTH - 1, MAX_LINE_LENGTH)) == (source, " " * (MAX_LINE_LENGTH - 1) + "^")


def test_a_hint_may_have_lines() -> None:
    """Each is shown below the first."""
    problem = Problem("a", 1, 1, 1, 1, "", "file-unsafe", "warning", "it is unsafe", "run:\n::b")
    assert "\n  hint: run:\n        :\\x3ab\n" in render_report(Report(1, (problem,)))


def test_colour_is_never_the_only_sign() -> None:
    """Without it the same text remains."""
    coloured = render_report(REAL, colour=True)
    assert "\x1b[1;31merror\x1b[0m: the scope" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_report(REAL)


def test_text_of_a_file_reaches_the_terminal_escaped() -> None:
    """Its words are seen as escapes."""
    text = render_report(hostile())
    assert is_quiet(text)
    assert "\\x1b[31m\\u202ec\\x00]]>&<" in text
    assert not COMMANDS.search(text)


def unbroken(text: str) -> str:
    """Return a text with what would be commands as it was."""
    return text.replace("\\x5b", "[").replace("\\x3a", ":")


@given(reports)
@example(Report(1, (Problem(":", 1, 1, 1, 1, "", "file-missing", "error", "it is not there"),)))
def test_any_report_is_quiet_and_says_each_message(report: Report) -> None:
    """No control character, no bidi mark, no command to the log of a job."""
    text = render_report(report)
    assert is_quiet(text)
    assert not COMMANDS.search(text)
    assert all(unbroken(escape_unprintable(problem.message)) in unbroken(text) for problem in report.problems)


@given(st.text(st.sampled_from("aé日🎉\t\u0301\x1b\u202e[#"), min_size=1, max_size=30), st.data())
def test_any_place_is_marked_by_its_width(source: str, data: st.DataObject) -> None:
    """As a library of terminals measures it, and by one mark where it has none."""
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    line, marks = rows(line_of(source, start, end))
    whole = escape_unprintable(source.replace("\t", "    "))
    assert line == whole
    before, upto = (
        cell_len(escape_unprintable(source[:stop].replace("\t", "    ")).replace("##[", "##\\x5b"))
        for stop in (start, end)
    )
    if upto > before:
        assert marks == " " * before + "^" * (upto - before)
    else:
        assert marks in (" " * before + "^", " " * (before - 1) + "^")
