"""`rate`: show what is left of the budgets, and reset them."""

import os
from typing import Annotated

import typer

from cortex_policy.cli.acting_user import UserOption, run_as_user_or_exit
from cortex_policy.cli.command_classes import CommandWithExamples, GroupWithExamples
from cortex_policy.cli.commands.rate_watch import watch
from cortex_policy.cli.common_options import (
    GrantArgument,
    JsonOption,
    OptionalGrantArgument,
    RootOption,
    TableFormat,
    TableOption,
    YesOption,
)
from cortex_policy.cli.output.budget_owner import budget_owner_to_json, print_budget_owners
from cortex_policy.cli.output.printing import (
    budget_to_json,
    print_hints,
    print_json,
    print_table_or_tsv,
    warn_if_command_not_logged,
)
from cortex_policy.cli.prompts import require_yes_answer
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun, join_words_that_fit
from cortex_policy.manage import budgets
from cortex_policy.manage.budget_owner import find_budget_owner_of_caller
from cortex_policy.manage.budgets import BudgetStatus
from cortex_policy.manage.other_budget_owners import find_other_budget_owners
from cortex_policy.state import Root
from cortex_policy.state.control_command_record import CommandRecorder, make_begun_command_record
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.users import format_user

rate_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)
COLUMNS = ("ID", "ACTION", "USED", "LIMIT", "LEFT", "NEXT", "STATE")


@rate_app.callback()
def rate_group() -> None:
    """Show, watch, reset or purge budgets.

    A budget belongs to a tool and an action; grants of one tool share it. Each hit counts for 60 seconds.
    """


@rate_app.command(cls=CommandWithExamples)
def show(
    grant_id: OptionalGrantArgument = None,
    root: RootOption = None,
    *,
    user: UserOption = None,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """Show what is left of each budget.

    The column NEXT says when a call is allowed again: now, or the seconds until then. Each user has budgets of their
    own, unless a server counts the budgets.

    $ cortex-policy rate show
    $ cortex-policy rate show git --json
    $ sudo cortex-policy rate show --user agent
    """
    policy_root = find_inner_root(root)
    run_as_user_or_exit(user, lambda: _print_budgets(policy_root, grant_id, output, json=json), json=json)


def _print_budgets(root: Root, grant_id: str | None, output: TableFormat | None, *, json: bool) -> None:
    owner = find_budget_owner_of_caller()
    statuses = budgets.list_budgets(root, grant_id)
    if json:
        members = {
            "root": root.path,
            **budget_owner_to_json(owner),
            "other_users": [budget_owner_to_json(one) for one in find_other_budget_owners(root).owners],
        }
        print_json({**members, "budgets": [budget_to_json(one) for one in statuses]})
    else:
        print_budget_owners(owner, root)
        print_table_or_tsv(COLUMNS, [_budget_row(one) for one in statuses], output)
        print_hints(one.hint for one in statuses)
        if not statuses:
            typer.echo(
                escape_message_to_one_line(f"there are no grants in {root.tools_path}, and so no budgets"), err=True
            )


def _budget_row(one: BudgetStatus) -> tuple[str, ...]:
    budget = one.budget
    if budget is None:
        return (one.id, one.action or "-", "-", "-", "-", "-", one.problem)
    wait = f"{budget.retry_after_seconds:.1f}s" if budget.retry_after_seconds else "now"
    return (
        one.id, one.action, str(budget.used), str(budget.limit), str(budget.remaining), wait, one.problem or "ok",
    )  # fmt: skip


rate_app.command("watch", cls=CommandWithExamples)(watch)


@rate_app.command(cls=CommandWithExamples)
@add_quiet_option
def reset(
    grant_id: GrantArgument,
    action: Annotated[
        str | None, typer.Argument(metavar="ACTION", help="One action; default: all.", show_default=False)
    ] = None,
    root: RootOption = None,
    *,
    user: UserOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Reset the budgets of a grant: its counted calls are forgotten.

    If a server counts the calls, they are forgotten for all hosts. On a terminal the command asks; without a terminal
    it needs `--yes`.

    $ cortex-policy rate reset git
    $ cortex-policy rate reset git tree --yes
    $ sudo cortex-policy rate reset git --user agent
    """
    policy_root = find_named_or_only_root(root)
    record = make_begun_command_record(
        "rate reset", f"{grant_id} {action or ''}".rstrip(), _whose_budgets(user), grant_id=grant_id
    )
    found: list[bool] = []  # stays empty if a child acts as another user
    with CommandRecorder(record, policy_root.path) as recorder:
        run_as_user_or_exit(
            user,
            lambda: found.append(_reset_own_budgets(policy_root, grant_id, action, yes=yes, json=json)),
            changes=True,
            json=json,
        )
        if found == [False]:
            recorder.discard()
    warn_if_command_not_logged("rate reset", recorder.problem)


def _reset_own_budgets(root: Root, grant_id: str, action: str | None, *, yes: bool, json: bool) -> bool:
    """Reset budgets of the caller, and print which; return whether any hit was counted."""
    owner, actions = find_budget_owner_of_caller(), budgets.list_given_action_or_all(root, grant_id, action)
    if not json:
        print_budget_owners(owner, root)
    whose = f", of {owner.user_or_hosts_label}" if owner.shared is not None else ""
    require_yes_answer(f"forget the hits of {grant_id} {join_words_that_fit(actions)}{whose}?", yes=yes)
    done = budgets.reset_budgets(root, grant_id, action)
    if json:
        print_json({**budget_owner_to_json(owner), "reset": list(done)})
    elif done:
        typer.echo(escape_message_to_one_line(f"reset for {owner.user_or_hosts_label}: {join_words_that_fit(done)}"))
    else:
        typer.echo(escape_message_to_one_line(f"nothing to do: no hits of {owner.user_or_hosts_label} were counted"))
    return bool(done)


def _whose_budgets(name: str | None) -> str:
    return f"the budgets of {name or format_user(os.geteuid())}"


@rate_app.command("purge", cls=CommandWithExamples)
@add_quiet_option
def purge_all_rate_state(
    root: RootOption = None, *, user: UserOption = None, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Delete all rate state of this root: all its budgets are full again.

    Budgets that a server counts stay as they are. The command also removes unexpected files from the rate state,
    because such files make every check exit with 24. On a terminal it asks; without a terminal it needs `--yes`.

    $ cortex-policy rate purge --yes
    """
    policy_root = find_named_or_only_root(root)
    with CommandRecorder(
        make_begun_command_record("rate purge", "", _whose_budgets(user)), policy_root.path
    ) as recorder:
        run_as_user_or_exit(user, lambda: _purge_own_state(policy_root, yes=yes, json=json), changes=True, json=json)
    warn_if_command_not_logged("rate purge", recorder.problem)


def _purge_own_state(root: Root, *, yes: bool, json: bool) -> None:
    owner = find_budget_owner_of_caller()
    if not json:
        print_budget_owners(owner, root)
    require_yes_answer(f"drop all rate state of {root.path}?", yes=yes)
    removed = budgets.remove_local_rate_state_of_root(root)
    if json:
        print_json({**budget_owner_to_json(owner), "removed": removed})
    else:
        typer.echo(escape_message_to_one_line(f"removed {format_count_with_noun(removed, 'file')} of {owner.label}"))
        if owner.shared is not None:
            note = (
                f"note: budgets on {owner.shared.server} are as before; reset them with `cortex-policy rate reset ID`"
            )
            typer.echo(escape_message_to_one_line(note), err=True)
