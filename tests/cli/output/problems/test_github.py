"""A GitHub job shows what is wrong at the lines of a pull request."""

import re
from collections import Counter

import pytest
from hypothesis import given

from cortex_policy.cli.output.problems.github import MAX_ANNOTATIONS, render_report
from cortex_policy.core.text import escape_unprintable
from cortex_policy.schema.problems import Problem, Report
from tests.support.reports import REAL, hostile, is_quiet, many, reports

# `::name key=value,key=value::data`; data escapes %, CR and LF, and a value `:` and `,` as well
VALUE = r"(?:[^%\r\n:,]|%25|%0D|%0A|%3A|%2C)+"
DATA = r"(?:[^%\r\n]|%25|%0D|%0A)*"
COMMAND = re.compile(rf"::(error|warning|notice) (\w+={VALUE}(?:,\w+={VALUE})*)::({DATA})")
WORDS = {"error": "error", "warning": "warning", "note": "notice"}


def unescaped(text: str) -> str:
    """Return what the runner reads."""
    return re.sub("%(25|0D|0A|3A|2C)", lambda found: chr(int(found[1], 16)), text)


def commands(report: Report) -> list[tuple[str, dict[str, str], str]]:
    """Return the commands as the runner reads them."""
    read = []
    for line in render_report(report).splitlines():
        found = COMMAND.fullmatch(line)
        assert found, line
        pairs = (pair.split("=", 1) for pair in found[2].split(","))
        read.append((found[1], {name: unescaped(value) for name, value in pairs}, unescaped(found[3])))
    return read


def test_each_problem_is_an_annotation_and_errors_come_first() -> None:
    """With its place, where it has one."""
    file = ".cortex/policy/tools/git.json"
    lines = render_report(REAL).splitlines()
    assert lines[0] == (
        f"::error file={file},line=8,endLine=8,col=15,endColumn=24,title=scope-dead::"
        "the scope `docs/**` can never match%0Ahint: write `docs`"
    )
    assert lines[2] == (
        f"::warning file={file},line=5,endLine=7,title=key-unknown::"
        "`fsscope` is no key of a grant%0Ahint: did you mean `fsScope`?"
    )
    assert lines[-1] == "::notice file=.cortex/policy/stamp.json,title=stamp-missing::there is no stamp"


@pytest.mark.parametrize("severity", ["error", "warning", "note"])
def test_ten_of_a_kind_are_shown(severity: str) -> None:
    """All of them, as long as there are no more."""
    read = commands(Report(1, many(severity, MAX_ANNOTATIONS)))
    assert [data for _, _, data in read] == [f"no {at}" for at in range(1, MAX_ANNOTATIONS + 1)]


@pytest.mark.parametrize("severity", ["error", "warning", "note"])
def test_the_tenth_of_more_says_how_many_there_are(severity: str) -> None:
    """GitHub would drop them in silence."""
    read = commands(Report(1, many(severity, 14)))
    assert len(read) == MAX_ANNOTATIONS
    assert read[-1] == (
        WORDS[severity],
        {"title": "cortex-policy"},
        f"5 more {severity}s, because GitHub shows only 10 of a kind; see them with `cortex-policy validate`",
    )


def test_a_path_below_the_working_directory_starts_without_a_dot() -> None:
    """GitHub joins it to the root of the checkout."""
    problem = Problem("./a,b:c.json", 1, 1, 1, 2, "", "tool-id", "note", "so")
    assert "file=a%2Cb%3Ac.json," in render_report(Report(1, (problem,)))


def test_a_report_without_problems_prints_no_line() -> None:
    """There is nothing to show."""
    assert render_report(Report(3, ())) == ""


def test_text_of_a_file_is_never_a_workflow_command() -> None:
    """One line, whatever its words are."""
    ((kind, properties, data),) = commands(hostile())
    assert (kind, properties["title"]) == ("error", "scope-dead")
    assert data.startswith("a\\n::error::b\\r%0A\\x1b[31m\\u202ec\\x00")


@given(reports)
def test_any_report_reads_back_within_the_cap(report: Report) -> None:
    """Each annotation says its message, and its file, made visible."""
    assert is_quiet(render_report(report))
    read = commands(report)
    assert max(Counter(kind for kind, _, _ in read).values(), default=0) <= MAX_ANNOTATIONS
    for severity, kind in WORDS.items():
        problems = [problem for problem in report.problems if problem.severity == severity]
        told = [(properties, data) for word, properties, data in read if word == kind]
        assert len(told) == min(len(problems), MAX_ANNOTATIONS)
        for problem, (properties, data) in zip(
            problems if len(problems) <= MAX_ANNOTATIONS else problems[:9], told, strict=False
        ):
            assert data.startswith(escape_unprintable(problem.message))
            assert properties.get("file", "") == escape_unprintable(problem.file.removeprefix("./"))
            assert ("endColumn" in properties) == (properties.get("line") == properties.get("endLine") != None)  # noqa: E711
