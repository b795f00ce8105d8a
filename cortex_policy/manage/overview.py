"""What operators see of a root at a glance, in a bounded time: however many grants, budgets and calls there are."""

import os

from cortex_policy.core import Value
from cortex_policy.core.model import WAITING, CortexPolicyError, GrantError, Settings, StateError
from cortex_policy.manage.approvals import RequestDetails, list_waiting_and_answered_requests
from cortex_policy.manage.budget_owner import BudgetOwner
from cortex_policy.manage.budgets import GrantWithBudgets, read_budgets_of_grants
from cortex_policy.manage.denied_calls_with_remedies import DeniedCalls, Remedies, group_denied_calls_with_remedies
from cortex_policy.manage.global_denials import GlobalDenials, find_global_denials
from cortex_policy.manage.listing import read_rows_of_grants
from cortex_policy.manage.live_status import read_last_calls_and_problem
from cortex_policy.state import Root
from cortex_policy.state.approval_store import find_approvals_file_path
from cortex_policy.state.grants import list_grant_ids
from cortex_policy.state.settings import read_uncached_settings

MAX_GRANTS, MAX_ACTIONS, MAX_DENIED, MAX_REQUESTS = 100, 20, 20, 20
_MAX_BUDGET_SECONDS = 0.5


class Overview(Value):
    """A root at this moment.

    Of the grants whose ids hold the text that was searched for (`matching` of all `total`) there are the first ones,
    with the budgets of their first actions; `unread` says why there are none. Of denied calls and of waiting requests
    there are the newest, and how many more there are, or why they cannot be read ('' if they can).
    """

    root: Root
    settings: Settings | None
    denials: GlobalDenials
    owner: BudgetOwner | None
    grants: tuple[GrantWithBudgets, ...]
    matching: int
    total: int
    unread: str
    denied: tuple[DeniedCalls, ...]
    more_denied: int
    denied_problem: str
    requests: tuple[RequestDetails, ...]
    more_requests: int
    requests_problem: str


def read_overview(found: Root, find: str = "") -> Overview:
    """Return what is to be seen of a root; make and write nothing."""
    root = Root(found.path, trusts_owner=True)  # its commands are typed anywhere, so they name it
    settings = _settings_or_none(found)
    denials = find_global_denials(found)
    ids, unread = _ids_or_problem(found)
    matching = [one for one in ids if find.casefold() in one.casefold()]
    rows = read_rows_of_grants(found, matching[:MAX_GRANTS])
    grants = read_budgets_of_grants(found, rows, MAX_ACTIONS, _MAX_BUDGET_SECONDS)
    requests, requests_problem = _requests_or_problem(found, settings)
    denied, more_denied, denied_problem = tuple[DeniedCalls, ...](), 0, "the settings are invalid"
    if settings is not None:
        calls, denied_problem = read_last_calls_and_problem(found)
        remedies = Remedies(found, settings, requests, is_stopped=bool(denials.stops))
        denied, more_denied = group_denied_calls_with_remedies(calls, remedies, MAX_DENIED)
    return Overview(
        root, settings, GlobalDenials(root, denials.stops, denials.errors), grants[0].owner if grants else None,
        grants, len(matching), len(ids), unread, denied, more_denied, denied_problem,
        requests[:MAX_REQUESTS], max(0, len(requests) - MAX_REQUESTS), requests_problem,
    )  # fmt: skip


def _settings_or_none(root: Root) -> Settings | None:
    try:
        return read_uncached_settings(root.path)
    except GrantError:  # it denies every check: `find_global_denials` says so
        return None


def _ids_or_problem(root: Root) -> tuple[list[str], str]:
    try:
        return list_grant_ids(root), ""
    except GrantError as error:
        return [], error.detail


def _requests_or_problem(root: Root, settings: Settings | None) -> tuple[tuple[RequestDetails, ...], str]:
    """Return the requests that wait, the newest first; the file is not made, nor the directory that it is in."""
    if settings is None or not os.path.lexists(find_approvals_file_path(settings)):
        return (), ""
    try:
        return tuple(one for one in list_waiting_and_answered_requests(root.path)[::-1] if one.status == WAITING), ""
    except (GrantError, StateError) as error:
        return (), _problem_text(error)


def _problem_text(error: CortexPolicyError) -> str:
    return error.detail or str(error)
