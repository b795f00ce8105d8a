"""The report as JUnit XML.

A file with an error is a failed test, so that the job fails as the exit code does; warnings and notes are in the
output of the suite. Files without problems are one test, since services reject a report without tests.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from cortex_policy.cli.output.junit_xml import escape_characters_xml_forbids, format_junit_document
from cortex_policy.cli.output.problems.problem_parts import format_severity_counts
from cortex_policy.cli.output.problems.text import format_problem_blocks
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.schema.rule_catalog import ERROR

_SUITE = "cortex-policy.validate"


def render_report(report: Report) -> str:
    """Return a suite with a test for each file with problems, and one for all others."""
    files: dict[str, list[Problem]] = {}
    for problem in report.problems:
        files.setdefault(problem.file, []).append(problem)
    cases = [_file_element(escape_characters_xml_forbids(file), problems) for file, problems in files.items()]
    if report.files > len(cases) or not cases:
        cases.append(_file_element("all other files" if cases else "all files", []))
    others = (one for problems in files.values() if not _has_error(problems) for one in problems)
    return format_junit_document("validate", cases, _problem_passages(others))


def _file_element(name: str, problems: list[Problem]) -> ET.Element:
    case = ET.Element("testcase", {"name": name, "classname": _SUITE, "time": "0"})
    if _has_error(problems):
        code = next(problem.code for problem in problems if problem.severity == ERROR)
        failure = ET.SubElement(
            case, "failure", {"type": escape_characters_xml_forbids(code), "message": format_severity_counts(problems)}
        )
        failure.text = _problem_passages(problems)
    return case


def _has_error(problems: list[Problem]) -> bool:
    return any(problem.severity == ERROR for problem in problems)


def _problem_passages(problems: Iterable[Problem]) -> str:
    return "\n\n".join(format_problem_blocks(problems))
