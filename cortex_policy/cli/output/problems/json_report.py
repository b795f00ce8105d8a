"""The report as JSON."""

import json

from cortex_policy.core.text import escape_job_commands_in_ascii_json
from cortex_policy.schema.problems import Problem, Replacement, Report


def render_report(report: Report) -> str:
    """Return one line of ASCII, so that even a file name that is not UTF-8 can be written."""
    problems = [problem_to_json(problem) for problem in report.problems]
    members = {"status": report.status, "files": report.files, "problems": problems}
    return escape_job_commands_in_ascii_json(json.dumps(members)) + "\n"


def problem_to_json(problem: Problem) -> dict[str, object]:
    """Return a problem as JSON members; `fix` is the edit that `--fix` would make, or null."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "end_line": problem.end_line,
        "end_column": problem.end_column,
        "pointer": problem.pointer,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint or None,
        "fix": _fix_to_json(problem.fix) if problem.fix is not None else None,
    }


def _fix_to_json(fix: Replacement) -> dict[str, object]:
    return {
        "line": fix.line,
        "column": fix.column,
        "end_line": fix.end_line,
        "end_column": fix.end_column,
        "text": fix.text,
    }
