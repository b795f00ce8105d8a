"""A merge request shows what is wrong, and what has become better."""

import json
from typing import Any

from hypothesis import given

from cortex_policy.cli.output.problems.gitlab import render_report
from cortex_policy.core.text import escape_unprintable
from cortex_policy.schema.problems import Problem, Report
from tests.support.reports import HOSTILE, REAL, hostile, many, reports


def entries(*problems: Problem) -> list[dict[str, Any]]:
    """Return what GitLab reads."""
    read: list[dict[str, Any]] = json.loads(render_report(Report(1, problems)))
    return read


def moved(problem: Problem, **changes: object) -> Problem:
    """Return a problem with another place or severity."""
    return Problem(**{**vars(problem), **changes})


def test_each_problem_is_an_entry() -> None:
    """With what GitLab asks for."""
    entry = entries(*REAL.problems)[3]
    assert len(entry.pop("fingerprint")) == 64
    assert entry == {
        "description": "the scope `docs/**` can never match (hint: write `docs`)",
        "check_name": "scope-dead",
        "severity": "major",
        "location": {"path": ".cortex/policy/tools/git.json", "lines": {"begin": 8}},
    }
    assert [entry["severity"] for entry in entries(*REAL.problems)[:3]] == ["info", "minor", "minor"]


def test_a_fingerprint_stays_the_same_if_lines_are_added_above() -> None:
    """GitLab takes another one for a new problem."""
    problem = REAL.problems[3]
    later = moved(problem, file=f"./{problem.file}", line=99, end_line=99, severity="warning", hint="", source="")
    assert entries(problem)[0]["fingerprint"] == entries(later)[0]["fingerprint"]


def test_equal_problems_have_fingerprints_of_their_own() -> None:
    """GitLab shows one of each."""
    same = [moved(problem, message="so") for problem in many("error", 3)]
    assert len({entry["fingerprint"] for entry in entries(*same)}) == 3


def test_a_report_without_problems_is_an_empty_array() -> None:
    """Which says that all is well, as no file would not."""
    assert render_report(Report(3, ())) == "[]\n"


def test_text_of_a_file_is_escaped() -> None:
    """It is seen as escapes, and can be stored."""
    (entry,) = entries(*hostile().problems)
    hint = " ".join(map(escape_unprintable, f"hint: {HOSTILE}".split("\n")))
    assert entry["description"] == f"{escape_unprintable(HOSTILE)} ({hint})"
    assert entry["location"]["path"].endswith("\\udcff")


@given(reports)
def test_any_report_reads_back(report: Report) -> None:
    """Every fingerprint is another, and every string is text."""
    read = entries(*report.problems)
    assert len({entry["fingerprint"] for entry in read}) == len(report.problems)
    for problem, entry in zip(report.problems, read, strict=True):
        assert entry["description"].startswith(escape_unprintable(problem.message))
        assert b"\0" not in entry["location"]["path"].encode()
