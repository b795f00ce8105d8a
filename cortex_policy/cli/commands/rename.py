"""`rename`: change the id of a grant."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import DryRunOption, JsonOption, RootOption, WaitOption
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root


@add_quiet_option
def rename(
    grant_id: Annotated[str, typer.Argument(metavar="OLD", help="Id of the grant.", show_default=False)],
    new_id: Annotated[str, typer.Argument(metavar="NEW", help="The new id.", show_default=False)],
    root: RootOption = None,
    *,
    dry_run: DryRunOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Change the id of a grant.

    Its bytes, its tool and the tool's budgets stay the same. No grant is overwritten.

    $ cortex-policy rename git git-map
    """
    from cortex_policy.cli.output import write_result  # noqa: PLC0415 - only writers need them
    from cortex_policy.manage.editing import operations, plans  # noqa: PLC0415

    policy_root = find_inner_root(root)
    if dry_run:
        planned = plans.preview_rename_grant(policy_root, grant_id, new_id)
        if json:
            write_result.print_write_result(planned, "", json=True)
        else:
            typer.echo(f"`{grant_id}` would be renamed to `{new_id}`")
        return
    result = operations.rename_grant(policy_root, grant_id, new_id, make_lock_wait_options_with_notice(wait_seconds))
    write_result.print_write_result(result, f"renamed `{grant_id}` to `{new_id}`", json=json)
