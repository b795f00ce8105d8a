"""`rate watch`: draw budgets on a terminal, print changes in a pipe."""

import shutil
from typing import TYPE_CHECKING

from cortex_policy.cli.acting_user import UserOption, run_as_user_or_exit
from cortex_policy.cli.common_options import JsonOption, OptionalGrantArgument, RootOption
from cortex_policy.cli.output import live
from cortex_policy.cli.output.budget_bars import format_budget_line, make_budget_bar_table
from cortex_policy.cli.output.budget_owner import format_budget_owner, print_budget_owners
from cortex_policy.cli.output.printing import budget_to_json, to_escaped_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.budget_owner import find_budget_owner_of_caller
from cortex_policy.manage.budgets import BudgetStatus, list_budgets
from cortex_policy.state import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Group

TITLE_HEIGHT = 2  # lines: it is folded on a narrow terminal


def watch(
    grant_id: OptionalGrantArgument = None,
    root: RootOption = None,
    *,
    user: UserOption = None,
    json: JsonOption = False,
) -> None:
    """Watch what is left of each budget.

    On a terminal it draws bars until you press `q`; in a pipe it prints a line for each change. Each user has budgets
    of their own.

    $ cortex-policy rate watch
    $ cortex-policy rate watch git --json
    $ sudo cortex-policy rate watch --user agent
    """
    policy_root = find_inner_root(root)
    if user is not None:
        live.preload_screen_modules()
    run_as_user_or_exit(user, lambda: _watch_budgets(policy_root, grant_id, json=json))


def _watch_budgets(root: Root, grant_id: str | None, *, json: bool) -> None:
    owner = find_budget_owner_of_caller()
    if live.can_redraw() and not json:
        live.redraw_until_quit(lambda height: _budget_screen(root, grant_id, format_budget_owner(owner), height))
        return
    if not json:
        print_budget_owners(owner, root)
    live.print_changes_until_closed(
        lambda: _budget_rows(root, grant_id, format_budget_line if not json else _budget_json)
    )


def _budget_rows(root: Root, grant_id: str | None, text_of: "Callable[[BudgetStatus], str]") -> "Iterator[live.Row]":
    for one in list_budgets(root, grant_id):
        # the state that shows a change leaves out the wait, which changes all the time
        yield (one.id, one.action), format_budget_line(one), text_of(one)


def _budget_json(one: BudgetStatus) -> str:
    return to_escaped_json(budget_to_json(one))


def _budget_screen(root: Root, grant_id: str | None, title: str, height: int) -> "Group":
    from rich.console import Group  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    budgets = list_budgets(root, grant_id)
    shown = budgets[: max(1, height - TITLE_HEIGHT)]
    more = len(budgets) - len(shown)
    last = f"q ends; {more} more, name a grant to see them" if more > 0 else "q ends"
    return Group(
        Text(escape_message_to_one_line(title)),
        make_budget_bar_table(shown, shutil.get_terminal_size().columns),
        Text(last, style="dim"),
    )
