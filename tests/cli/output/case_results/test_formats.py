"""What came of cases, in each format."""

import json
from xml.etree import ElementTree as ET

from cortex_policy.cli.output.case_results import FORMATS
from cortex_policy.cli.output.case_results.text import format_results_summary, render_results
from cortex_policy.core.decode import decode_grant
from cortex_policy.core.model import ALLOWED
from cortex_policy.manage.cases.coverage import measure_coverage
from cortex_policy.manage.cases.model import Case, CaseFile, CaseFileProblem
from cortex_policy.manage.cases.runner import FileResult, GrantUnderTest, run_case_file
from cortex_policy.manage.cases.suite import SuiteResult
from tests.support.junit import validate_as_jenkins
from tests.support.roots import GIT

DATA = json.dumps(GIT, indent=2).encode()
SUBJECT = GrantUnderTest(decode_grant(DATA, "git"), DATA, "git.json")
HOSTILE = "a\x1b[31m\u202e\0::error::##[x]"


def outcome() -> SuiteResult:
    """Return the outcome of a file with a case that passes and one that fails, and of one that cannot be run."""
    cases = (Case("good", "tree", {}, ALLOWED, 3), Case(HOSTILE, HOSTILE, {"path": HOSTILE}, ALLOWED, 9))
    trial = run_case_file(CaseFile("a.cases.toml", "git", cases=cases), SUBJECT)
    broken = FileResult(HOSTILE, "", errors=(CaseFileProblem(HOSTILE, 4, HOSTILE, HOSTILE),))
    return SuiteResult(
        (trial, broken), (measure_coverage(SUBJECT.grant, "git.json", [trial.passed_cases]),), (HOSTILE,)
    )


def test_the_summary_counts() -> None:
    """Cases, files, and what could not be run."""
    assert format_results_summary(outcome()).startswith(
        "2 cases in 2 files, 1 failed, 1 file could not be run; coverage "
    )
    assert format_results_summary(SuiteResult((), ())) == "0 cases in 0 files, nothing was tested"


def test_text_has_no_escapes_unless_it_is_coloured() -> None:
    """Whatever the names are; colour is never the only signal."""
    plain, coloured = render_results(outcome()), render_results(outcome(), colour=True)
    assert "\x1b" not in plain
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[1;33m", "").replace("\x1b[0m", "") == plain
    assert "##[" not in plain
    assert "a.cases.toml:9: failed: a" in plain
    assert "git.json: " in plain


def test_json_lists_all_and_is_one_line_of_ascii() -> None:
    """What is covered by nothing too."""
    text = FORMATS["json"](outcome())
    members = json.loads(text)
    assert text.isascii()
    assert text.count("\n") == 1
    assert (members["status"], members["passed"], members["failed"]) == ("fail", 1, 1)
    assert members["files"][1]["problems"] == [{"line": 4, "message": HOSTILE, "hint": HOSTILE}]
    assert "`search` is allowed" in members["grants"][0]["uncovered"]


def test_junit_is_what_services_read() -> None:
    """A test for each case, and one for a file that could not be run; no case at all is one test."""
    root = ET.fromstring(FORMATS["junit"](outcome()))  # noqa: S314 - our own
    validate_as_jenkins(root)
    assert [len(case) for case in root[0].iter("testcase")] == [0, 1, 1]
    validate_as_jenkins(ET.fromstring(FORMATS["junit"](SuiteResult((), ()))))  # noqa: S314
