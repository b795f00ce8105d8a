"""The report as workflow commands, which a GitHub job turns into annotations of a pull request."""

from cortex_policy.cli.output.problems.problem_parts import (
    SEVERITIES,
    format_message_and_hint_lines,
    has_location,
    make_path_in_report,
)
from cortex_policy.core.text import escape_unprintable, format_count_with_noun
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.schema.rule_catalog import ERROR, NOTE, WARNING

MAX_ANNOTATIONS = 10  # annotations of one kind that GitHub shows of a step; the others are dropped in silence
_COMMANDS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_report(report: Report) -> str:
    """Return a line for each problem, errors first, up to the number that GitHub shows."""
    kinds = [(severity, [one for one in report.problems if one.severity == severity]) for severity in SEVERITIES]
    return "".join(f"{line}\n" for severity, problems in kinds for line in _annotation_lines(severity, problems))


def _annotation_lines(severity: str, problems: list[Problem]) -> list[str]:
    if len(problems) <= MAX_ANNOTATIONS:
        return [_annotation(problem) for problem in problems]
    shown = problems[: MAX_ANNOTATIONS - 1]
    return [*(_annotation(problem) for problem in shown), _more_annotation(severity, len(problems) - len(shown))]


def _annotation(problem: Problem) -> str:
    properties = {
        "file": escape_unprintable(make_path_in_report(problem)),
        **_place_properties(problem),
        "title": escape_unprintable(problem.code),
    }
    return _workflow_command(problem.severity, properties, "\n".join(format_message_and_hint_lines(problem)))


def _more_annotation(severity: str, number: int) -> str:
    more = format_count_with_noun(number, f"more {severity}")
    message = f"{more}, because GitHub shows only {MAX_ANNOTATIONS} of a kind; see them with `cortex-policy validate`"
    return _workflow_command(severity, {"title": "cortex-policy"}, message)


def _place_properties(problem: Problem) -> dict[str, str]:
    if not has_location(problem):
        return {}
    lines = {"line": str(problem.line), "endLine": str(problem.end_line)}
    if problem.line != problem.end_line:  # columns are refused then
        return lines
    return {**lines, "col": str(problem.column), "endColumn": str(problem.end_column)}


def _workflow_command(severity: str, properties: dict[str, str], data: str) -> str:
    words = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items() if value)
    return f"::{_COMMANDS[severity]} {words}::{data.translate(_DATA)}"
