"""`status --watch`: draw a live status on a terminal, print changes in a pipe."""

import shutil
from typing import TYPE_CHECKING

from cortex_policy.cli.output import live
from cortex_policy.cli.output.approvals import request_to_json
from cortex_policy.cli.output.audit import format_call_cells
from cortex_policy.cli.output.budget_bars import format_budget_line
from cortex_policy.cli.output.printing import budget_to_json, to_escaped_json
from cortex_policy.cli.output.status_watch import make_status_screen
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.global_denials import global_denials_to_json_members
from cortex_policy.manage.live_status import read_live_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.live_status import LiveStatus
    from cortex_policy.state import Root

    # the kind and key of a row, the cells whose change is a change of the row, and what JSON says of it
    Change = tuple[str, tuple[object, ...], tuple[str, ...], dict[str, object]]


def watch_status(root: "Root", *, json: bool) -> None:
    """Show the status of a root, live, until it is ended."""
    if live.can_redraw() and not json:
        live.redraw_until_quit(
            lambda height: make_status_screen(read_live_status(root), shutil.get_terminal_size().columns, height)
        )
        return
    text_of = _change_json_line if json else _change_line
    live.print_changes_until_closed(lambda: _change_rows(read_live_status(root), text_of))


def _change_rows(live_status: "LiveStatus", text_of: "Callable[[Change], str]") -> "Iterator[live.Row]":
    for change in _status_changes(live_status):
        kind, key, cells, _ = change
        yield (kind, *key), repr(cells), text_of(change)


def _status_changes(live_status: "LiveStatus") -> "Iterator[Change]":
    status = live_status.status
    sentences = status.denials.sentences or ([status.unusable.detail] if status.unusable is not None else [])
    members = {"status": "denied" if status.is_denied else "ok", **global_denials_to_json_members(status.denials)}
    yield "checks", (), tuple(sentences) or ("can be allowed",), members
    for budget in live_status.budgets:
        yield "budget", (budget.id, budget.action), (format_budget_line(budget),), budget_to_json(budget)
    for request in status.requests:
        cells = (request.id, request.grant, request.action, request.args)
        yield "approval", (request.id,), cells, request_to_json(request)
    for at, data in live_status.calls:
        call = {**data, "reason": str(data["reason"])}
        yield "call", (at, data["grant"], data["action"]), tuple(format_call_cells((at, data))), call


def _change_line(change: "Change") -> str:
    kind, _, cells, _ = change
    return "\t".join(map(escape_message_to_one_line, (kind, *cells)))


def _change_json_line(change: "Change") -> str:
    kind, _, _, members = change
    return to_escaped_json({"kind": kind, **members})
