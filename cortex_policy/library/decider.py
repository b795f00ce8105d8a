"""Decisions from memory: the sync half of a store, and all that a call takes."""

from cortex_policy.core.engine import rated, refusal
from cortex_policy.core.model import AccessDenied, Budget, Decision, Grant, Request, StateError, UsageError, denial
from cortex_policy.core.plain_values import exact_arguments, exact_count, exact_text
from cortex_policy.library.cache import Cache, Entry, StoreStats
from cortex_policy.library.path_lookup import RootName
from cortex_policy.state import shortage
from cortex_policy.state.enforcement import Trail, admit_from, believed, refuse_stop_of_host, settings_of
from cortex_policy.state.grants import check_id, read_grant
from cortex_policy.state.mapped_ledger import FileBudgets
from cortex_policy.state.paths import guarded, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.core.model import Settings
    from cortex_policy.library.audit_writer import AuditWriter
    from cortex_policy.state.memory_budgets import MemoryBudgets


class Decider:
    """Decides calls of one root; an ordinary yes, and a no by its rate, take a shorter way than all others."""

    def __init__(
        self,
        root: RootName,
        max_grants: int,
        budgets: "FileBudgets | MemoryBudgets | None",
        sinks: "Iterable[Sink]" = (),
    ) -> None:
        """Keep nothing yet; count in files shared by all processes, unless budgets are given."""
        self._sinks = tuple(sinks)
        self.root = root
        self._cache = Cache(root, max_grants)
        self._given_budgets = budgets
        self._budgets: dict[tuple[tuple[int, int], str | None], FileBudgets] = {}
        self._refusals = 0
        self._written: AuditWriter | None = None
        self._is_closed = False

    def load(self, grant_id: str) -> Grant:
        """Return a grant as it stands now; raise GrantError where it cannot be found, believed or read.

        It decides nothing, and so does not ask for an emergency stop.
        """
        try:
            entry = self._cache.looked_at(grant_id)
            return entry.grant if entry is not None else self._read(grant_id, self._loaded).grant
        except OSError as error:
            raise shortage(error) or error from None

    def decide(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Decide a call by every rule but the rate: consume nothing, and ask no budget.

        A stop is a no as well. Raises GrantError where nothing can be decided, UsageError for what is no call.
        """
        entry = self._cache.standing(grant_id)
        if entry is not None and type(cost) is int and cost == 1:
            if args is None and type(action) is str:
                decision = entry.prepared.bare.get(action)
            else:
                decision = entry.yes(action, args, is_told=True)
            if decision is not None:
                return decision
        try:
            return self._decided(entry, grant_id, action, args, cost)
        except OSError as error:
            raise shortage(error) or error from None

    def enforce(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Decide a call and consume its budget; raise AccessDenied on a no.

        Raises GrantError or StateError where none can be decided. A yes says of its budget only that there was room.
        """
        entry = self._cache.standing(grant_id)
        is_ordinary = type(cost) is int and cost == 1 and not self._sinks
        if entry is not None and is_ordinary:
            is_logged = entry.settings.audit_file is not None
            # INVARIANT: what is written down is what was decided, whatever another thread does to the arguments
            given = args.copy() if is_logged and type(args) is dict else args
            yes = decision = entry.yes(action, given, is_told=False)
            if yes is not None and not is_logged:
                grant = entry.grant
                if self._counted(entry).hit(grant.tool, action, grant.rate.per_minute):
                    return yes
                decision = self._limited(entry, action, yes)
            elif yes is not None:
                decision = self._recorded(entry, action, given, yes)
                if decision is yes:
                    return yes
            if decision is not None:  # a no
                self._refusals += 1
                raise AccessDenied(decision)
        return self._enforced(entry, grant_id, action, args, cost)

    def invalidate(self, grant_id: str | None = None) -> None:
        """Read a grant, or all, again at the next use. Only a write through a mapped page makes this necessary."""
        self._cache.forget(None if grant_id is None else exact_text(grant_id, "an id"))

    def stats(self) -> StoreStats:
        """Say what was done so far."""
        return self._cache.stats(self._refusals)

    def _decided(
        self, entry: Entry | None, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> Decision:
        action, cost = exact_text(action, "an action"), exact_count(cost, "cost")
        try:
            entry = entry or self._read(grant_id, self._admitted)
        except AccessDenied as error:
            self._refusals += 1
            return error.decision
        grant, plain = entry.grant, exact_arguments(args)
        origin = grant.origin
        assert origin is not None  # noqa: S101 - it was read from one
        governs = entry.premises.guarded if entry.premises else guarded(origin, entry.settings)
        request = Request(action, plain, places(grant, origin, plain, governs), cost)
        decision = refusal(grant, request, entry.settings)  # never `... or ...`: a no is false
        if decision is None:
            decision = rated(grant, request, _untouched(grant, cost))
        self._refusals += not decision
        return _signed(decision, entry)

    def _enforced(
        self, entry: Entry | None, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> Decision:
        grant_id, action = exact_text(grant_id, "an id"), exact_text(action, "an action")
        cost, given = exact_count(cost, "cost"), exact_arguments(args)
        try:
            with Trail(grant_id, action, given, cost, peek=False, sinks=self._sinks) as trail:
                entry = entry or self._read(grant_id, self._admitted)
                decision = trail.ask(entry.grant, given, entry.settings, self._counted(entry))
        except AccessDenied:
            self._refusals += 1
            raise
        if not decision:
            self._refusals += 1
            raise denial(_signed(decision, entry))
        return _signed(decision, entry)

    def _recorded(
        self, entry: Entry, action: str, args: "Mapping[str, object] | None", yes: Decision
    ) -> Decision | None:
        """Count a call that all other rules allow, and write its answer to the audit log; None to decline.

        Raises LogError, mostly before anything is counted.
        """
        grant, writer = entry.grant, self._written or self._writer()
        log = writer.open(entry.settings)
        try:
            is_counted = self._counted(entry).hit(grant.tool, action, grant.rate.per_minute)
        except StateError:  # that is an answer too
            return None
        answer = yes if is_counted else self._limited(entry, action, yes)
        if answer is not None and log is not None:
            writer.write(log, entry, action, {} if args is None else args, answer)
        return answer

    def _limited(self, entry: Entry, action: str, yes: Decision) -> Decision | None:
        """Return the no of a full budget where it can be told without asking its file: a flood is denied fast."""
        grant, budgets = entry.grant, self._counted(entry)
        limit = grant.rate.per_minute
        budget = (
            budgets.denial(grant.tool, action, limit)
            if isinstance(budgets, FileBudgets)
            else budgets.peek(grant.tool, action, limit)
        )
        if budget is None or not budget.retry_after_seconds:
            return None
        return entry.prepared.limited(yes, budget)

    def _read(self, grant_id: str, reading: "Callable[[str], tuple[Grant, Settings]]") -> Entry:
        self._check_open()
        name = exact_text(grant_id, "an id")
        check_id(name)
        return self._cache.read(name, lambda: reading(name))

    def _admitted(self, grant_id: str) -> "tuple[Grant, Settings]":
        refuse_stop_of_host()
        return admit_from(self.root.resolve(), grant_id)

    def _loaded(self, grant_id: str) -> "tuple[Grant, Settings]":
        root = self.root.resolve()
        grant = read_grant(root, grant_id)
        return grant, believed(grant, settings_of(root.path))

    def _counted(self, entry: Entry) -> "FileBudgets | MemoryBudgets":
        if self._given_budgets is not None:
            return self._given_budgets
        origin = entry.grant.origin
        assert origin is not None  # noqa: S101 - it was read from one
        key = origin.root_identity, entry.settings.state_dir
        found = self._budgets.get(key)
        if found is None:
            self._check_open()
            before, self._budgets = self._budgets, {key: FileBudgets(*key)}
            found = self._budgets[key]
            for budgets in before.values():  # of the root that the name led to before
                budgets.forget()
        return found

    def _writer(self) -> "AuditWriter":
        self._check_open()
        from cortex_policy.library.audit_writer import AuditWriter  # noqa: PLC0415 - only where a log is set

        self._written = AuditWriter()
        return self._written

    def _check_open(self) -> None:
        if self._is_closed:
            message = "the store is closed"
            raise UsageError(message)


def _untouched(grant: Grant, cost: int) -> Budget:
    """Return the budget of a grant as it is without hits."""
    limit = grant.rate.per_minute
    return Budget(limit, 0, limit, 0.0 if cost <= limit else None, 0)


def _signed(decision: Decision, entry: Entry) -> Decision:
    """Say on which bytes a decision was made."""
    return Decision(
        decision.reason,
        decision.detail,
        decision.obligations,
        decision.budget,
        decision.paths,
        entry.prepared.digest,
        decision.approval,
    )
