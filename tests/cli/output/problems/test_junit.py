"""A job shows each file with an error as a test that failed."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from cortex_policy.cli.output.problems.junit import render_report
from cortex_policy.cli.output.problems.text import format_problem_blocks
from cortex_policy.core.text import escape_unprintable
from cortex_policy.schema.problems import Report
from tests.support.junit import validate_as_jenkins
from tests.support.reports import REAL, hostile, many, reports

# what the schema of Ant asks for; the schema itself is under the LGPL, and so not here
ANT = {
    "testsuites": ({}, "(testsuite)*"),
    "testsuite": (
        {
            "package": ".*",
            "id": r"\d+",
            "name": ".+",
            "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
            "hostname": ".+",
            "tests": r"\d+",
            "failures": r"\d+",
            "errors": r"\d+",
            "time": r"\d+(\.\d+)?",
        },
        "properties (testcase )*system-out system-err ",
    ),
    "properties": ({}, "(property )*"),
    "property": ({"name": ".+", "value": ".*"}, ""),
    "testcase": ({"name": ".*", "classname": ".*", "time": r"\d+(\.\d+)?"}, "((error|failure) )?"),
    "failure": ({"type": ".*", "message": ".*"}, ""),
    "system-out": ({}, ""),
    "system-err": ({}, ""),
}


def suite_of(report: Report) -> ET.Element:
    """Return the one suite of a text that both schemas take."""
    text = render_report(report)
    validate_as_jenkins(text)
    root = ET.fromstring(text.encode())  # noqa: S314 - it is ours
    for element in root.iter():
        attributes, children = ANT[element.tag]
        assert set(element.keys()) == set(attributes)
        assert all(re.fullmatch(form, element.get(name, ""), re.DOTALL) for name, form in attributes.items())
        if element.tag != "testsuites":
            assert re.fullmatch(children, "".join(f"{child.tag} " for child in element))
    (suite,) = root
    return suite


def test_a_file_with_an_error_is_a_test_that_failed() -> None:
    """And says all that is wrong with it; what fails nothing stands in the output of the suite."""
    suite = suite_of(REAL)
    assert [(case.get("name"), len(case)) for case in suite.iter("testcase")] == [
        (".cortex/policy/tools/git.json", 1),
        (".cortex/policy/tools/hg.json", 0),
        (".cortex/policy/tools/svn.json", 0),
        (".cortex/policy/stamp.json", 0),
        ("all other files", 0),
    ]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "1", "0")
    (failure,) = suite.iter("failure")
    assert failure.attrib == {"type": "scope-dead", "message": "1 error, 2 warnings, 1 note"}
    assert failure.text == "\n\n".join(format_problem_blocks(REAL.problems[:4]))
    assert suite.findtext("system-out") == "\n\n".join(format_problem_blocks(REAL.problems[4:]))


@pytest.mark.parametrize(
    ("report", "names"),
    [
        (Report(0, ()), ["all files"]),
        (Report(3, ()), ["all files"]),
        (Report(1, many("error", 2)), ["a"]),
        (Report(2, many("note", 1)), ["a", "all other files"]),
    ],
)
def test_a_report_without_problems_has_one_passed_test(report: Report, names: list[str]) -> None:
    """A service that finds none takes the job for broken."""
    assert [case.get("name") for case in suite_of(report).iter("testcase")] == names


def test_text_of_a_file_is_escaped_and_complete() -> None:
    """What XML has no way to write is seen as an escape."""
    (failure,) = suite_of(hostile()).iter("failure")
    assert "a\\n::error::b\\r%0A\\x1b[31m\\u202ec\\x00]]>&<\"'{0}" in str(failure.text)


@given(reports)
def test_any_report_is_valid_and_reads_back(report: Report) -> None:
    """Each message is in a failure, or in the output."""
    suite = suite_of(report)
    said = "".join(suite.itertext()).replace("\\x5b", "[").replace("\\x3a", ":")
    for problem in report.problems:
        assert escape_unprintable(problem.message).replace("\\x5b", "[").replace("\\x3a", ":") in said
    files = {problem.file for problem in report.problems if problem.severity == "error"}
    assert suite.get("failures") == str(len(files))
