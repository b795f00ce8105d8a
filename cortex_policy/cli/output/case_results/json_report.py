"""The results of test cases as JSON."""

import json

from cortex_policy.core.text import elide_middle, escape_job_commands_in_ascii_json
from cortex_policy.manage.cases.coverage import Coverage
from cortex_policy.manage.cases.runner import CaseResult, FileResult
from cortex_policy.manage.cases.suite import SuiteResult, compute_coverage_percent


def render_results(outcome: SuiteResult) -> str:
    """Return the results, their counts and the coverage as one line of JSON."""
    results = [result for one in outcome.files for result in one.results]
    failed = sum(bool(result.failures) for result in results)
    return escape_job_commands_in_ascii_json(json.dumps({
        "status": "ok" if outcome.is_passed else "fail",
        "passed": len(results) - failed,
        "failed": failed,
        "percent": outcome.coverage_percent,
        "files": [_file_to_json(one) for one in outcome.files],
        "grants": [_coverage_to_json(cover) for cover in outcome.coverage],
        "warnings": list(outcome.warnings),
    })) + "\n"  # fmt: skip


def _file_to_json(one: FileResult) -> dict[str, object]:
    return {
        "file": one.file,
        "grant": one.grant_id or None,
        "problems": [
            {"line": problem.line, "message": problem.message, "hint": problem.hint or None} for problem in one.errors
        ],
        "cases": [_case_to_json(result) for result in one.results],
    }


def _case_to_json(result: CaseResult) -> dict[str, object]:
    why = result.why
    return {
        "name": result.case.name,
        "line": result.case.line,
        "status": "fail" if result.failures else "ok",
        "expect": str(result.case.expect),
        "reason": str(result.actual) if result.actual is not None else None,
        "wrong": list(result.failures),
        "rule": why.step.rule if why is not None else None,
        "said": elide_middle(why.step.message) if why is not None else None,
        "grant_file": why.file if why is not None else None,
        "grant_line": (why.step.line or None) if why is not None else None,
        "nearest": (elide_middle(why.nearest) or None) if why is not None else None,
    }


def _coverage_to_json(cover: Coverage) -> dict[str, object]:
    return {
        "id": cover.grant_id,
        "file": cover.file,
        "tested": cover.is_tested,
        "percent": compute_coverage_percent([cover]),
        "uncovered": list(cover.unmet),
    }
