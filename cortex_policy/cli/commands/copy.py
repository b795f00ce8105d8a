"""`copy`: create a grant with the bytes of another."""

from typing import Annotated

import typer

from cortex_policy.cli.options import GrantArgument, JsonOption, RootOption, WaitOption, WideningOption
from cortex_policy.cli.prompts import make_lock_wait
from cortex_policy.cli.roots import find_inner_root


def copy(
    grant_id: GrantArgument,
    new_id: Annotated[str, typer.Argument(metavar="NEW", help="Id of the new one.", show_default=False)],
    root: RootOption = None,
    *,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Create a grant with the bytes of another.

    Both are grants of the same tool and share its budgets; `set NEW --tool NAME` separates them. It asks for
    confirmation as `new` does. No grant is overwritten.

    $ cortex-policy copy git git-docs
    $ cortex-policy copy git git-docs --allow-widening
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - only writers need them
    from cortex_policy.cli.output import write_result  # noqa: PLC0415
    from cortex_policy.manage.editing import operations  # noqa: PLC0415

    consent = confirm.make_widening_prompt(allowed=allow_widening, json=json)
    result = operations.copy_grant(find_inner_root(root), grant_id, new_id, consent, make_lock_wait(wait_seconds))
    write_result.print_result(result, f"copied `{grant_id}` to `{new_id}`", json=json)
