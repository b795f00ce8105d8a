"""Budgets that a server counts for many hosts, for a program that asks often: its connections stay open."""

from cortex_policy.core.model import Budget, BudgetServerError, Decision, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.core.model import Settings
    from cortex_policy.library.grant_cache import CachedGrant
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets

    Identity = tuple[object, ...]


class ServerBudgets:
    """The budgets that settings name; nothing is read or opened before the first call."""

    identity: "Identity"

    def __init__(self, settings: "Settings") -> None:
        """Take the settings that name the server."""
        self.identity, self._settings = _identity(settings), settings
        self._opened: tuple[Budgets, RedisBudgets] | None = None

    def decide(self, entry: "CachedGrant", action: str, allowed: Decision) -> Decision | None:
        """Decide a call that all other rules allow, with its budget; None if it must be decided in full."""
        if entry.settings.audit_file is not None:  # its line says where the call was counted
            return None
        return _decision(entry, allowed, self.take(entry.grant.tool, action, entry.grant.rate.per_minute))

    async def decide_async(self, entry: "CachedGrant", action: str, allowed: Decision) -> Decision:
        """Decide a call that all other rules allow, with its budget, without blocking the event loop."""
        return _decision(entry, allowed, await self._take_async(entry.grant.tool, action, entry.grant.rate.per_minute))

    def open(self) -> None:
        """Read the key and the password, if that was not done yet; raise StateError."""
        self._open()

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take `cost` hits if they fit into `limit` a minute; raise StateError if that cannot be known."""
        try:
            return self._open()[0].take(tool, action, limit, cost)
        except StateError as error:
            self._forget_if_refused(error)
            raise

    async def _take_async(self, tool: str, action: str, limit: int) -> Budget:
        budgets, resident = self._open()
        try:
            return await resident.take_async(tool, action, limit)
        except BudgetServerError as error:
            from cortex_policy.state.local_fallback import BudgetsWithLocalFallback  # noqa: PLC0415 - few hosts count by themselves

            if not isinstance(budgets, BudgetsWithLocalFallback):
                raise
            from asyncio import to_thread  # noqa: PLC0415 - the caller has an event loop

            return await to_thread(budgets.take_locally, error, tool, action, limit)
        except StateError as error:
            self._forget_if_refused(error)
            raise

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Return what `take` would; consume nothing."""
        try:
            return self._open()[0].peek(tool, action, limit, cost)
        except StateError as error:
            self._forget_if_refused(error)
            raise

    def forget(self) -> None:
        """Close the connections; the next call opens one."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].forget()

    def _open(self) -> "tuple[Budgets, RedisBudgets]":
        opened = self._opened
        if opened is None:
            from cortex_policy.state.server_budgets_from_settings import (  # noqa: PLC0415 - few programs need it
                add_local_fallback_if_set,
                make_server_budgets_for_many_calls,
            )

            resident = make_server_budgets_for_many_calls(self._settings)
            opened = self._opened = add_local_fallback_if_set(resident, self._settings), resident
        return opened

    def _forget_if_refused(self, error: StateError) -> None:
        """Read the key and the password again at the next call, if the server answers but refuses this one."""
        if not isinstance(error, BudgetServerError):
            self.forget()


def _decision(entry: "CachedGrant", allowed: Decision, budget: Budget) -> Decision:
    """Return the decision by the rate on a call that all other rules allow."""
    if not budget.consumed:
        return entry.prepared.rate_denial(allowed, budget)
    return Decision(**{**vars(allowed), "budget": budget})


def reuse_or_make_server_budgets(kept: ServerBudgets | None, entry: "CachedGrant") -> ServerBudgets:
    """Return the budgets of a grant: those that are kept, unless the settings are others now."""
    if kept is not None and kept.identity == _identity(entry.settings):
        return kept
    if kept is not None:
        kept.forget()
    return ServerBudgets(entry.settings)


def _identity(settings: "Settings") -> "Identity":
    """Return what budgets must agree in to be the same."""
    fields = [getattr(settings, name) for name in settings.__match_args__ if name.startswith("budgets_")]
    return (settings.state_dir, *fields)
