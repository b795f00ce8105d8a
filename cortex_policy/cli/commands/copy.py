"""`copy`: create a grant with the bytes of another."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import (
    DryRunOption,
    GrantArgument,
    JsonOption,
    RootOption,
    WaitOption,
    WideningOption,
)
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root


@add_quiet_option
def copy(
    grant_id: GrantArgument,
    new_id: Annotated[str, typer.Argument(metavar="NEW", help="Id of the new grant.", show_default=False)],
    root: RootOption = None,
    *,
    dry_run: DryRunOption = False,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Copy a grant to a new id.

    Both grants belong to the same tool and share its budgets; `set NEW --tool NAME` gives the new grant budgets of its
    own. The command asks for confirmation, as `new` does. No grant is overwritten.

    $ cortex-policy copy git git-docs
    $ cortex-policy copy git git-docs --allow-widening
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - only writers need them
    from cortex_policy.cli.output import write_result  # noqa: PLC0415
    from cortex_policy.manage.editing import operations, plans  # noqa: PLC0415

    policy_root = find_inner_root(root)
    if dry_run:
        write_result.print_preview(policy_root, plans.preview_copy_grant(policy_root, grant_id, new_id), json=json)
        return
    consent = confirm.make_widening_prompt_for_grant_diff(allowed=allow_widening, json=json)
    result = operations.copy_grant(
        policy_root, grant_id, new_id, consent, make_lock_wait_options_with_notice(wait_seconds)
    )
    write_result.print_write_result(result, f"copied `{grant_id}` to `{new_id}`", json=json)
