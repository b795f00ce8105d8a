"""Decisions from memory: the part of a store that an ordinary call needs."""

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.engine import decide_rate, find_denial_before_rate
from cortex_policy.core.input_values import rebuild_arguments, require_positive_int, require_text
from cortex_policy.core.model import Budget, Decision, Grant, GrantError, Request, StateError, UsageError
from cortex_policy.library.functions import make_denial_error
from cortex_policy.library.grant_cache import CachedGrant, GrantCache, StoreStats
from cortex_policy.library.root_path_lookup import UnresolvedRoot
from cortex_policy.library.store_budgets import StoreBudgets
from cortex_policy.state import find_resource_shortage_error_or_none
from cortex_policy.state.enforcement import (
    AuditedCall,
    add_grant_and_root_to_error,
    check_host_stop,
    check_stamp_if_required,
    load_effective_settings,
    load_grant_without_host_stop_check,
)
from cortex_policy.state.grants import check_grant_id, read_grant
from cortex_policy.state.paths import find_protected_paths, resolve_path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cortex_policy.core.audit_sink import LineSink, Sink
    from cortex_policy.core.model import Settings
    from cortex_policy.library.audit_writer import AuditWriter
    from cortex_policy.state.file_budgets import FileBudgets
    from cortex_policy.state.memory_budgets import MemoryBudgets
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets


