"""A program reads what contracts, section 7 promises."""

import json

from hypothesis import given

from cortex_policy.cli.output.problems.json_report import render_report
from cortex_policy.schema.problems import Problem, Report
from tests.support.reports import REAL, reports


def test_a_problem_has_all_its_members() -> None:
    """Null where there is nothing."""
    read = json.loads(render_report(REAL))
    assert (read["status"], read["files"]) == ("fail", 5)
    assert read["problems"][1] == {
        "file": ".cortex/policy/tools/git.json",
        "line": 3,
        "column": 23,
        "end_line": 3,
        "end_column": 29,
        "pointer": "/actions/1",
        "code": "action-twice",
        "severity": "warning",
        "message": "the action `tree` appears twice",
        "hint": None,
        "fix": {"line": 3, "column": 21, "end_line": 3, "end_column": 29, "text": ""},
    }
    assert [problem["fix"] for problem in read["problems"][2:]] == [None] * 5


def test_warnings_alone_have_the_status_ok() -> None:
    """Warnings alone do not fail."""
    assert render_report(Report(1, REAL.problems[:2])).startswith('{"status": "ok", "files": 1, "problems": [{')


@given(reports)
def test_any_report_is_one_line_that_reads_back(report: Report) -> None:
    """Every word comes back as it was, a file name that is no text included."""
    text = render_report(report)
    assert text.encode("ascii").count(b"\n") == 1
    for problem, read in zip(report.problems, json.loads(text)["problems"], strict=True):
        shown = {name: getattr(problem, name) for name in Problem.__match_args__ if not name.startswith("source")}
        fix = {name: getattr(problem.fix, name) for name in problem.fix.__match_args__} if problem.fix else None
        assert read == {**shown, "hint": problem.hint or None, "fix": fix}
