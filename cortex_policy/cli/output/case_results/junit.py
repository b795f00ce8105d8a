"""The results of test cases as JUnit XML: a test for each case, and one for each file that could not be run."""

from xml.etree import ElementTree as ET

from cortex_policy.cli.output.case_results.text import format_failure_lines, format_file_error
from cortex_policy.cli.output.junit_xml import escape_characters_xml_forbids, format_junit_document
from cortex_policy.manage.cases.suite import SuiteResult

_NO_CASE = "no case"


def render_results(outcome: SuiteResult) -> str:
    """Return one suite; without cases it has one test, since services reject a report without tests."""
    cases = []
    for one in outcome.files:
        file = escape_characters_xml_forbids(one.file)
        for result in one.results:
            lines = [*map(escape_characters_xml_forbids, format_failure_lines(result))] if result.failures else []
            cases.append(_case_element(file, escape_characters_xml_forbids(result.case.name), lines))
        if one.errors:
            cases.append(_case_element(file, file, [format_file_error(problem) for problem in one.errors]))
    gaps = [f"{cover.file}: not covered: {requirement}" for cover in outcome.coverage for requirement in cover.unmet]
    return format_junit_document(
        "test", cases or [_case_element(_NO_CASE, _NO_CASE, [])], "\n".join(map(escape_characters_xml_forbids, gaps))
    )


def _case_element(file: str, name: str, wrong: list[str]) -> ET.Element:
    case = ET.Element("testcase", {"name": name, "classname": file, "time": "0"})
    if wrong:
        failure = ET.SubElement(case, "failure", {"type": "case", "message": wrong[0].split("\n")[0]})
        failure.text = "\n".join(wrong)
    return case