class Decider:
    """Decides calls of one root. Ordinary allowed calls and calls over their rate take a fast path."""

    def __init__(
        self,
        root: UnresolvedRoot,
        max_grants: int,
        budgets: "FileBudgets | MemoryBudgets | RedisBudgets | None",
        sinks: "Iterable[Sink]" = (),
    ) -> None:
        """Load nothing yet; count in files shared by all processes, unless budgets are given."""
        self._sinks = tuple(sinks)
        self._line_sinks: tuple[LineSink, ...] = ()
        if self._sinks:
            from cortex_policy.library.audit_writer import select_sinks_that_take_lines  # noqa: PLC0415 - few stores have sinks

            self._line_sinks = select_sinks_that_take_lines(self._sinks)
        self._has_event_sinks = len(self._line_sinks) < len(self._sinks)
        self.root = root
        self._cache = GrantCache(root, max_grants)
        self._budgets = StoreBudgets(budgets)
        self._refusals = 0
        self._audit_writer: AuditWriter | None = None
        self._is_closed = False

    def load(self, grant_id: str) -> Grant:
        """Return the current grant; raise GrantError if it cannot be found, trusted or read.

        An emergency stop does not matter here: nothing is decided.
        """
        try:
            entry = self._cache.get_verified(grant_id)
            return entry.grant if entry is not None else self._read_grant(grant_id, self._load).grant
        except OSError as error:
            raise find_resource_shortage_error_or_none(error) or error from None

    def decide(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Decide a call by every rule except the rate, without reading or consuming its budget.

        An emergency stop is a denial too. Raises GrantError if there is no decision, UsageError for invalid arguments.
        """
        entry = self._cache.get_fresh(grant_id)
        if entry is not None and type(cost) is int and cost == 1:
            if args is None and type(action) is str:
                decision = entry.prepared.without_arguments.get(action)
            else:
                decision = entry.try_allow(action, args, with_budget=True)
            if decision is not None:
                return decision
        try:
            return self._decide_in_full(entry, grant_id, action, args, cost)
        except OSError as error:
            raise find_resource_shortage_error_or_none(error) or error from None

    def enforce(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Decide a call and consume its budget; raise AccessDenied if it is denied.

        Raises GrantError or StateError if there is no decision. If the call is allowed, `budget` is usually None.
        """
        entry = self._cache.get_fresh(grant_id)
        is_ordinary = type(cost) is int and cost == 1 and not self._has_event_sinks
        if entry is not None and is_ordinary:
            settings, is_on_server = entry.settings, entry.has_server and self._budgets.given is None
            is_logged = settings.audit_file is not None or is_on_server or bool(self._line_sinks)
            # INVARIANT: the log holds the arguments that were decided, even if another thread changes them
            plain = args.copy() if is_logged and type(args) is dict else args
            allowed = decision = entry.try_allow(action, plain, with_budget=False)
            if allowed is not None and not is_logged:
                grant = entry.grant
                if self._budgets.on_host(entry).hit(grant.tool, action, grant.rate.per_minute):
                    return allowed
                decision = self._rate_denial(entry, action, allowed)
            elif allowed is not None:
                decision = self._count_and_log(entry, action, plain, allowed)
            if decision is not None:
                return self._allowed_or_raise(entry, action, decision)
        return self._enforce_in_full(entry, grant_id, action, args, cost)

    def invalidate(self, grant_id: str | None = None) -> None:
        """Read one grant, or all, again at the next use; needed only after a write through a memory-mapped page."""
        self._cache.forget(None if grant_id is None else require_text(grant_id, "an id"))

    def stats(self) -> StoreStats:
        """Return what was done so far."""
        return self._cache.stats(self._refusals)

    def _decide_in_full(
        self, entry: CachedGrant | None, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> Decision:
        action, cost = require_text(action, "an action"), require_positive_int(cost, "cost")
        try:
            entry = entry or self._read_grant(grant_id, self._load_for_call)
        except AccessDenied as error:
            self._refusals += 1
            return error.decision
        grant, plain = entry.grant, rebuild_arguments(args)
        origin = grant.origin
        assert origin is not None  # noqa: S101 - it was read from a file
        protected = (
            entry.preconditions.protected if entry.preconditions else find_protected_paths(origin, entry.settings)
        )
        request = Request(action, plain, resolve_path_arguments(grant, origin, plain, protected), cost)
        decision = find_denial_before_rate(grant, request, entry.settings)  # not `... or ...`: a denial is false
        if decision is None:
            decision = decide_rate(grant, request, _unused_budget(grant, cost))
        self._refusals += not decision
        return _with_digest(decision, entry)

    def _enforce_in_full(
        self, entry: CachedGrant | None, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> Decision:
        grant_id, action = require_text(grant_id, "an id"), require_text(action, "an action")
        cost, plain = require_positive_int(cost, "cost"), rebuild_arguments(args)
        try:
            with AuditedCall(grant_id, action, plain, cost, peek=False, sinks=self._sinks) as audited:
                entry = entry or self._read_grant(grant_id, self._load_for_call)
                decision = audited.decide_and_log(entry.grant, plain, entry.settings, self._budgets.for_grant(entry))
        except AccessDenied:
            self._refusals += 1
            raise
        if not decision:
            self._refusals += 1
            raise make_denial_error(_with_digest(decision, entry), entry.grant, action)
        return _with_digest(decision, entry)

    def _allowed_or_raise(self, entry: CachedGrant, action: str, decision: Decision) -> Decision:
        if not decision:
            self._refusals += 1
            raise AccessDenied(decision, entry.grant, action)
        return decision

    def _count_and_log(
        self, entry: CachedGrant, action: str, args: "Mapping[str, object] | None", allowed: Decision
    ) -> Decision | None:
        """Count a call that all other rules allow, and log the decision; None if it must be decided in full.

        A server's answer is in the decision: it says whether this host counted by itself.

        Raises AuditLogError, usually before anything is counted.
        """
        if entry.has_server and self._budgets.given is None:
            return None if self._sinks else self._budgets.on_server(entry).decide(entry, action, allowed)
        grant, writer = entry.grant, self._audit_writer or self._create_audit_writer()
        log = writer.open(entry.settings) if entry.settings.audit_file is not None else None
        try:
            is_counted = self._budgets.on_host(entry).hit(grant.tool, action, grant.rate.per_minute)
        except StateError:  # that is logged too, in full
            return None
        decision = allowed if is_counted else self._rate_denial(entry, action, allowed)
        if decision is not None and (log is not None or self._line_sinks):
            writer.write(log, entry, action, {} if args is None else args, decision, self._line_sinks)
        return decision

    def _rate_denial(self, entry: CachedGrant, action: str, allowed: Decision) -> Decision | None:
        """Return the denial by a full budget if it is known without a file or a server; a flood is denied fast."""
        grant, budgets = entry.grant, self._budgets.on_host(entry)
        limit = grant.rate.per_minute
        known = getattr(budgets, "denial", budgets.peek)  # those in memory know all at any time
        budget: Budget | None = known(grant.tool, action, limit)
        if budget is None or not budget.retry_after_seconds:
            return None
        return entry.prepared.rate_denial(allowed, budget)

    def _read_grant(self, grant_id: str, load: "Callable[[str], tuple[Grant, Settings]]") -> CachedGrant:
        self._check_open()
        name = require_text(grant_id, "an id")
        check_grant_id(name)
        try:
            return self._cache.read_and_keep(name, lambda: load(name))
        except GrantError as error:
            add_grant_and_root_to_error(error, name, self.root.path)
            raise

    def _load_for_call(self, grant_id: str) -> "tuple[Grant, Settings]":
        check_host_stop()
        return load_grant_without_host_stop_check(self.root.resolve(), grant_id)

    def _load(self, grant_id: str) -> "tuple[Grant, Settings]":
        root = self.root.resolve()
        grant = read_grant(root, grant_id)
        settings = load_effective_settings(root.path)
        check_stamp_if_required(grant, settings)
        return grant, settings

    def _create_audit_writer(self) -> "AuditWriter":
        self._check_open()
        from cortex_policy.library.audit_writer import AuditWriter  # noqa: PLC0415 - only if there is an audit log

        self._audit_writer = AuditWriter()
        return self._audit_writer

    def _check_open(self) -> None:
        if self._is_closed:
            message = "the store is closed"
            raise UsageError(message)


def _unused_budget(grant: Grant, cost: int) -> Budget:
    """Return the budget of a grant without hits."""
    limit = grant.rate.per_minute
    return Budget(limit, 0, limit, 0.0 if cost <= limit else None, 0)


def _with_digest(decision: Decision, entry: CachedGrant) -> Decision:
    """Return the decision with the digest of the grant's bytes."""
    return Decision(
        decision.reason,
        decision.detail,
        decision.obligations,
        decision.budget,
        decision.paths,
        entry.prepared.digest,
        decision.approval,
    )
