"""The enforcement point: load the grant of a call, check every rule, consume budget, write the audit log.

One module of more than 300 lines: each module costs a check time, and most lines here run in each call.
"""

import os

from cortex_policy import state
from cortex_policy.core.engine import DEFAULTS, decide_rate, find_denial_before_rate
from cortex_policy.core.model import (
    APPROVAL_REQUIRED,
    GRANT_INVALID,
    GRANT_UNSAFE,
    REASONS,
    SETTINGS_INVALID,
    CortexPolicyError,
    GrantError,
    Request,
    Settings,
    UsageError,
)
from cortex_policy.state import (
    STATE_DIR,
    exists_or_unknown,
    find_default_rate_state_directory,
    find_resource_shortage_error_or_none,
    find_system_and_user_settings_directories,
    make_policy_directory_path,
    may_hold_settings,
)
from cortex_policy.state.grants import check_grant_id, find_named_or_only_root, read_grant
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.paths import find_protected_paths, resolve_path_arguments

_NO_SETTINGS = ("CORTEX_POLICY_ROOT", STATE_DIR, "CORTEX_POLICY_BUDGETS_PASSWORD")
_SHARED_VARIABLES = ("CORTEX_AUDIT_LOG", "CORTEX_HITL_STORE", "CORTEX_HITL_TIMEOUT_MS")  # with other programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.core.model import Decision, Grant, Origin
    from cortex_policy.state import Root
    from cortex_policy.state.audit_log import AuditLog
    from cortex_policy.state.calls_seen_by_several_hooks import CallDelivery
    from cortex_policy.state.grants import PolicyDirectory


def load_effective_settings(root: str | None, *, require_path: bool = False) -> Settings:
    """Return the effective settings for a root, or those of operators alone; raise GrantError (settings_invalid).

    `require_path` is the option of a call; it takes the place of the setting, and no copy of settings is read then.
    """
    directories = [
        *find_system_and_user_settings_directories(),
        *([make_policy_directory_path(root)] if root is not None else []),
    ]
    variables = {name: os.environ[name] for name in os.environ if name.startswith("CORTEX_") and _is_setting(name)}
    if not variables and not any(map(may_hold_settings, directories)):
        state_dir = os.environ.get(STATE_DIR)
        return Settings(
            require_path=require_path, state_dir=find_default_rate_state_directory() if state_dir is None else state_dir
        )
    if root is None or require_path:  # the copies on disk are of a root, by its files and variables alone
        from cortex_policy.state.settings import read_uncached_settings  # noqa: PLC0415 - only if something is set

        return read_uncached_settings(root, require_path=require_path)
    from cortex_policy.state.settings_cache import load_cached_settings  # noqa: PLC0415 - only if something is set

    return load_cached_settings(root, variables)


def _is_setting(variable: str) -> bool:
    if variable.startswith("CORTEX_POLICY_"):
        return variable not in _NO_SETTINGS
    return variable in _SHARED_VARIABLES


def check_host_stop() -> None:
    """Raise AccessDenied if the host has an emergency stop."""
    # a directory that is a link to nowhere, as to a mount that is gone, may have held a stop
    is_lost = os.path.islink(state.SYSTEM_SETTINGS) and not os.path.isdir(state.SYSTEM_SETTINGS)
    if is_lost or exists_or_unknown(f"{state.SYSTEM_SETTINGS}/stop"):
        from cortex_policy.state.emergency_stop import make_host_stop_error  # noqa: PLC0415 - only a denial needs it

        raise make_host_stop_error(state.SYSTEM_SETTINGS)


def check_root_stop(policy: "PolicyDirectory") -> None:
    """Raise AccessDenied if an open policy directory has an emergency stop."""
    if exists_or_unknown("stop", policy.descriptor):
        from cortex_policy.state.emergency_stop import make_root_stop_error  # noqa: PLC0415 - only a denial needs it

        raise make_root_stop_error(policy)


def check_stamp_if_required(grant: "Grant", settings: Settings) -> None:
    """Raise GrantError (stamp_mismatch) if the settings require a stamp, and the grant differs from it."""
    if settings.stamp == "require":
        from cortex_policy.state.stamp import check_grant_in_stamp_on_disk  # noqa: PLC0415 - only if it is asked for

        check_grant_in_stamp_on_disk(grant)


