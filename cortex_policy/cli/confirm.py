"""What the commands that write a grant share: show a change and ask before saving, and report after."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.diff import diff_to_json, print_diff, widens
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.prompts import ask_widening, ask_yes_no
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import escape_output, printable
from cortex_policy.manage.diff.grants import GrantDiff, PolicyDiff

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.manage.editing.operations import WriteResult
    from cortex_policy.state import Root


def make_widening_prompt(*, allowed: bool, json: bool, root: "Root | None" = None) -> "Callable[[GrantDiff], None]":
    """Return a function that shows a change, and asks for consent if it may allow more than before.

    With a root it also prints the change's effect on the last calls.
    """
    show_and_ask = make_widening_prompt_for_diff(allowed=allowed, json=json, root=root)
    return lambda change: show_and_ask(PolicyDiff((change,), 0, ()))


def make_widening_prompt_for_diff(
    *, allowed: bool, json: bool, root: "Root | None" = None
) -> "Callable[[PolicyDiff], None]":
    """Return the same for several changes; it asks once."""

    def show_and_ask(diff: PolicyDiff) -> None:
        if not json:
            print_diff(diff)
            if root is not None:
                _print_impact(root, diff)
        elif widens(diff.verdict) and not allowed:  # nobody can confirm a change that was not shown
            raise NotDoneError("it may allow more than before", "add `--allow-widening`")
        ask_widening(diff.verdict, allowed=allowed)

    return show_and_ask


def make_yes_no_prompt(question: str, *, yes: bool, json: bool) -> "Callable[[GrantDiff], None]":
    """Return a function that shows a change and asks for yes or no."""

    def show_and_ask(change: GrantDiff) -> None:
        if not json:
            print_diff(PolicyDiff((change,), 0, ()))
        ask_yes_no(question, yes=yes)

    return show_and_ask


def print_result(result: "WriteResult", sentence: str, *, json: bool, root: "Root | None" = None) -> None:
    """Print what was done, or one line of JSON with the version, the diff and the meaning.

    With a root the JSON also has the change's effect on the last calls.
    """
    if json:
        members = {"changed": result.is_written, "version": result.version, "diff": result.diff}
        past = _impact_to_json(root, result.change) if root is not None else {}
        print_json(members | diff_to_json(PolicyDiff((result.change,), 0, ()), None) | past)
    elif result.is_written:
        typer.echo(printable(f"{sentence}, {version_text(result.version)}"))
    else:
        typer.echo(printable(f"nothing to do: {sentence}"))


def _print_impact(root: "Root", diff: PolicyDiff) -> None:
    from cortex_policy.manage.replay.impact import impact_sentence  # noqa: PLC0415 - a command that reads no log need not load it

    for past in filter(None, (impact_sentence(root, change) for change in diff.changes)):
        typer.echo(printable(past))


def _impact_to_json(root: "Root", change: GrantDiff) -> dict[str, object]:
    from cortex_policy.manage.replay.impact import estimate_impact  # noqa: PLC0415 - as above

    impact = estimate_impact(root, change)
    if isinstance(impact, str):
        return {"past": None, "notes": [impact] if impact else []}
    counts = {
        "calls": impact.calls,
        "no_to_yes": impact.newly_allowed,
        "yes_to_no": impact.newly_denied,
        "undecided": impact.undecided,
    }
    return {"past": counts}


def print_preview(root: "Root", planned: "WriteResult", *, json: bool) -> None:
    """Print what would be written, what it means, and its effect on the last calls."""
    if json:
        print_result(planned, "", json=True, root=root)
    elif planned.diff:
        print_grant_text(planned.diff)
        diff = PolicyDiff((planned.change,), 0, ())
        print_diff(diff)
        _print_impact(root, diff)
    else:
        typer.echo(printable(f"nothing to do: `{planned.change.name}` has these values already"))


def print_grant_text(text: str) -> None:
    """Print lines of a grant."""
    typer.echo(escape_output(text), nl=False)  # here, since Typer drops colours in a pipe instead of showing them


def version_text(version: int | None) -> str:
    """Return a phrase that names the version of a write."""
    return f"version {version}" if version is not None else "to be stamped by the next write: the disk refused it now"
