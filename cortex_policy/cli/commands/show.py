"""`show`: show a grant, its file, its state, and what is left of its budgets."""

import json as json_text
from typing import Annotated

import typer

from cortex_policy.cli.options import JsonOption, RootOption
from cortex_policy.cli.output.table import budget_to_json, print_json, settings_error_to_json, stop_to_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import join_words, printable
from cortex_policy.manage.budgets import BudgetStatus, GrantBudgets, grant_budgets
from cortex_policy.manage.emergency_stop import active_stops
from cortex_policy.manage.settings_problems import settings_error


def show(
    grant_id: Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)],
    root: RootOption = None,
    *,
    at: Annotated[int | None, typer.Option("--at", metavar="VERSION", min=0, help="Its text at a version.")] = None,
    json: JsonOption = False,
) -> None:
    """Show a grant, its file, and what is left of its budgets.

    With `--at` it prints the text of the grant at a version of the stamp, byte for byte; `log` lists the versions.
    Broken settings and an emergency stop are printed first.

    $ cortex-policy show git
    $ cortex-policy show git --json
    $ cortex-policy show git --at 7 > git.json
    """
    found = find_inner_root(root)
    if at is not None:
        from cortex_policy.cli.commands.show_at import print_grant_at_version  # noqa: PLC0415 - `show` itself needs no history

        print_grant_at_version(found, grant_id, at, json=json)
        return
    seen = grant_budgets(found, grant_id)
    file = f"{found.tools}/{grant_id}.json"
    stops, unset = active_stops(found), settings_error(found.path)
    if json:
        stopped = stop_to_json(stops[0] if stops else None)
        members_of_it = _grant_to_json(seen, found.path, file)
        print_json({"settings": settings_error_to_json(unset), "stopped": stopped, **members_of_it})
        return
    first = [("stopped", stop.sentence) for stop in stops]
    if unset is not None:
        first = [("broken", f"{unset}; every check answers 27"), ("hint", unset.hint), *first]
    for name, value in [*filter(lambda line: line[1], first), *_lines(seen, file)]:
        typer.echo(printable(f"{name:<8}{value}"))


def _lines(seen: GrantBudgets, file: str) -> list[tuple[str, str]]:
    row, grant = seen.row, seen.row.grant
    lines = [("id", row.id), ("state", f"{row.state}: {row.problem}" if row.problem else row.state), ("file", file)]
    if row.hint:
        lines.append(("hint", row.hint))
    if grant is None:
        return lines
    lines += [
        ("tool", grant.tool),
        ("class", grant.data_class),
        ("scope", join_words(grant.fs_scope) or "any path"),
        ("args", json_text.dumps(grant.args) if grant.args else "none declared"),
        ("rate", f"{grant.rate.per_minute} a minute for each action"),
    ]
    hints = dict.fromkeys(one.hint for one in seen.budgets if one.hint and one.hint != row.hint)
    actions = [("action", f"{one.action}: {_budget_text(one)}") for one in seen.budgets]
    return [*lines, *actions, *(("hint", hint) for hint in hints)]


def _budget_text(one: BudgetStatus) -> str:
    budget = one.budget
    if budget is None:
        return f"budget unknown: {one.problem}"
    if budget.closed:
        return f"closed after damage, opens in {budget.retry_after_seconds:.1f} seconds"
    wait = f", next in {budget.retry_after_seconds:.1f} seconds" if budget.retry_after_seconds else ""
    return f"{budget.remaining} of {budget.limit} left{wait}"


def _grant_to_json(seen: GrantBudgets, root: str, file: str) -> dict[str, object]:
    row, grant = seen.row, seen.row.grant
    origin = grant.origin if grant is not None else None
    return {
        "id": row.id,
        "state": row.state,
        "problem": row.problem or None,
        "file": file,
        "sha256": origin.sha256 if origin is not None else None,
        "tool": grant.tool if grant is not None else None,
        "actions": list(grant.actions) if grant is not None else None,
        "args": grant.args if grant is not None else None,
        "data_class": grant.data_class if grant is not None else None,
        "scope": list(grant.fs_scope) if grant is not None else None,
        "per_minute": grant.rate.per_minute if grant is not None else None,
        "root": root,
        "budgets": {one.action: budget_to_json(one) for one in seen.budgets},
    }
