"""`log`: list what was done to a root: by whom, when, and what it meant."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.common_options import JsonOption, NumberOption, RootOption, StampedFileArgument, TableOption
from cortex_policy.cli.output.printing import print_error_as_warning, print_json, print_table_or_tsv
from cortex_policy.cli.output.timeline import timeline_step_to_row, timeline_to_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.history.write_and_command_timeline import find_grants_of_step, read_timeline
from cortex_policy.state.policy_files import hint_at_grant_or_nothing

if TYPE_CHECKING:
    from cortex_policy.state import Root

COLUMNS = ("VERSION", "WHEN", "WHO", "WHAT", "MEANING")


def log(
    grant_id: StampedFileArgument = None,
    root: RootOption = None,
    *,
    number: NumberOption = None,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """List what operators did, newest first.

    Each line says who did what, when, and what changed. The list has the writes of grants, with their versions, and the
    commands `stop`, `resume`, `rate reset`, `rate purge` and `config set`, `unset` and `edit`. It has changes to your
    settings and to the system's settings; root also sees changes to the settings of the user who owns the grants. With
    GRANT, it has only what was done to that grant.

    On a terminal it prints a table, with local times. In a pipe it prints one line for each entry, separated by tabs,
    with times in UTC. The history keeps as many writes as the setting `history.keep` says, each for 90 days at most. A
    new write deletes what is older.

    $ cortex-policy log
    $ cortex-policy log git -n 5
    $ cortex-policy log --json
    """
    policy_root = find_inner_root(root)
    timeline = read_timeline(policy_root, grant_id)
    steps = timeline.steps[:number]
    if json:
        print_json(timeline_to_json(timeline, steps))
        return
    print_table_or_tsv(COLUMNS, [timeline_step_to_row(step, timeline.texts) for step in steps], output)
    for corrupt in timeline.corrupt_entries:
        typer.echo(escape_message_to_one_line(f"warning: `{corrupt.file}`: {corrupt.problem}"), err=True)
    print_error_as_warning(timeline.unsafe_error)
    if not steps:
        of = f" of `{grant_id}`" if grant_id is not None else ""
        why = "" if timeline.is_enabled else ": the setting `history.keep` is 0"
        typer.echo(escape_message_to_one_line(f"no write{of} is known{why}"), err=True)
    if grant_id is not None and not any(grant_id in find_grants_of_step(step) for step in timeline.steps):
        _print_hint_at_grant(policy_root, grant_id)


def _print_hint_at_grant(root: "Root", grant_id: str) -> None:
    """Print which grant may be meant by one of which nothing is known."""
    if hint := hint_at_grant_or_nothing(root, grant_id):
        typer.echo(escape_message_to_one_line(f"hint: {hint}"), err=True)
