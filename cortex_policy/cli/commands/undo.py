"""`undo`: restore earlier versions of grants."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import (
    DryRunOption,
    JsonOption,
    RootOption,
    StampedFileArgument,
    WaitOption,
    WideningOption,
    make_integer_parser,
)
from cortex_policy.cli.output.printing import print_hints, print_json
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.grants_errors import format_root_option

if TYPE_CHECKING:
    from cortex_policy.manage.editing.results import WriteResult
    from cortex_policy.manage.history.undo import UndoResult


@add_quiet_option
def undo(
    grant_id: StampedFileArgument = None,
    root: RootOption = None,
    *,
    to: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="VERSION", parser=make_integer_parser(0), help="Bring all grants back to a version."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Undo a hand edit, or, if there is none, the last write.

    With GRANT it undoes only what was done to that grant. It restores the exact bytes, prints what the change means,
    and asks as `set` does. After a hand edit, it restores the text that was stamped. A grant that was added by hand is
    removed only if you name it. An undo is a write too: to redo the change, undo the undo. `--to` restores grants one
    by one, newest first; after an interruption, run the same command again. Writes that `log` does not list cannot be
    undone; the setting `history.keep` says how many are kept.

    $ cortex-policy undo
    $ cortex-policy undo git --dry-run
    $ cortex-policy undo --to 7 --allow-widening
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - no other command needs them
    from cortex_policy.manage.history import undo as history_undo  # noqa: PLC0415

    policy_root, request = find_inner_root(root), history_undo.UndoRequest(grant_id, to)
    if dry_run:
        result = history_undo.preview_undo(policy_root, request)
    else:
        consent = confirm.make_widening_prompt_for_policy_diff(allowed=allow_widening, json=json)
        result = history_undo.undo_writes(
            policy_root, request, consent, make_lock_wait_options_with_notice(wait_seconds)
        )
    if json:
        print_json(_result_to_json(result))
    else:
        _print_result(result, format_root_option(policy_root))
    if result.error is not None:
        raise typer.Exit(result.error.exit_code)


def _print_result(result: "UndoResult", option: str) -> None:
    from cortex_policy.cli.output.diff import print_diff  # noqa: PLC0415 - as above
    from cortex_policy.cli.output.write_result import print_escaped_text  # noqa: PLC0415 - as above

    if not result.steps:
        typer.echo(f"nothing to do: the grants are as at version {result.version} already")
    for step in result.steps:
        if step.is_written:
            typer.echo(escape_message_to_one_line(_step_text(step)))
        else:
            print_escaped_text(step.diff)
    if result.steps and not result.steps[0].is_written:
        print_diff(result.diff)
    if result.error is not None:
        typer.echo(
            escape_message_to_one_line(f"cortex-policy: the undo stopped before its end: {result.error.detail}"),
            err=True,
        )
        to = "" if result.is_of_hand_edits else f" --to {result.version}"
        print_hints([f"to continue, run `cortex-policy undo{to}{option}`"])


def _step_text(step: "WriteResult") -> str:
    from cortex_policy.cli.output.write_result import version_to_text  # noqa: PLC0415 - as above

    what = "removed" if step.change.status == "removed" else "brought back"
    return f"{what} `{step.change.name}`, {version_to_text(step.version)}"


def _result_to_json(result: "UndoResult") -> dict[str, object]:
    from cortex_policy.cli.output.diff import diff_to_json  # noqa: PLC0415 - as above
    from cortex_policy.manage.transaction.version_after_write import version_to_number_or_none  # noqa: PLC0415 - as above

    written = [step for step in result.steps if step.is_written]
    return {
        "changed": bool(written),
        "version": version_to_number_or_none(written[-1].version) if written else None,
        "to": result.version,
        "writes": [
            {"id": step.change.name, "version": version_to_number_or_none(step.version), "diff": step.diff}
            for step in result.steps
        ],
        "hand_edits": result.is_of_hand_edits,
        "problem": result.error.detail if result.error is not None else None,
    } | diff_to_json(result.diff, None)
