"""A diff of grants as rows, as JSON and as Markdown."""

from collections import Counter
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.printing import print_table_or_tsv
from cortex_policy.core.compare.verdicts import widens
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.diff.grants import GrantDiff, GrantVersion, PolicyDiff

if TYPE_CHECKING:
    from cortex_policy.cli.common_options import TableFormat

COLUMNS = ("ID", "FIELD", "VERDICT", "WHAT CHANGED")
OVERALL = "overall"
MAX_WARNINGS = 100  # that people are shown


def print_diff(diff: PolicyDiff, output: "TableFormat | None" = None) -> None:
    """Print a line for each changed field and the overall verdict; notes and warnings go to stderr."""
    rows = [row for change in diff.changes for row in _field_rows(change)]
    if len(diff.changes) != 1 or diff.unchanged:
        rows.append(("all grants", OVERALL, diff.verdict, _counts_text(diff)))
    print_table_or_tsv(COLUMNS, rows, output)
    for note in diff.notes:
        typer.echo(escape_message_to_one_line(f"note: {note}"), err=True)
    for warning in _escalation_warnings(diff):
        typer.echo(escape_message_to_one_line(f"warning: {warning}"), err=True)


def _field_rows(change: GrantDiff) -> list[tuple[str, ...]]:
    fields = [(part.field, part.verdict, part.sentence) for part in change.meaning.fields if part.sentence]
    rows = [*_invalid_side_rows(change), *fields, (OVERALL, change.meaning.verdict, "")]
    return [(change.name, *row) for row in rows]


def _invalid_side_rows(change: GrantDiff) -> list[tuple[str, str, str]]:
    sides = (("old", change.old), ("new", change.new))
    return [(side, _version_state(version), version.problem) for side, version in sides if version.problem]


def _version_state(version: GrantVersion) -> str:
    if version.problem:
        return "invalid" if version.is_known else "unknown"
    is_there = version.grant is not None or version.rules is not None or version.is_settings
    return "valid" if is_there else "absent"


def _counts_text(diff: PolicyDiff) -> str:
    counts = Counter(change.status for change in diff.changes) + Counter(unchanged=diff.unchanged)
    return ", ".join(f"{counts[word]} {word}" for word in ("added", "removed", "changed", "unchanged") if counts[word])


def _escalation_warnings(diff: PolicyDiff) -> list[str]:
    named = [f"{change.name}: {each.sentence}" for change in diff.changes for each in change.escalations]
    every = [*diff.warnings, *named]
    more = [f"and {len(every) - MAX_WARNINGS:,} more; `--json` has all"] if len(every) > MAX_WARNINGS else []
    return [*every[:MAX_WARNINGS], *more]


def diff_to_json(diff: PolicyDiff, revision: str | None) -> dict[str, object]:
    """Return the members of `diff --json`; unchanged grants are only counted."""
    return {
        "verdict": diff.verdict,
        "against": revision,
        "changes": [_change_to_json(change) for change in diff.changes],
        "unchanged": diff.unchanged,
        "warnings": list(diff.warnings),
        "notes": list(diff.notes),
    }


def _change_to_json(change: GrantDiff) -> dict[str, object]:
    return {
        "id": change.name,
        "status": change.status,
        "verdict": change.meaning.verdict,
        "fields": [
            {"field": part.field, "verdict": part.verdict, "sentence": part.sentence or None}
            for part in change.meaning.fields
        ],
        "old": _version_to_json(change.old),
        "new": _version_to_json(change.new),
        "escalations": [
            {"scope": each.scope or None, "path": each.path or None, "reason": each.reason, "sentence": each.sentence}
            for each in change.escalations
        ],
    }


def _version_to_json(version: GrantVersion) -> dict[str, object]:
    return {"state": _version_state(version), "problem": version.problem or None}


def diff_to_markdown(diff: PolicyDiff, revision: str | None) -> str:
    """Return Markdown lists for a pull request; text of a grant is escaped."""
    since = f" since {_code_span(revision)}" if revision is not None else ""
    blocks = [[f"### Grants{since}: {_bold_if_wider(diff.verdict)}"], *([_code_span(note)] for note in diff.notes)]
    for change in diff.changes:
        head = f"- {_code_span(change.name)} {change.status}: {_bold_if_wider(change.meaning.verdict)}"
        lines = [
            f"  - {field} {_bold_if_wider(verdict)}: {_code_span(sentence)}"
            for _, field, verdict, sentence in _field_rows(change)
            if sentence
        ]
        blocks.append([head, *lines])
    if warnings := _escalation_warnings(diff):
        blocks.append(["> [!WARNING]", *(f"> - {_code_span(warning)}" for warning in warnings)])
    return "\n\n".join("\n".join(block) for block in [*blocks, [_counts_text(diff) or "no grants"]])


def _bold_if_wider(verdict: str) -> str:
    return f"**{verdict}**" if widens(verdict) or verdict == "invalid" else verdict


def _code_span(text: str) -> str:
    """Return a code span with more backticks than the text has in a row, so that the text cannot end it."""
    shown = escape_message_to_one_line(text)
    fence = "`" * (1 + max((len(run) for run in _backtick_runs(shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def _backtick_runs(text: str) -> list[str]:
    return "".join(letter if letter == "`" else " " for letter in text).split()
