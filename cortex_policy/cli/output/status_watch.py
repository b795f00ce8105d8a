"""The screen of `status --watch`: whether checks can be allowed, budgets, the last calls, and the calls that wait."""

from datetime import datetime
from typing import TYPE_CHECKING

from cortex_policy.cli.output.approvals import find_requester_name
from cortex_policy.cli.output.audit import format_call_cells
from cortex_policy.cli.output.budget_bars import make_budget_bar_table
from cortex_policy.cli.output.budget_owner import format_budget_owner
from cortex_policy.cli.output.fitted_table import make_fitted_table
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.local_times import localize_times_if_terminal

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.text import Text

    from cortex_policy.manage.approvals import RequestDetails
    from cortex_policy.manage.audit.reader import Event
    from cortex_policy.manage.budgets import BudgetStatus
    from cortex_policy.manage.live_status import LiveStatus

CALL_COLUMNS = ("TIME", "", "GRANT", "ACTION", "REASON", "ARGUMENTS")
REQUEST_COLUMNS = ("ID", "LEFT", "CALL", "BY", "ARGUMENTS")
FIXED_LINES = 8  # three titles, the heads of three tables, the root, and the last line


def make_status_screen(live_status: "LiveStatus", width: int, height: int) -> "Group":
    """Return the screen; what waits for a human has its place first, then the last calls, then budgets."""
    from rich.console import Group  # noqa: PLC0415 - only a terminal needs it

    head = _head_texts(live_status)
    left = max(3, height - FIXED_LINES - len(head))
    requests = live_status.status.requests[: max(1, left // 4)]
    left -= len(requests)
    calls = live_status.calls[-max(1, left - min(len(live_status.budgets), left // 2)) :]
    budgets = sorted(live_status.budgets, key=_remaining_share)[: max(1, left - len(calls))]
    return Group(
        *head,
        *_budget_part(live_status, budgets, width),
        *_call_part(live_status, calls, width),
        *_request_part(live_status, requests, width),
        _styled_text("q ends", "dim"),
    )


def _remaining_share(one: "BudgetStatus") -> float:
    """Return what is left of a budget, so that the emptiest comes first; unknown ones come before all."""
    return -1.0 if one.budget is None else one.budget.remaining / one.budget.limit


def _head_texts(live_status: "LiveStatus") -> "list[Text]":
    status = live_status.status
    sentences = status.denials.sentences or ([status.unusable.detail] if status.unusable is not None else [])
    # the state first, so that a long path does not fold it
    state = "checks are denied" if sentences else "checks can be allowed"
    first = _styled_text(f"{state} in {status.root.path}", "bold red" if sentences else "bold")
    return [first, *(_styled_text(localize_times_if_terminal(sentence), "red") for sentence in sentences)]


def _budget_part(live_status: "LiveStatus", shown: "list[BudgetStatus]", width: int) -> "list[RenderableType]":
    owner, more = live_status.status.owner, len(live_status.budgets) - len(shown)
    title = format_budget_owner(owner) if owner is not None else "budgets: unknown, as the settings are invalid"
    return [
        _section_title(title, more, "cortex-policy rate watch"),
        *([make_budget_bar_table(shown, width)] if shown else []),
    ]


def _call_part(live_status: "LiveStatus", shown: "tuple[Event, ...]", width: int) -> "list[RenderableType]":
    if live_status.calls_problem:
        return [_section_title(f"last calls: {live_status.calls_problem}")]
    if not shown:
        return [_section_title("last calls: none is logged")]
    return [
        _section_title("last calls"),
        make_fitted_table(CALL_COLUMNS, [_call_row(event) for event in reversed(shown)], width),
    ]


def _call_row(event: "Event") -> "list[Text]":
    at, data = event
    _, *cells = format_call_cells(event)
    shown = [_styled_text(cell) for cell in (datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S"), *cells)]
    shown[1].stylize("green" if data["decision"] else "red")
    return shown


def _request_part(live_status: "LiveStatus", shown: "tuple[RequestDetails, ...]", width: int) -> "list[RenderableType]":
    waiting, error = live_status.status.requests, live_status.status.requests_error
    if error is not None:
        return [_section_title(f"approvals cannot be read: {error.detail}")]
    if not waiting:
        return [_section_title("no call waits for a human")]
    title = _section_title(
        "waiting for a human, until `cortex-policy approve ID`", len(waiting) - len(shown), "cortex-policy approvals"
    )
    return [title, make_fitted_table(REQUEST_COLUMNS, [_request_row(one) for one in shown], width)]


def _request_row(one: "RequestDetails") -> "list[Text]":
    left, call = f"{one.expires_in_seconds or 0:.0f}s", f"{one.grant} {one.action}".strip()
    return [_styled_text(cell) for cell in (one.id, left, call, find_requester_name(one), one.args)]


def _section_title(text: str, more: int = 0, command: str = "") -> "Text":
    return _styled_text(f"{text}; {more} more: `{command}`" if more > 0 else text, "bold")


def _styled_text(text: str, style: str = "") -> "Text":
    from rich.text import Text  # noqa: PLC0415 - as above

    return Text(escape_message_to_one_line(text), style=style)
