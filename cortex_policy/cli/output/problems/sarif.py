"""The report as SARIF 2.1.0, which code scanning services and editors read."""

import json
import os
from urllib.parse import quote

from cortex_policy.cli.output.problems.problem_parts import (
    SEVERITIES,
    format_message_and_hint_lines,
    make_path_in_report,
    make_problem_fingerprints,
)
from cortex_policy.core.text import escape_job_commands_in_ascii_json, format_count_with_noun
from cortex_policy.schema.problems import Problem, Replacement, Report
from cortex_policy.schema.rule_catalog import find_rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_PACKAGE = "cortex-policy"
MAX_RESULTS = 25_000  # results of a run that GitHub takes; it refuses a log with more
# braces are placeholders, and `[text](target)` is a link: what a grant says becomes neither
_ESCAPES = {"{": "{{", "}": "}}", "](": "]\\x28"}


def render_report(report: Report) -> str:
    """Return a log of one run, with the rules that found something and the number of results left out."""
    problems, more = report.problems, len(report.problems) - MAX_RESULTS
    if more > 0:
        problems = tuple(sorted(problems, key=lambda one: SEVERITIES.index(one.severity))[:MAX_RESULTS])
    codes = {code: index for index, code in enumerate(dict.fromkeys(problem.code for problem in problems))}
    results = [
        _result_object(one, codes[one.code], known)
        for one, known in zip(problems, make_problem_fingerprints(problems), strict=True)
    ]
    run = {
        "tool": {"driver": _driver_object(list(codes))},
        "columnKind": "unicodeCodePoints",
        **({"invocations": [_invocation_object(more)]} if more > 0 else {}),
        "results": results,
    }
    return escape_job_commands_in_ascii_json(json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})) + "\n"


def _driver_object(codes: list[str]) -> dict[str, object]:
    from importlib.metadata import metadata  # noqa: PLC0415 - 50 ms

    about = metadata(_PACKAGE)
    urls = dict(line.split(", ", 1) for line in about.get_all("Project-URL") or ())
    page = {"informationUri": urls["Homepage"]} if "Homepage" in urls else {}
    return {"name": _PACKAGE, "version": about["Version"], **page, "rules": [_rule_object(code) for code in codes]}


def _invocation_object(more: int) -> dict[str, object]:
    message = f"{format_count_with_noun(more, 'problem')} more, the least severe; see them with `{_PACKAGE} validate`"
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [{"level": "warning", "message": _message_object(message)}],
    }


def _rule_object(code: str) -> dict[str, object]:
    rule = find_rule(code)
    return {
        "id": code,
        "shortDescription": _message_object(rule.sentence),
        "fullDescription": _message_object(f"{rule.sentence}: {rule.why}"),
        "help": _message_object(f"{rule.why}; `{_PACKAGE} rule {code}` explains it"),
        "defaultConfiguration": {"level": rule.severity},
    }


def _result_object(problem: Problem, index: int, fingerprint: str) -> dict[str, object]:
    return {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": problem.severity,
        "message": _message_object("\n".join(format_message_and_hint_lines(problem))),
        "locations": [{"physicalLocation": _location_object(problem)}],
        "partialFingerprints": {"problem/v1": fingerprint},
        **({"fixes": [_fix_object(problem, problem.fix)]} if problem.fix is not None else {}),
    }


def _message_object(text: str) -> dict[str, str]:
    for character, written in _ESCAPES.items():
        text = text.replace(character, written)
    return {"text": text}


def _location_object(problem: Problem) -> dict[str, object]:
    return {
        "artifactLocation": _artifact_object(problem),
        "region": _region_object(problem),
    }  # GitHub wants all of both


def _artifact_object(problem: Problem) -> dict[str, str]:
    path = make_path_in_report(problem)
    uri = quote(os.fsencode(path))
    return {"uri": f"file://{uri}"} if os.path.isabs(path) else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _region_object(part: Problem | Replacement) -> dict[str, int]:
    return {
        "startLine": part.line,
        "startColumn": part.column,
        "endLine": part.end_line,
        "endColumn": part.end_column,
    }


def _fix_object(problem: Problem, fix: Replacement) -> dict[str, object]:
    replacement = {"deletedRegion": _region_object(fix), "insertedContent": {"text": fix.text}}
    return {
        "description": _message_object(f"what `{_PACKAGE} validate --fix` writes"),
        "artifactChanges": [{"artifactLocation": _artifact_object(problem), "replacements": [replacement]}],
    }
