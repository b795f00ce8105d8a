"""`set`: change a grant in one write."""

from typing import TYPE_CHECKING, Annotated

from cortex_policy.cli.common_options import (
    DryRunOption,
    GrantArgument,
    JsonOption,
    RootOption,
    WaitOption,
    WideningOption,
    declare_value_option,
)
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.model import UsageError

if TYPE_CHECKING:
    from cortex_policy.manage.editing.set_fields import GrantEdit


def _edit_of_options(  # noqa: PLR0913 - one parameter for each field
    *,
    rate: Annotated[int | None, declare_value_option("N", "Calls per minute allowed for each action.")] = None,
    data_class: Annotated[str | None, declare_value_option("C", "public, internal or sensitive.")] = None,
    allow: Annotated[list[str] | None, declare_value_option("ACTION", "Allow an action; repeatable.")] = None,
    revoke: Annotated[list[str] | None, declare_value_option("ACTION", "Remove an allowed action; repeatable.")] = None,
    add_scope: Annotated[list[str] | None, declare_value_option("P", "Allow paths below P; repeatable.")] = None,
    remove_scope: Annotated[list[str] | None, declare_value_option("P", "Remove a scope; repeatable.")] = None,
    arg: Annotated[
        list[str] | None, declare_value_option("NAME=TYPE", "Declare an argument, or declare it again; repeatable.")
    ] = None,
    drop_arg: Annotated[
        list[str] | None, declare_value_option("NAME", "Remove the declaration of an argument; repeatable.")
    ] = None,
    tool: Annotated[str | None, declare_value_option("NAME", "Name of the tool that the budget belongs to.")] = None,
) -> "GrantEdit":
    from cortex_policy.manage.editing.argument_words import parse_argument_declaration  # noqa: PLC0415 - only writers need it
    from cortex_policy.manage.editing.set_fields import GrantEdit  # noqa: PLC0415

    return GrantEdit(
        per_minute=rate,
        data_class=data_class,
        allow=tuple(allow or ()),
        revoke=tuple(revoke or ()),
        add_scopes=tuple(add_scope or ()),
        remove_scopes=tuple(remove_scope or ()),
        declare=tuple(map(parse_argument_declaration, arg or ())),
        drop_args=tuple(drop_arg or ()),
        tool=tool,
    )


@add_quiet_option
@fill_first_argument_by_calling(_edit_of_options)
def set_grant(
    edit: "GrantEdit",
    grant_id: GrantArgument,
    root: RootOption = None,
    *,
    dry_run: DryRunOption = False,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    r"""Change a grant in one write.

    Only the named fields change, and no other byte. The command prints what the change means. If the change may allow
    more than before, the command asks on a terminal for the word `widen`; without a terminal it needs
    `--allow-widening`. A grant without scopes allows every path. So if you remove the last scope, the grant allows
    more.

    `--arg` takes NAME=TYPE,KEYWORD=VALUE: a name, a type and any number of keywords. It also takes a declaration as
    JSON: NAME={JSON}. The types are string, number, integer, boolean, array, object and null; `cortex-policy-grant`(5)
    lists the keywords. Separate types, and the values of `enum`, by `|`. `items` takes the type of the items, and
    `items.KEYWORD` takes the value of a keyword of the items. Write a comma in a value as `\,`. To declare an argument
    counts as widening, because the setting `undeclared_args` may have denied calls with this argument.

    $ cortex-policy set git --rate 60 --dry-run
    $ cortex-policy set git --allow push --allow-widening
    $ cortex-policy set git --revoke search --add-scope src --remove-scope docs
    $ cortex-policy set git --arg lines=integer,minimum=1,maximum=80
    $ cortex-policy set git --arg target=string,format=path --drop-arg note
    $ cortex-policy set git --arg 'ref=string,pattern=^[a-z]{1\,20}$'
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output import write_result  # noqa: PLC0415
    from cortex_policy.manage.editing import operations, plans  # noqa: PLC0415
    from cortex_policy.manage.editing.set_fields import GrantEdit  # noqa: PLC0415

    if edit == GrantEdit():
        raise UsageError("nothing to set is named", "name a field, such as `--rate 60`; see `cortex-policy set --help`")
    policy_root = find_inner_root(root)
    if dry_run:
        write_result.print_preview(policy_root, plans.preview_edit_grant(policy_root, grant_id, edit), json=json)
        return
    consent = confirm.make_widening_prompt_for_grant_diff(allowed=allow_widening, json=json, root=policy_root)
    result = operations.edit_grant(
        policy_root, grant_id, edit, consent, make_lock_wait_options_with_notice(wait_seconds)
    )
    sentence = f"saved `{grant_id}`" if result.is_written else f"`{grant_id}` has these values already"
    write_result.print_write_result(result, sentence, json=json, root=policy_root)
