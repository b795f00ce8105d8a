"""The report as GitLab's Code Quality, which a merge request compares with that of its target."""

import json

from cortex_policy.cli.output.problems.problem_parts import (
    format_message_and_hint_lines,
    make_path_in_report,
    make_problem_fingerprints,
)
from cortex_policy.core.text import escape_job_commands_in_ascii_json
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.schema.rule_catalog import ERROR, NOTE, WARNING

_SEVERITIES = {ERROR: "major", WARNING: "minor", NOTE: "info"}


def render_report(report: Report) -> str:
    """Return a JSON array with one problem per line."""
    entries = map(_issue_to_json, report.problems, make_problem_fingerprints(report.problems))
    return escape_job_commands_in_ascii_json("[" + ",\n".join(map(json.dumps, entries)) + "]\n")


def _issue_to_json(problem: Problem, fingerprint: str) -> dict[str, object]:
    message, *hint = format_message_and_hint_lines(problem)
    # its database accepts no NUL and no lone surrogate
    path = make_path_in_report(problem).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return {
        "description": f"{message} ({' '.join(hint)})" if hint else message,
        "check_name": problem.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[problem.severity],
        "location": {"path": path, "lines": {"begin": problem.line}},
    }
