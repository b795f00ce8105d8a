"""The report as SARIF 2.1.0, which code scanning services and editors read."""

import json
import os
from urllib.parse import quote

from cortex_policy.cli.formats.shared import fingerprints, is_placed, path_of, sentences_of
from cortex_policy.schema.problems import Problem, Replacement, Report
from cortex_policy.schema.rules import rule_of

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_PACKAGE = "cortex-policy"
# braces are placeholders, and `[text](target)` is a link: what a grant says becomes neither
_PLAIN = {"{": "{{", "}": "}}", "](": "]\\x28"}


def draw(report: Report) -> str:
    """Return a log of one run, with the rules that found something."""
    codes = list(dict.fromkeys(problem.code for problem in report.problems))
    prints = fingerprints(report.problems)
    results = [_result(one, codes.index(one.code), known) for one, known in zip(report.problems, prints, strict=True)]
    run = {"tool": {"driver": _driver(codes)}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _driver(codes: list[str]) -> dict[str, object]:
    from importlib.metadata import version  # noqa: PLC0415 - 50 ms

    return {"name": _PACKAGE, "version": version(_PACKAGE), "rules": [_rule(code) for code in codes]}


def _rule(code: str) -> dict[str, object]:
    rule = rule_of(code)
    return {
        "id": code,
        "shortDescription": _message(rule.sentence),
        "fullDescription": _message(f"{rule.sentence}: {rule.why}"),
        "help": _message(f"{rule.why}; `{_PACKAGE} rule {code}` explains it"),
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(problem: Problem, index: int, fingerprint: str) -> dict[str, object]:
    return {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": problem.severity,
        "message": _message("\n".join(sentences_of(problem))),
        "locations": [{"physicalLocation": _location(problem)}],
        "partialFingerprints": {"problem/v1": fingerprint},
        **({"fixes": [_fix(problem, problem.fix)]} if problem.fix is not None else {}),
    }


def _message(text: str) -> dict[str, str]:
    for meant, written in _PLAIN.items():
        text = text.replace(meant, written)
    return {"text": text}


def _location(problem: Problem) -> dict[str, object]:
    region = {"region": _region(problem)} if is_placed(problem) else {}
    return {"artifactLocation": _artifact(problem), **region}


def _artifact(problem: Problem) -> dict[str, str]:
    path = path_of(problem)
    uri = quote(os.fsencode(path))
    return {"uri": f"file://{uri}"} if os.path.isabs(path) else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _region(place: Problem | Replacement) -> dict[str, int]:
    return {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }


def _fix(problem: Problem, fix: Replacement) -> dict[str, object]:
    replacement = {"deletedRegion": _region(fix), "insertedContent": {"text": fix.text}}
    return {
        "description": _message(f"what `{_PACKAGE} validate --fix` writes"),
        "artifactChanges": [{"artifactLocation": _artifact(problem), "replacements": [replacement]}],
    }
