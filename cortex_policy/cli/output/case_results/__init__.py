"""The results of test cases in each format: pure functions from the outcome to its text."""

from typing import TYPE_CHECKING

from cortex_policy.cli.output.case_results import json_report, junit, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.manage.cases.suite import SuiteResult

FORMATS: "dict[str, Callable[[SuiteResult], str]]" = {
    "text": text.render_results,
    "json": json_report.render_results,
    "junit": junit.render_results,
}
