"""Budgets as bars, for screens that are drawn again and again."""

from typing import TYPE_CHECKING

from cortex_policy.cli.output.fitted_table import GAP, MIN_LAST, make_fitted_table, measure_column_width
from cortex_policy.core.text import escape_message_to_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from cortex_policy.manage.budgets import BudgetStatus

MIN_BAR, MAX_BAR = 5, 30  # cells
COLUMNS = ("ID", "ACTION", "USED", "", "NEXT")


def make_budget_bar_table(budgets: "Sequence[BudgetStatus]", width: int) -> "Table":
    """Return a table of budgets with a bar each, which is shorter on a narrow terminal."""
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    rows = [[Text(escape_message_to_one_line(cell)) for cell in _budget_cells(one)] for one in budgets]
    taken = sum(measure_column_width(COLUMNS, rows, number) + 2 * GAP for number in range(3)) + 2 * GAP
    length = max(MIN_BAR, min(MAX_BAR, width - taken - MIN_LAST))
    for row, one in zip(rows, budgets, strict=True):
        row[3] = _bar_of_budget(one, length)
    return make_fitted_table(COLUMNS, rows, width)


def format_budget_line(one: "BudgetStatus") -> str:
    """Return a budget as one line; it does not change while nothing is counted."""
    budget = one.budget
    if budget is None:
        return escape_message_to_one_line(f"{one.id} {one.action or '-'}: {one.problem}")
    return escape_message_to_one_line(
        f"{one.id} {one.action}: {budget.used} of {budget.limit} used{one.problem and f', {one.problem}'}"
    )


def _budget_cells(one: "BudgetStatus") -> tuple[str, ...]:
    budget = one.budget
    used = f"{budget.used}/{budget.limit}" if budget is not None else "-"
    wait = budget.retry_after_seconds if budget is not None else None
    return one.id, one.action or "-", used, "", one.problem or (f"{wait:.1f}s" if wait else "now")


def _bar_of_budget(one: "BudgetStatus", length: int) -> "Text":
    from rich.text import Text  # noqa: PLC0415 - as above

    budget = one.budget
    if budget is None:
        return Text("?" * length, style="yellow")
    full = -(-length * min(budget.used, budget.limit) // budget.limit)
    return Text("#" * full + "." * (length - full), style="red" if budget.retry_after_seconds else "green")
