"""`list`: list the grants of a root."""

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, TableOption
from cortex_policy.cli.output.global_denials import print_global_denial_sentences
from cortex_policy.cli.output.printing import print_hints, print_json, print_table_or_tsv
from cortex_policy.cli.output.progress import track_progress
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.manage.listing import (
    GrantRow,
    find_stamp_read_error_or_none,
    grant_list_to_json,
    read_all_grant_rows,
)

COLUMNS = ("ID", "TOOL", "ACTIONS", "SCOPE", "RATE", "CLASS", "STATE")


def list_grants(root: RootOption = None, *, output: TableOption = None, json: JsonOption = False) -> None:
    """List the grants, and what is wrong with them.

    On a terminal it prints a table; in a pipe it prints one line per grant, separated by tabs. Problems go to stderr.
    If every check is denied, the reason comes first. Then comes what is wrong with each grant.

    $ cortex-policy list
    $ cortex-policy list | cut -f1
    $ cortex-policy list --json --root /srv/repo
    """
    policy_root = find_inner_root(root)
    denials = find_global_denials(policy_root)
    if not json:
        print_global_denial_sentences(denials)
    listed = read_all_grant_rows(policy_root, track_progress)
    if json:
        print_json(grant_list_to_json(denials, listed))
        return
    print_table_or_tsv(COLUMNS, [_grant_table_row(row) for row in listed], output)
    for row in listed:
        if row.problem:
            typer.echo(escape_message_to_one_line(f"{row.id}: {row.problem}"), err=True)
    broken = find_stamp_read_error_or_none(policy_root)
    if broken is not None:
        typer.echo(escape_message_to_one_line(f"stamp: {broken.detail}"), err=True)
    print_hints([*denials.hints, *(row.hint for row in listed), broken.hint if broken is not None else ""])
    if not listed:
        typer.echo(escape_message_to_one_line(f"there are no grants in {policy_root.tools_path}"), err=True)


def _grant_table_row(row: GrantRow) -> tuple[str, ...]:
    grant = row.grant
    if grant is None:
        return (row.id, "-", "-", "-", "-", "-", row.state)
    scope = ", ".join(grant.fs_scope) or "any path"
    rate = f"{grant.rate.per_minute}/min"
    return (row.id, grant.tool, ", ".join(grant.actions), scope, rate, grant.data_class, row.state)
