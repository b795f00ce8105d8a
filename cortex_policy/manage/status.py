"""The state of a root in one value: whether checks can be allowed, and all that decides it."""

import os

from cortex_policy.core import Value
from cortex_policy.core.model import WAITING, CortexPolicyError, GrantError, Settings, StateError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import EffectiveSetting
from cortex_policy.manage.approvals import RequestDetails, list_waiting_and_answered_requests
from cortex_policy.manage.budget_owner import BudgetOwner, find_budget_owner_of_caller
from cortex_policy.manage.global_denials import GlobalDenials, find_global_denials
from cortex_policy.manage.listing import GrantRow, read_all_grant_rows
from cortex_policy.manage.other_budget_owners import OtherBudgetOwners, find_other_budget_owners
from cortex_policy.manage.settings.effective import resolve_settings_and_errors
from cortex_policy.manage.stamp.verify import StampMismatch, find_stamp_mismatches
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.approval_store import find_approvals_file_path
from cortex_policy.state.audit_preflight import check_audit_log_writable
from cortex_policy.state.grants_errors import format_root_option, make_hand_edit_hint
from cortex_policy.state.settings import read_uncached_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

DEFAULT = "default"  # the place of a setting that nobody set


class StampStatus(Value):
    """The version of the stamp, None without one; how grants differ from it; and why it cannot be read, if so."""

    version: int | None
    checksum: str | None
    mismatches: tuple[StampMismatch, ...]
    error: CortexPolicyError | None


class RootStatus(Value):
    """The state of a root, as a check of the caller finds it.

    `unusable` says why no grant can be used, None if one can. `settings` are those that somebody set. `owner` and
    `audit_file` are None if they are unknown, `audit_file` also without a log. `requests` wait for a human.
    """

    root: Root
    denials: GlobalDenials
    unusable: NotDoneError | None
    grants: tuple[GrantRow, ...]
    settings: tuple[EffectiveSetting, ...]
    owner: BudgetOwner | None
    others: OtherBudgetOwners
    audit_file: str | None
    audit_error: CortexPolicyError | None
    stamp: StampStatus
    requests: tuple[RequestDetails, ...]
    requests_error: CortexPolicyError | None

    @property
    def is_denied(self) -> bool:
        """Whether every check is denied."""
        return bool(self.denials) or self.unusable is not None


def read_status(root: Root) -> RootStatus:
    """Return the state of a root; make and write nothing."""
    settings, _ = _value_or_error(lambda: read_uncached_settings(root.path))
    grants = _value_or_error(lambda: read_all_grant_rows(root))[0] or ()
    requests, requests_error = _value_or_error(lambda: _read_waiting_requests(root, settings))
    resolved, _ = resolve_settings_and_errors(root)
    return RootStatus(
        root,
        find_global_denials(root),
        _find_unusable_error(root, grants, settings),
        grants,
        tuple(one for one in resolved if one.effective.place != DEFAULT),
        _value_or_error(find_budget_owner_of_caller)[0],
        find_other_budget_owners(root),
        settings.audit_file if settings is not None else None,
        _find_audit_error(settings),
        _read_stamp_status(root),
        requests or (),
        requests_error,
    )


def _value_or_error(read: "Callable[[], T]") -> "tuple[T | None, CortexPolicyError | None]":
    """Return what a function reads, or None and the error."""
    try:
        return read(), None
    except (GrantError, StateError) as error:
        return None, error


def _find_unusable_error(root: Root, grants: tuple[GrantRow, ...], settings: Settings | None) -> NotDoneError | None:
    """Return why no grant can be used, None if one can."""
    usable = ("ok",) if settings is not None and settings.stamp == "require" else ("ok", "unstamped", "differs")
    if any(row.state in usable for row in grants):
        return None
    option = format_root_option(root)
    if {row.state for row in grants} in ({"differs"}, {"differs", "unstamped"}):
        return NotDoneError("a stamp is required, and no grant matches it", make_hand_edit_hint(option))
    if grants:
        return NotDoneError("none of the grants can be used", f"see why with `cortex-policy list{option}`")
    return NotDoneError(f"there are no grants in `{root.tools_path}`", f"make one with `cortex-policy new ID{option}`")


def _find_audit_error(settings: Settings | None) -> CortexPolicyError | None:
    """Return why the log cannot be written, also if that denies nothing."""
    if settings is None:
        return None
    strict = Settings(**{**vars(settings), "audit_on_error": "deny"})
    return _value_or_error(lambda: check_audit_log_writable(strict))[1]


def _read_stamp_status(root: Root) -> StampStatus:
    stamp, error = _value_or_error(lambda: stamps.read_stamp(root))
    if stamp is None:
        return StampStatus(None, None, (), error)
    mismatches, error = _value_or_error(lambda: find_stamp_mismatches(root))
    return StampStatus(stamp.version, stamp.checksum_of_digests, mismatches or (), error)


def _read_waiting_requests(root: Root, settings: Settings | None) -> tuple[RequestDetails, ...]:
    """Return the requests that wait; the file is not made, nor the directory that it is in."""
    if settings is None or not os.path.lexists(find_approvals_file_path(settings)):
        return ()
    return tuple(request for request in list_waiting_and_answered_requests(root.path) if request.status == WAITING)
