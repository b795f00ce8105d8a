"""`status`: show on one screen whether checks can be allowed, and what decides it."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption
from cortex_policy.cli.roots import find_inner_root


def status(
    root: RootOption = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep showing budgets, the last calls and what waits for a human.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show whether checks can be allowed, and what decides that.

    It shows the root, which settings are set and where, whose budgets are counted and where, an emergency stop, the
    stamp, the audit log, and the calls that wait for a human. If every check is denied, it says why, and the exit code
    is 1. It writes nothing. With `--watch` it draws budgets, the last calls and waiting calls on a terminal until you
    press `q`; in a pipe it prints a line for each change.

    $ cortex-policy status
    $ cortex-policy status --json --root /srv/repo
    $ cortex-policy status --watch
    """
    policy_root = find_inner_root(root)
    if watch:
        from cortex_policy.cli.commands.status_watch import watch_status  # noqa: PLC0415 - only with the option

        watch_status(policy_root, json=json)
        return
    from cortex_policy.cli.output.printing import print_json  # noqa: PLC0415 - as above
    from cortex_policy.cli.output.status import print_root_status, root_status_to_json  # noqa: PLC0415
    from cortex_policy.manage.status import read_status  # noqa: PLC0415

    found = read_status(policy_root)
    if json:
        print_json(root_status_to_json(found))
    else:
        print_root_status(found)
    if found.is_denied:
        raise typer.Exit(1)
