"""Decide requests one after another, as `check` would, with grants and settings kept in memory."""

from time import perf_counter_ns

from cortex_policy.check import Call, CallOutcome, make_outcome_of_decided_call
from cortex_policy.core.model import CortexPolicyError, Settings
from cortex_policy.library.cached_grant_decider import Decider
from cortex_policy.library.root_path_lookup import UnresolvedRoot
from cortex_policy.library.store import DEFAULT_MAX_GRANTS
from cortex_policy.state import find_resource_shortage_error_or_none
from cortex_policy.state.enforcement import AuditedCall
from cortex_policy.state.file_budgets import FileBudgets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cortex_policy.core.model import Decision, Grant
    from cortex_policy.library.grant_cache import CachedGrant


class BatchDecider(Decider):
    """Decides the requests of one root; what one process decides, every other sees in the same files.

    `has_server`: the last call that was decided in full was counted by a server of budgets, which takes its time.
    """

    has_server: bool = False

    def __init__(self, root: UnresolvedRoot) -> None:
        """Load nothing yet."""
        super().__init__(root, DEFAULT_MAX_GRANTS, None)

    def try_decide_call(
        self, grant_id: str, action: str, args: "dict[str, Any]", reserved: str = ""
    ) -> "tuple[CachedGrant, Decision, int, float] | None":
        """Decide and count an ordinary call; None if it must be decided in full, and nothing was counted.

        Of an allowed one also return what is used by now, and the seconds until one more fits. Raises StateError or
        AuditLogError, as `enforce` does.
        """
        taken = self.try_decide_call_without_usage(grant_id, action, args, reserved)
        if taken is None or not taken[1]:
            return None if taken is None else (*taken, 0, 0.0)
        grant, budgets = taken[0].grant, self._budgets.on_host(taken[0])
        assert isinstance(budgets, FileBudgets)  # noqa: S101 - nobody gave others
        return *taken, *budgets.peek_usage_after_hit(grant.tool, action, grant.rate.per_minute)

    def try_decide_call_without_usage(
        self, grant_id: str, action: str, args: "dict[str, Any]", reserved: str = ""
    ) -> "tuple[CachedGrant, Decision] | None":
        """Decide and count an ordinary call, as `try_decide_call` does, but look at no usage.

        A call of a grant that declares the argument `reserved` is not an ordinary one.
        """
        entry = self._cache.get_fresh(grant_id)
        allowed = entry.try_allow(action, args, with_budget=False) if entry is not None else None
        if entry is None or allowed is None or entry.has_server or reserved in entry.grant.args:
            return None
        grant = entry.grant
        if entry.settings.audit_file is not None:
            decision = self._count_and_log(entry, action, args, allowed)
        elif self._budgets.on_host(entry).hit(grant.tool, action, grant.rate.per_minute):
            decision = allowed
        else:
            decision = self._rate_denial(entry, action, allowed)
        return None if decision is None else (entry, decision)

    def try_peek_call(
        self, grant_id: str, action: str, args: "dict[str, Any]", reserved: str = ""
    ) -> "tuple[CachedGrant, Decision, int, float] | None":
        """Decide an ordinary question that is allowed and not logged, as `try_decide_call` does; None for any other.

        Raises StateError as `enforce` does.
        """
        entry = self._cache.get_fresh(grant_id)
        if entry is None or entry.has_server or entry.settings.audit_file is not None or reserved in entry.grant.args:
            return None
        allowed = entry.try_allow(action, args, with_budget=False)
        if allowed is None:
            return None
        budgets = self._budgets.on_host(entry)
        assert isinstance(budgets, FileBudgets)  # noqa: S101 - nobody gave others
        used, seconds = budgets.peek_usage(entry.grant.tool, action, entry.grant.rate.per_minute)
        return (entry, allowed, used, seconds) if used < entry.grant.rate.per_minute else None

    def load_grant_for_call(self, grant_id: str) -> "tuple[Grant, Settings]":
        """Return the current grant and the settings; raise CortexPolicyError as `check` does."""
        entry = self._cached_grant_for_call(grant_id)
        return entry.grant, entry.settings

    def decide_call(self, call: Call, args: "Mapping[str, object]") -> CallOutcome:
        """Decide any call as `check` does; an error that prevents a decision is in the outcome."""
        start = perf_counter_ns()
        audited = AuditedCall(call.grant_id, call.action, args, call.cost, peek=call.peek)
        error: CortexPolicyError | None = None
        try:
            with audited:
                entry = self._cached_grant_for_call(call.grant_id)
                audited.grant, settings = entry.grant, entry.settings
                if call.require_path:
                    settings = Settings(**{**vars(settings), "require_path": True})
                audited.decide_and_log(entry.grant, args, settings, self._budgets.for_grant(entry))
        except CortexPolicyError as caught:
            error = caught
        except OSError as caught:
            error = find_resource_shortage_error_or_none(caught)
            if error is None:
                raise
        return make_outcome_of_decided_call(call, audited, error, start)

    def _cached_grant_for_call(self, grant_id: str) -> "CachedGrant":
        entry = self._cache.get_fresh(grant_id) or self._read_grant(grant_id, self._load_for_call)
        self.has_server = entry.has_server
        return entry
