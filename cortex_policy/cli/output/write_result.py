"""Print the result of a write: what was done or would be, what it means, and its effect on the last calls."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.diff import diff_to_json, print_diff
from cortex_policy.cli.output.printing import print_json
from cortex_policy.core.text import escape_message_to_one_line, escape_output
from cortex_policy.manage.diff.grants import GrantDiff, PolicyDiff
from cortex_policy.manage.transaction.version_after_write import Version, version_to_number_or_none

if TYPE_CHECKING:
    from cortex_policy.manage.editing.operations import WriteResult
    from cortex_policy.state import Root


def print_write_result(result: "WriteResult", sentence: str, *, json: bool, root: "Root | None" = None) -> None:
    """Print what was done, or one line of JSON with the version, the diff and the meaning.

    With a root the JSON also has the change's effect on the last calls.
    """
    if json:
        members = {
            "changed": result.is_written,
            "version": version_to_number_or_none(result.version),
            "diff": result.diff,
        }
        past = _impact_to_json(root, result.change) if root is not None else {}
        print_json(members | diff_to_json(PolicyDiff((result.change,)), None) | past)
    elif result.is_written:
        typer.echo(escape_message_to_one_line(f"{sentence}, {version_to_text(result.version)}"))
    else:
        typer.echo(escape_message_to_one_line(f"nothing to do: {sentence}"))


def print_impact(root: "Root", diff: PolicyDiff) -> None:
    """Print the effect of each change on the last calls, if it is known."""
    from cortex_policy.manage.replay.impact import estimate_impact_as_text  # noqa: PLC0415 - a command that reads no log need not load it

    for past in filter(None, (estimate_impact_as_text(root, change) for change in diff.changes)):
        typer.echo(escape_message_to_one_line(past))


def _impact_to_json(root: "Root", change: GrantDiff) -> dict[str, object]:
    from cortex_policy.manage.replay.impact import estimate_impact_or_why_not  # noqa: PLC0415 - as above

    impact = estimate_impact_or_why_not(root, change)
    if isinstance(impact, str):
        return {"past": None, "notes": [impact] if impact else []}
    counts = {
        "calls": impact.call_count,
        "no_to_yes": impact.newly_allowed_count,
        "yes_to_no": impact.newly_denied_count,
        "undecided": impact.undecided_count,
    }
    return {"past": counts}


def print_preview(root: "Root", planned: "WriteResult", *, json: bool) -> None:
    """Print what would be written, what it means, and its effect on the last calls."""
    if json:
        print_write_result(planned, "", json=True, root=root)
    elif planned.diff:
        print_escaped_text(planned.diff)
        diff = PolicyDiff((planned.change,))
        print_diff(diff)
        print_impact(root, diff)
    else:
        typer.echo(escape_message_to_one_line(f"nothing to do: `{planned.change.name}` has these values already"))


def print_escaped_text(text: str) -> None:
    """Print the text of a grant, escaped for a terminal."""
    typer.echo(escape_output(text), nl=False)  # here, since Typer drops colours in a pipe instead of showing them


def version_to_text(version: Version) -> str:
    """Return a phrase that names the version of a write, or why it has none."""
    return f"version {version}" if isinstance(version, int) else version.why
