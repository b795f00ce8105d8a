"""A decision in words, for logs and for programs that show it to people.

It takes decisions as `Any`: core.model calls it, so it must not import core.model.
"""

from cortex_policy.core.text import escape_output
from cortex_policy.core.value_text import format_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def format_decision_report(decision: "Any") -> str:
    """Return a line for the answer, then one for each path, the budget, obligations and the approval; escaped."""
    return escape_output("\n".join(_report_lines(decision)))


def _report_lines(decision: "Any") -> "Iterator[str]":
    yield decision.message
    for path, scope in decision.paths:
        yield _path_line(path, scope)
    if decision.budget is not None:
        yield _budget_line(decision.budget)
    for obligation in decision.obligations:
        yield f"obligation: {obligation}"
    if decision.approval is not None:
        yield f"approval: request `{decision.approval.id}` is {decision.approval.status}"


def _path_line(path: "Any", scope: str | None) -> str:
    place = f" -> `{path.resolved}`" if path.resolved is not None and path.resolved != path.given else ""
    why = path.protected_reason or path.error or (f"in scope `{scope}`" if scope else "")
    return f"path `{path.given}` ({path.argument}){place}{why and f': {why}'}"


def _budget_line(budget: "Any") -> str:
    numbers = f"{format_value(budget.remaining)} of {format_value(budget.limit)}"
    line = f"budget: {numbers} left{' on this host alone' if budget.local else ''}"
    if budget.remaining or budget.retry_after_seconds is None:
        return line
    return f"{line}, a call fits in {budget.retry_after_seconds:.1f} seconds"
