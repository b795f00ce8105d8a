"""`new`: create a grant from options or from answers."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import (
    DryRunOption,
    JsonOption,
    RootOption,
    WaitOption,
    WideningOption,
    declare_value_option,
)
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.prompts import is_interactive, make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.model import UsageError

if TYPE_CHECKING:
    from cortex_policy.manage.editing.set_fields import GrantEdit


def _edit_of_options(
    *,
    tool: Annotated[
        str | None, declare_value_option("NAME", "Name of the tool that the budget belongs to; default: ID.")
    ] = None,
    allow: Annotated[list[str] | None, declare_value_option("ACTION", "Allow an action; repeatable.")] = None,
    rate: Annotated[int | None, declare_value_option("N", "Calls per minute allowed for each action.")] = None,
    scope: Annotated[
        list[str] | None, declare_value_option("P", "Allow only paths below P; repeatable. Default: all paths.")
    ] = None,
    data_class: Annotated[
        str | None, declare_value_option("C", "public, internal or sensitive; default: internal.")
    ] = None,
    arg: Annotated[list[str] | None, declare_value_option("NAME=TYPE", "Declare an argument; repeatable.")] = None,
) -> "GrantEdit":
    from cortex_policy.manage.editing.argument_words import parse_argument_declaration  # noqa: PLC0415 - only writers need it
    from cortex_policy.manage.editing.set_fields import GrantEdit  # noqa: PLC0415

    declared = tuple(map(parse_argument_declaration, arg or ()))
    return GrantEdit(rate, data_class, tool, tuple(allow or ()), add_scopes=tuple(scope or ()), declare=declared)


@add_quiet_option
@fill_first_argument_by_calling(_edit_of_options)
def new(
    edit: "GrantEdit",
    new_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the new grant.", show_default=False)],
    root: RootOption = None,
    *,
    dry_run: DryRunOption = False,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Create a grant.

    If `--allow` or `--rate` is missing, it asks on a terminal for all missing values. A new grant allows what was not
    allowed before, so the command asks for the word `widen`; without a terminal it needs `--allow-widening`. `--arg`
    works as in `cortex-policy set`. `cortex-policy-grant`(5) explains all that a grant may hold.

    $ cortex-policy new fs.write
    $ cortex-policy new git --allow tree --rate 30 --scope docs --allow-widening
    $ cortex-policy new git --allow tree --rate 30 --arg lines=integer --dry-run
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.commands import new_prompts  # noqa: PLC0415
    from cortex_policy.cli.output import write_result  # noqa: PLC0415
    from cortex_policy.manage.editing import grant_ids, operations, plans  # noqa: PLC0415
    from cortex_policy.manage.editing.new_grant import format_new_grant  # noqa: PLC0415

    grant_ids.check_new_id_syntax(new_id)
    format_new_grant(edit)  # what was said must fit before more is asked for
    policy_root = find_inner_root(root)
    is_interview = edit.per_minute is None or not edit.allow
    if is_interview:
        if not is_interactive() or json:
            raise UsageError("a new grant needs `--allow` and `--rate`", "see `cortex-policy new --help`")
        grant_ids.check_grant_absent(policy_root, new_id)
        edit = new_prompts.ask_missing_fields(new_id, edit)
    text = format_new_grant(edit, new_id)
    if dry_run:
        write_result.print_preview(policy_root, plans.preview_create_grant(policy_root, new_id, text), json=json)
        return
    consent = confirm.make_widening_prompt_for_grant_diff(allowed=allow_widening, json=json, again=is_interview)
    result = operations.create_grant(
        policy_root, new_id, text, consent, make_lock_wait_options_with_notice(wait_seconds)
    )
    write_result.print_write_result(result, f"made `{new_id}`", json=json)
