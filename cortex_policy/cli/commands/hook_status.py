"""`hook status`: which agents have a hook, and whether they run it."""

import os

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, TableOption
from cortex_policy.cli.output.printing import print_json, print_table_or_tsv
from cortex_policy.cli.roots import find_root_or_working_directory_path
from cortex_policy.core.text import escape_message_to_one_line

COLUMNS = ("AGENT", "LEVEL", "LINE", "ROOT", "FILE")


def status(root: RootOption = None, *, output: TableOption = None, json: JsonOption = False) -> None:
    """Show which agents have a hook, and whether they run it.

    It reads your settings, those of the root and those of this host, and runs nothing. A hook is current if `hook
    install` would write the same line today. There is a problem if the agent skips a hook, if a hook is not current, if
    a setting switches hooks off, or if the agent cannot read a file. The exit code is 1 if there is a problem.

    $ cortex-policy hook status
    $ cortex-policy hook status --json
    """
    from cortex_policy.cli.output.hooks import agent_status_to_json, agent_status_to_rows  # noqa: PLC0415 - no other command needs them
    from cortex_policy.manage.hooks.status import read_hook_status_of_each_agent  # noqa: PLC0415

    statuses = list(read_hook_status_of_each_agent(find_root_or_working_directory_path(root), os.environ))
    if json:
        print_json({"agents": [agent_status_to_json(one) for one in statuses]})
    else:
        print_table_or_tsv(COLUMNS, [row for one in statuses for row in agent_status_to_rows(one)], output)
        for one in statuses:
            for kind, sentence in [("problem", each) for each in one.problems] + [("note", each) for each in one.notes]:
                typer.echo(escape_message_to_one_line(f"{kind}: {sentence}"))
    if any(one.problems for one in statuses):
        raise typer.Exit(1)
