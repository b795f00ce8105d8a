"""The report as JUnit XML, in the one shape that both Ant's schema and Jenkins' take.

A file with an error is a test that failed, so that a job is as red as the exit code says; what is no error stands in
the output of the suite. Files without problems are one test: a service that finds none takes the job for broken.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from cortex_policy.cli.formats.shared import tally
from cortex_policy.cli.formats.text import passages_of
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.schema.rules import ERROR
from cortex_policy.wording import printable

_SUITE = "cortex-policy.validate"
# Ant's schema asks for both; the same report is the same text everywhere
_NOWHERE = {"timestamp": "1970-01-01T00:00:00", "hostname": "localhost", "time": "0"}


def draw(report: Report) -> str:
    """Return a suite with a test for each file that has problems, and one for all others."""
    files: dict[str, list[Problem]] = {}
    for problem in report.problems:
        files.setdefault(problem.file, []).append(problem)
    cases = [_case(printable(file), problems) for file, problems in files.items()]
    if report.files > len(cases) or not cases:
        cases.append(_case("all other files" if cases else "all files", []))
    suites = ET.Element("testsuites")
    suites.append(_suite(cases, files.values()))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, "unicode")}\n'


def _suite(cases: list[ET.Element], files: Iterable[list[Problem]]) -> ET.Element:
    failures = str(sum(len(case) for case in cases))
    numbers = {"id": "0", "package": _SUITE, "tests": str(len(cases)), "failures": failures, "errors": "0"}
    suite = ET.Element("testsuite", {"name": _SUITE, **numbers, **_NOWHERE})
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", {"name": "command", "value": "cortex-policy validate"})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _text(one for file in files if not _fails(file) for one in file)
    ET.SubElement(suite, "system-err")
    return suite


def _case(name: str, problems: list[Problem]) -> ET.Element:
    case = ET.Element("testcase", {"name": name, "classname": _SUITE, "time": "0"})
    if _fails(problems):
        code = next(problem.code for problem in problems if problem.severity == ERROR)
        failure = ET.SubElement(case, "failure", {"type": printable(code), "message": tally(problems)})
        failure.text = _text(problems)
    return case


def _fails(problems: list[Problem]) -> bool:
    return any(problem.severity == ERROR for problem in problems)


def _text(problems: Iterable[Problem]) -> str:
    # INVARIANT: a passage is printable, and so holds no character that XML has no way to write
    return "\n\n".join(passages_of(problems))
