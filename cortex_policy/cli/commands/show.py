"""`show`: show a grant, its file, its state, and what is left of its budgets."""

import json as format_json
from typing import Annotated

import typer

from cortex_policy.cli.common_options import GrantArgument, JsonOption, RootOption, make_integer_parser
from cortex_policy.cli.output.budget_owner import budget_owner_to_json, format_budget_owner
from cortex_policy.cli.output.printing import budget_to_json, grant_to_json, print_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line, join_words_that_fit
from cortex_policy.manage.budget_owner import BudgetOwner
from cortex_policy.manage.budgets import BudgetStatus, GrantWithBudgets, read_budgets_of_grant
from cortex_policy.manage.global_denials import (
    GlobalDenials,
    find_global_denials,
    format_global_denial,
    global_denials_to_json_members,
)
from cortex_policy.state.local_times import localize_times_if_terminal


def show(
    grant_id: GrantArgument,
    root: RootOption = None,
    *,
    at: Annotated[
        int | None,
        typer.Option(
            "--at",
            metavar="VERSION",
            parser=make_integer_parser(0),
            help="Print the text of the grant at this version.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a grant, its file, and what is left of its budgets.

    With `--at` it prints the text of the grant at a version of the stamp, byte for byte; `log` lists the versions.
    If every check is denied, the reason comes first.

    $ cortex-policy show git
    $ cortex-policy show git --json
    $ cortex-policy show git --at 7 > git.json
    """
    policy_root = find_inner_root(root)
    if at is not None:
        from cortex_policy.cli.commands.show_at import print_grant_at_version  # noqa: PLC0415 - `show` itself needs no history

        print_grant_at_version(policy_root, grant_id, at, json=json)
        return
    seen = read_budgets_of_grant(policy_root, grant_id)
    file = f"{policy_root.tools_path}/{grant_id}.json"
    denials = find_global_denials(policy_root)
    if json:
        print_json({**global_denials_to_json_members(denials), **_shown_to_json(seen, policy_root.path, file)})
        return
    for name, value in [*_denial_rows(denials), *_grant_rows(seen, file)]:
        typer.echo(escape_message_to_one_line(f"{name:<8}{value}"))


def _denial_rows(denials: GlobalDenials) -> list[tuple[str, str]]:
    lines = [
        line for error in denials.errors for line in (("broken", format_global_denial(error)), ("hint", error.hint))
    ]
    return [
        *(("stopped", localize_times_if_terminal(stop.sentence)) for stop in denials.stops),
        *filter(lambda line: line[1], lines),
    ]


def _grant_rows(seen: GrantWithBudgets, file: str) -> list[tuple[str, str]]:
    row, grant = seen.row, seen.row.grant
    lines = [("id", row.id), ("state", f"{row.state}: {row.problem}" if row.problem else row.state), ("file", file)]
    if row.hint:
        lines.append(("hint", row.hint))
    if grant is None:
        return lines
    lines += [
        ("tool", grant.tool),
        ("class", grant.data_class),
        ("scope", join_words_that_fit(grant.fs_scope) or "any path"),
        ("args", format_json.dumps(grant.args) if grant.args else "none declared"),
        ("rate", f"{grant.rate.per_minute} a minute for each action"),
    ]
    hints = dict.fromkeys(one.hint for one in seen.budgets if one.hint and one.hint != row.hint)
    actions = [("action", f"{one.action}: {_budget_text(one)}") for one in seen.budgets]
    owner = [("budgets", format_budget_owner(seen.owner).removeprefix("budgets "))] if seen.owner is not None else []
    return [*lines, *owner, *actions, *(("hint", hint) for hint in hints)]


def _budget_text(one: BudgetStatus) -> str:
    budget = one.budget
    if budget is None:
        return f"budget unknown: {one.problem}"
    if budget.closed:
        return f"closed after damage, opens in {budget.retry_after_seconds:.1f} seconds"
    wait = f", next in {budget.retry_after_seconds:.1f} seconds" if budget.retry_after_seconds else ""
    return f"{budget.remaining} of {budget.limit} left{wait}"


def _shown_to_json(seen: GrantWithBudgets, root: str, file: str) -> dict[str, object]:
    row, grant = seen.row, seen.row.grant
    origin = grant.origin if grant is not None else None
    return {
        "id": row.id,
        "state": row.state,
        "problem": row.problem or None,
        "file": file,
        "sha256": origin.sha256 if origin is not None else None,
        **grant_to_json(grant),
        "root": root,
        **_owner_to_json(seen.owner),
        "budgets": {one.action: budget_to_json(one) for one in seen.budgets},
    }


def _owner_to_json(owner: BudgetOwner | None) -> dict[str, object]:
    return budget_owner_to_json(owner) if owner is not None else {"uid": None, "user": None, "state_dir": None}
