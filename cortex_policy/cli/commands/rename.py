"""`rename`: change the id of a grant."""

from typing import Annotated

import typer

from cortex_policy.cli.options import JsonOption, RootOption, WaitOption
from cortex_policy.cli.prompts import make_lock_wait
from cortex_policy.cli.roots import find_inner_root


def rename(
    grant_id: Annotated[str, typer.Argument(metavar="OLD", help="Id of the grant.", show_default=False)],
    new_id: Annotated[str, typer.Argument(metavar="NEW", help="Its new id.", show_default=False)],
    root: RootOption = None,
    *,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Change the id of a grant.

    Its bytes, its tool and the tool's budgets stay the same. No grant is overwritten.

    $ cortex-policy rename git git-map
    """
    from cortex_policy.cli.output import write_result  # noqa: PLC0415 - only writers need them
    from cortex_policy.manage.editing import operations  # noqa: PLC0415

    result = operations.rename_grant(find_inner_root(root), grant_id, new_id, make_lock_wait(wait_seconds))
    write_result.print_result(result, f"renamed `{grant_id}` to `{new_id}`", json=json)