def load_grant_and_settings_for_call(
    grant_id: str, named: str | None = None, *, require_path: bool = False
) -> "tuple[Grant, Settings]":
    """Load a grant and the settings for a call; raise AccessDenied, before all else, if there is an emergency stop."""
    check_grant_id(grant_id)
    check_host_stop()
    return load_grant_without_host_stop_check(find_named_or_only_root(named), grant_id, require_path=require_path)


def load_grant_without_host_stop_check(
    root: "Root", grant_id: str, *, require_path: bool = False
) -> "tuple[Grant, Settings]":
    """Load a grant of a known root; the caller has checked for a stop of the host."""
    try:
        grant = read_grant(root, grant_id, check_root_stop)
    except GrantError as error:
        if error.reason is GRANT_UNSAFE:  # perhaps the policy directory could not be opened
            from cortex_policy.state.emergency_stop import raise_if_root_may_be_stopped  # noqa: PLC0415 - only a failure needs it

            raise_if_root_may_be_stopped(root)
        raise
    settings = load_effective_settings(root.path, require_path=require_path)
    check_stamp_if_required(grant, settings)
    return grant, settings


def open_budgets_of_root(
    root_identity: tuple[int, int], settings: Settings, delivery: "CallDelivery | None" = None
) -> "Budgets":
    """Return what counts the calls of a root: its ledger, or the server that the settings name for many hosts.

    The hit of a delivery is not taken again if another line of an agent's settings has delivered the same call.
    """
    if settings.budgets_url is None:
        return Ledger(root_identity, settings.state_dir or "", delivery)
    from cortex_policy.state.server_budgets_from_settings import make_one_call_budgets_with_fallback  # noqa: PLC0415 - few hosts share budgets

    return make_one_call_budgets_with_fallback(root_identity, settings, delivery)


def resolve_paths_decide_and_take_hit(
    grant: "Grant",
    action: str,
    args: "Mapping[str, object]",
    *,
    cost: int = 1,
    peek: bool = False,
    settings: Settings = DEFAULTS,
    budgets: "Budgets | None" = None,
) -> "Decision":
    """Decide a call; an allowed call consumes `cost` of the budget, unless `peek`.

    Budgets are those of the grant's root unless `budgets` are given. The caller must have checked for
    an emergency stop.
    """
    origin = grant.origin
    if origin is None:
        raise GrantError(GRANT_INVALID, "it was not loaded from a root", "use `load_grant`")
    if settings.state_dir is None:
        settings = _with_state_directory(settings)
    request = resolve_paths_and_make_request(grant, origin, action, args, settings, cost)
    if budgets is None:
        budgets = open_budgets_of_root(origin.root_identity, settings)
    return decide_resolved_request_and_take_hit(grant, origin, request, settings, budgets, peek=peek)


def decide_resolved_request_and_take_hit(
    grant: "Grant",
    origin: "Origin",
    request: Request,
    settings: Settings,
    budgets: "Budgets",
    *,
    peek: bool = False,
) -> "Decision":
    """Decide a call whose paths are resolved; if it is allowed, consume budget, unless `peek`."""
    decision = find_denial_before_rate(grant, request, settings)
    if decision is not None:
        if decision.reason is not APPROVAL_REQUIRED or settings.sensitive != "ask":
            return decision
        from cortex_policy.state.approval_check import decide_with_approval  # noqa: PLC0415 - only if a human is asked

        return decide_with_approval(grant, origin, request, settings, budgets, decision, peek=peek)
    ask = budgets.peek if peek else budgets.take
    return decide_rate(grant, request, ask(grant.tool, request.action, grant.rate.per_minute, request.cost))


def _with_state_directory(settings: Settings) -> Settings:
    from cortex_policy.state.settings import find_state_directory  # noqa: PLC0415 - effective settings have it

    return Settings(**{**vars(settings), "state_dir": find_state_directory()})


def resolve_paths_and_make_request(
    grant: "Grant", origin: "Origin", action: str, args: "Mapping[str, object]", settings: Settings, cost: int = 1
) -> Request:
    """Return the request of a call, with its paths resolved from the working directory."""
    return Request(
        action, args, resolve_path_arguments(grant, origin, args, find_protected_paths(origin, settings)), cost
    )


def add_grant_and_root_to_error(error: CortexPolicyError, grant_id: str, root: str | None) -> None:
    """Say in an error which grant of which root a program was about to use, unless that is known already."""
    error.grant_id, error.root = error.grant_id or grant_id, error.root or root


