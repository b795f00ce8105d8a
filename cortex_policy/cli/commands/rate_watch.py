"""`rate watch`: draw budgets on a terminal, print changes in a pipe."""

from typing import TYPE_CHECKING

from cortex_policy.cli.acting_user import UserOption, run_as_user
from cortex_policy.cli.options import JsonOption, OptionalGrantArgument, RootOption
from cortex_policy.cli.output import live
from cortex_policy.cli.output.budget_owner import owner_sentence, print_owner
from cortex_policy.cli.output.printing import budget_to_json, escaped_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import printable
from cortex_policy.manage.budget_owner import current_owner
from cortex_policy.manage.budgets import BudgetStatus, list_budgets
from cortex_policy.state import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

BAR_WIDTH = 30  # cells
TITLE_HEIGHT = 2  # lines: it is folded on a narrow terminal


def watch(
    grant_id: OptionalGrantArgument = None,
    root: RootOption = None,
    *,
    user: UserOption = None,
    json: JsonOption = False,
) -> None:
    """Watch what is left of each budget.

    On a terminal it draws bars until `q`; in a pipe it prints a line for each change. Each user has budgets of their
    own.

    $ cortex-policy rate watch
    $ cortex-policy rate watch git --json
    $ sudo cortex-policy rate watch --user agent
    """
    policy_root = find_inner_root(root)
    if user is not None:
        live.load_screen()
    run_as_user(user, lambda: _watch(policy_root, grant_id, json=json))


def _watch(root: Root, grant_id: str | None, *, json: bool) -> None:
    owner = current_owner()
    if live.can_redraw() and not json:
        live.redraw_until_quit(lambda height: _screen(root, grant_id, owner_sentence(owner), height))
        return
    if not json:
        print_owner(owner, root)
    live.print_changes_until_closed(lambda: _rows(root, grant_id, _line if not json else _json_line))


def _rows(root: Root, grant_id: str | None, text_of: "Callable[[BudgetStatus], str]") -> "Iterator[live.Row]":
    for one in list_budgets(root, grant_id):
        # the state that shows a change leaves out the wait, which changes all the time
        yield (one.id, one.action), _line(one), text_of(one)


def _line(one: BudgetStatus) -> str:
    budget = one.budget
    if budget is None:
        return printable(f"{one.id} {one.action or '-'}: {one.problem}")
    return printable(f"{one.id} {one.action}: {budget.used} of {budget.limit} used{one.problem and f', {one.problem}'}")


def _json_line(one: BudgetStatus) -> str:
    return escaped_json(budget_to_json(one))


def _screen(root: Root, grant_id: str | None, title: str, height: int) -> "Group":
    from rich.console import Group  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    return Group(Text(printable(title)), _table(list_budgets(root, grant_id), height - TITLE_HEIGHT))


def _table(rows: tuple[BudgetStatus, ...], height: int) -> "Table":
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    more = len(rows) - height
    caption = f"q ends; {more} more, name a grant to see them" if more > 0 else "q ends"
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    for column in ("ID", "ACTION", "USED", "", "NEXT"):
        table.add_column(column, no_wrap=True)
    for one in rows[:height]:
        budget = one.budget
        used = f"{budget.used}/{budget.limit}" if budget is not None else "-"
        wait = budget.retry_after_seconds if budget is not None else None
        next_free = one.problem or (f"{wait:.1f}s" if wait else "now")
        table.add_row(
            *map(Text, map(printable, (one.id, one.action or "-", used))), _bar(one), Text(printable(next_free))
        )
    return table


def _bar(one: BudgetStatus) -> "Text":
    from rich.text import Text  # noqa: PLC0415

    budget = one.budget
    if budget is None:
        return Text("?" * BAR_WIDTH, style="yellow")
    full = -(-BAR_WIDTH * min(budget.used, budget.limit) // budget.limit)
    return Text("#" * full + "." * (BAR_WIDTH - full), style="red" if budget.retry_after_seconds else "green")
