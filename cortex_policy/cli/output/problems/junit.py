"""The report as JUnit XML.

A file with an error is a failed test, so that the job fails as the exit code does; warnings and notes are in the
output of the suite. Files without problems are one test, since services reject a report without tests.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from cortex_policy.cli.output.junit_xml import suites_xml, xml_text
from cortex_policy.cli.output.problems.shared import severity_summary
from cortex_policy.cli.output.problems.text import problem_texts
from cortex_policy.schema.catalog import ERROR
from cortex_policy.schema.problems import Problem, Report

_SUITE = "cortex-policy.validate"


def render_report(report: Report) -> str:
    """Return a suite with a test for each file with problems, and one for all others."""
    files: dict[str, list[Problem]] = {}
    for problem in report.problems:
        files.setdefault(problem.file, []).append(problem)
    cases = [_case(xml_text(file), problems) for file, problems in files.items()]
    if report.files > len(cases) or not cases:
        cases.append(_case("all other files" if cases else "all files", []))
    others = (one for problems in files.values() if not _fails(problems) for one in problems)
    return suites_xml("validate", cases, _text(others))


def _case(name: str, problems: list[Problem]) -> ET.Element:
    case = ET.Element("testcase", {"name": name, "classname": _SUITE, "time": "0"})
    if _fails(problems):
        code = next(problem.code for problem in problems if problem.severity == ERROR)
        failure = ET.SubElement(case, "failure", {"type": xml_text(code), "message": severity_summary(problems)})
        failure.text = _text(problems)
    return case


def _fails(problems: list[Problem]) -> bool:
    return any(problem.severity == ERROR for problem in problems)


def _text(problems: Iterable[Problem]) -> str:
    return "\n\n".join(problem_texts(problems))
