"""`remove`: remove a grant."""

from typing import Annotated

import typer

from cortex_policy.cli.options import GrantArgument, JsonOption, RootOption, WaitOption
from cortex_policy.cli.prompts import make_lock_wait
from cortex_policy.cli.roots import find_inner_root


def remove(
    grant_id: GrantArgument,
    root: RootOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Remove a grant, valid or not.

    It asks on a terminal; elsewhere it takes `--yes`.

    $ cortex-policy remove git
    $ cortex-policy remove git --yes --json
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - only writers need them
    from cortex_policy.cli.output import write_result  # noqa: PLC0415
    from cortex_policy.manage.editing import operations  # noqa: PLC0415

    consent = confirm.make_yes_no_prompt(f"remove `{grant_id}`?", yes=yes, json=json)
    result = operations.remove_grant(find_inner_root(root), grant_id, consent, make_lock_wait(wait_seconds))
    write_result.print_result(result, f"removed `{grant_id}`", json=json)