class AuditedCall:
    """One call and its answer, which is written to the audit log and the sinks, whatever it is.

    The log is opened before any budget is consumed, and written when the block ends. Raises StateError if it cannot be
    written, unless that is ignored. Usage errors and invalid settings are not recorded.
    """

    action: str
    args: "Mapping[str, object]"
    cost: int
    grant_id: str
    peek: bool
    settings: "Settings"

    def __init__(
        self, grant_id: str, action: str, args: "Mapping[str, object]", cost: int, *, peek: bool,
        is_recorded: bool = True, sinks: "Iterable[Sink]" = (),
    ) -> None:  # fmt: skip
        """Store the call, before its grant is known; without `is_recorded` it is never written.

        The id is DECIDED_BY_RULES if no grant is asked.
        """
        self._is_recorded, self._sinks = is_recorded, tuple(sinks)
        self.grant_id, self.action, self.args, self.cost, self.peek = grant_id, action, args, cost, peek
        self.settings = DEFAULTS
        self.root: str | None = None
        self.grant: Grant | None = None
        self.decision: Decision | None = None
        self._log: AuditLog | None = None

    def __enter__(self) -> "Self":
        """Begin the call."""
        return self

    def decide_and_log(
        self,
        grant: "Grant",
        args: "Mapping[str, object]",
        settings: Settings,
        budgets: "Budgets | None" = None,
    ) -> "Decision":
        """Open the log, decide the call by a grant, and store the decision, which is written when the block ends."""
        self.set_grant_and_open_log(grant, args, settings)
        self.decision = resolve_paths_decide_and_take_hit(
            grant, self.action, args, cost=self.cost, peek=self.peek, settings=settings, budgets=budgets
        )
        return self.decision

    def set_grant_and_open_log(self, grant: "Grant", args: "Mapping[str, object]", settings: Settings) -> None:
        """Store by what the call is decided, and open the log, before anything is consumed."""
        self.grant, self.args, self.settings = grant, args, settings
        self._open_log(settings)

    def set_root_and_open_log(self, root: str, args: "Mapping[str, object]", settings: Settings) -> None:
        """Store by what a call is decided that needs no grant, and open the log."""
        self.root, self.args, self.settings = root, args, settings
        self._open_log(settings)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Record the answer; raise StateError if this process is out of descriptors or memory."""
        lack = find_resource_shortage_error_or_none(error)
        if isinstance(error, CortexPolicyError) and not isinstance(error, UsageError):
            origin = self.grant.origin if self.grant is not None else None
            add_grant_and_root_to_error(error, self.grant_id, origin.root if origin is not None else None)
        try:
            self._finish(lack or error)
        except OSError as another:
            raise find_resource_shortage_error_or_none(another) or another from None
        finally:
            self._close_log()
        if lack is not None:
            raise lack from None

    def _finish(self, error: BaseException | None) -> None:
        if error is None:
            self._emit(None)
        elif isinstance(error, CortexPolicyError) and _is_answer(error):
            self._open_for_failure()
            self._emit(error)

    def _emit(self, error: CortexPolicyError | None) -> None:
        if self._log is not None or self._sinks:
            from cortex_policy.state.audit_record import record_answered_call  # noqa: PLC0415 - only if it is recorded

            record_answered_call(self, error, self._log, self._sinks)

    def _open_log(self, settings: Settings) -> None:
        """Open the log of these settings, which may have changed since the last decision of a call that waits.

        For a call that is not recorded, only raise StateError if its line could not be written.
        """
        self._close_log()
        if settings.audit_file is None:
            return
        if self._is_recorded:
            from cortex_policy.state.audit_log import open_audit_log_of_settings  # noqa: PLC0415 - only if a log is set

            self._log = open_audit_log_of_settings(settings)
        else:
            from cortex_policy.state.audit_preflight import check_audit_log_writable  # noqa: PLC0415 - as above

            check_audit_log_writable(settings)

    def _open_for_failure(self) -> None:
        """Open the log of a call that failed before the settings of its root were read."""
        if self._log is None:
            try:
                settings = load_effective_settings(None)
                if self.settings is DEFAULTS:
                    self.settings = settings  # they say how much is recorded
                self._open_log(settings)
            except GrantError:  # the log is unknown, and the call is denied already
                return

    def _close_log(self) -> None:
        if self._log is not None:  # at once: an exception may keep this alive for long
            self._log.close()
            self._log = None


def _is_answer(error: CortexPolicyError) -> bool:
    return error.reason in REASONS and error.reason is not SETTINGS_INVALID
