"""What came of cases as JUnit XML: a test for each case, and one for each file that could not be run."""

from xml.etree import ElementTree as ET

from cortex_policy.cli.output.cases.text import flaw_passage, reasons
from cortex_policy.cli.output.junit_xml import suites_of, text_of
from cortex_policy.manage.cases.suite import Outcome

_NONE = "no case"


def draw(outcome: Outcome) -> str:
    """Return one suite; a service that finds no test takes the job for broken, so that none at all is one."""
    cases = []
    for one in outcome.trials:
        file = text_of(one.file)
        cases += [_case(file, text_of(result.case.name), [*map(text_of, reasons(result))] if result.wrong else [])
                  for result in one.results]  # fmt: skip
        if one.flaws:
            cases.append(_case(file, file, [flaw_passage(flaw) for flaw in one.flaws]))
    gaps = [f"{cover.file}: no case shows that {said}" for cover in outcome.covers for said in cover.unmet]
    return suites_of("test", cases or [_case(_NONE, _NONE, [])], "\n".join(map(text_of, gaps)))


def _case(file: str, name: str, wrong: list[str]) -> ET.Element:
    case = ET.Element("testcase", {"name": name, "classname": file, "time": "0"})
    if wrong:
        failure = ET.SubElement(case, "failure", {"type": "case", "message": wrong[0].split("\n")[0]})
        failure.text = "\n".join(wrong)
    return case
