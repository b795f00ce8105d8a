"""The report as GitLab's Code Quality, which a merge request compares with that of its target."""

import json

from cortex_policy.cli.formats.shared import fingerprints, path_of
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.schema.rules import ERROR, NOTE, WARNING
from cortex_policy.wording import printable

_SEVERITIES = {ERROR: "major", WARNING: "minor", NOTE: "info"}


def draw(report: Report) -> str:
    """Return an array, a problem a line."""
    entries = map(_entry, report.problems, fingerprints(report.problems))
    return "[" + ",\n".join(map(json.dumps, entries)) + "]\n"


def _entry(problem: Problem, fingerprint: str) -> dict[str, object]:
    hint = f" (hint: {problem.hint})".replace("\n", " ") if problem.hint else ""
    # a database stands behind it, which takes no NUL and no half of a character
    path = path_of(problem).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return {
        "description": printable(f"{problem.message}{hint}"),
        "check_name": problem.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[problem.severity],
        "location": {"path": path, "lines": {"begin": problem.line}},
    }
