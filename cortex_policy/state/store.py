"""The resident library: grants in memory, and not one decision on a grant that has changed since."""

import os
from _thread import allocate_lock
from weakref import WeakSet

from cortex_policy.core.engine import decide
from cortex_policy.core.model import AccessDenied, CortexPolicyError, Decision, Grant, Request, UsageError, Value
from cortex_policy.state.cache import Cache, Entry, Stats
from cortex_policy.state.enforcement import admit_from, ask, believed, guarded_by, refuse_stop_of_host, settings_of
from cortex_policy.state.given import check_cost, named, plain_arguments
from cortex_policy.state.grants import Directory, Trust, check_id, find_root, read_grant
from cortex_policy.state.places import places
from cortex_policy.state.resident import FileBudgets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from cortex_policy.core.model import Settings
    from cortex_policy.state.flights import Flights
    from cortex_policy.state.memory import MemoryBudgets
    from cortex_policy.state.rounds import Rounds
    from cortex_policy.state.subscriptions import Change, Subscriptions

MOST_GRANTS = 64
_alive: "WeakSet[PolicyStore]" = WeakSet()


class Warmth(Value):
    """What `warm` did: the ids that loaded, and why others did not; under the empty id, why none could be listed."""

    loaded: tuple[str, ...]
    failures: "Mapping[str, CortexPolicyError]"


class PolicyStore:
    """The grants of one root for a process that asks often, from any number of threads and event loops.

    A decision that begins after a write has returned is made on what was written, whoever wrote it and by what means:
    a grant is used again only while the identity of its file, the trust in what leads there, the settings and the
    stops are what they were. Each decision says in `grant_sha256` which bytes it was made on. A store of a process that
    forked begins anew in the child.
    """

    def __init__(
        self,
        root: "str | os.PathLike[str] | None" = None,
        max_grants: int = MOST_GRANTS,
        *,
        budgets: "FileBudgets | MemoryBudgets | None" = None,
        reader: str | None = None,
    ) -> None:
        """Find the root, once and for all; raise GrantError (25, 26) where there is none.

        Budgets are counted in files shared by all processes, unless others are given. Under the name of a `reader`, the
        store acknowledges each version of the stamp, for `cortex-policy stamp wait --reader`.
        """
        if type(max_grants) is not int or max_grants < 1:
            message = "max_grants must be an integer of at least 1"
            raise UsageError(message)
        self.root = find_root(named(root))
        self._cache = Cache(self.root, max_grants)
        self._given_budgets = budgets
        self._budgets: dict[tuple[tuple[int, int], str | None], FileBudgets] = {}
        self._refusals = 0
        self._is_closed = False
        self._lock = allocate_lock()
        self._flights: Flights | None = None
        self._rounds: Rounds | None = None
        self._subscriptions: Subscriptions | None = None
        _alive.add(self)
        if reader is not None:
            from cortex_policy.state.readers import Reader  # noqa: PLC0415 - only where one is named

            self._started().add(Reader(self.root, reader))

    def load(self, grant_id: str) -> Grant:
        """Return a grant as it stands now; raise GrantError where it cannot be found, believed or read.

        It decides nothing, and so does not ask for an emergency stop.
        """
        entry = self._cache.looked_at(grant_id)
        return entry.grant if entry is not None else self._read(grant_id, self._loaded).grant

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
        return self._decided(entry, grant_id, action, args, cost)

    def enforce(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Decide a call and consume its budget; raise AccessDenied on a no.

        Raises GrantError or StateError where none can be decided. A yes says of its budget only that there was room.
        """
        entry = self._cache.standing(grant_id)
        if entry is not None and type(cost) is int and cost == 1:
            decision = entry.yes(action, args, is_told=False)
            if decision is not None:
                grant = entry.grant
                if self._counted(entry).hit(grant.tool, action, grant.rate.per_minute):
                    return decision
                self._refuse_limited(entry, action, decision)
        return self._enforced(entry, grant_id, action, args, cost)

    async def load_async(self, grant_id: str) -> Grant:
        """Do what `load` does while the event loop goes on; all who wait for a grant at one time share its read."""
        return await self._flying().shared(grant_id, lambda: self.load(grant_id))

    async def enforce_async(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Do what `enforce` does while the event loop goes on; raise when awaited.

        Who is cancelled while it is under way may have consumed budget.
        """
        return await self._flying().alone(lambda: self.enforce(grant_id, action, args, cost=cost))

    def warm(self, ids: "Iterable[str] | None" = None) -> Warmth:
        """Load these grants, or all of the root, as many as are kept; what fails is told, and raises nothing."""
        loaded: list[str] = []
        failures: dict[str, CortexPolicyError] = {}
        try:
            wanted = self._listed() if ids is None else list(ids)
        except CortexPolicyError as error:
            return Warmth((), {"": error})
        for grant_id in wanted:
            try:
                self.load(grant_id)
                loaded.append(grant_id)
            except CortexPolicyError as error:
                failures[grant_id] = error
        return Warmth(tuple(loaded), failures)

    def invalidate(self, grant_id: str | None = None) -> None:
        """Read a grant, or all of them, anew at its next use. No write makes this necessary."""
        self._cache.forget(grant_id)

    def subscribe(self, callback: "Callable[[Change], object]") -> "Callable[[], None]":
        """Call back for each change of a grant from now on; return what ends that.

        Changes are looked for each 0.2 s, sooner where `watchfiles` is installed; writes to one grant that lie between
        two looks count as one. It is called in a thread of the store. What it raises goes to `threading.excepthook`,
        and ends neither the thread nor the subscription.
        """
        from cortex_policy.state.subscriptions import Subscriptions  # noqa: PLC0415 - only where one subscribes

        self._check_open()
        with self._lock:
            if self._subscriptions is None:
                self._subscriptions = Subscriptions(self.root)
            end = self._subscriptions.add(callback)
            self._started().add(self._subscriptions)
        return end

    def stats(self) -> Stats:
        """Say what was done so far."""
        return self._cache.stats(self._refusals)

    def close(self) -> None:
        """End threads and give all descriptors back; every later use raises UsageError."""
        self._is_closed = True
        for part in (self._rounds, self._flights):
            if part is not None:
                part.close()
        self._cache.close()
        for budgets in self._budgets.values():
            budgets.forget()
        self._budgets.clear()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *_: object) -> None:
        from asyncio import to_thread  # noqa: PLC0415 - only in an event loop, which has it

        await to_thread(self.close)

    def leave_to_parent(self) -> None:
        """Begin anew in a child of a fork, without the threads, and so without the subscriptions of its parent."""
        self._lock = allocate_lock()
        self._cache.leave_to_parent()
        for part in (self._rounds, self._flights):
            if part is not None:
                part.leave_to_parent()
        self._rounds = self._flights = self._subscriptions = None

    def _decided(
        self, entry: Entry | None, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> Decision:
        check_cost(cost)
        try:
            entry = entry or self._read(grant_id, self._admitted)
        except AccessDenied as error:
            self._refusals += 1
            return error.decision
        grant, plain = entry.grant, plain_arguments(args)
        origin = grant.origin
        assert origin is not None  # noqa: S101 - it was read from one
        governs = entry.premises.guarded if entry.premises else guarded_by(origin, entry.settings.state_dir)
        request = Request(action, plain, places(grant, origin, plain, governs), cost)
        decision = decide(grant, request, settings=entry.settings)
        self._refusals += not decision
        return _signed(decision, entry)

    def _enforced(
        self, entry: Entry | None, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> Decision:
        check_cost(cost)
        try:
            entry = entry or self._read(grant_id, self._admitted)
            budgets = self._counted(entry)
            decision = ask(
                entry.grant, action, plain_arguments(args), cost=cost, settings=entry.settings, budgets=budgets
            )
        except AccessDenied:
            self._refusals += 1
            raise
        if not decision:
            self._refusals += 1
            raise AccessDenied(_signed(decision, entry))
        return _signed(decision, entry)

    def _refuse_limited(self, entry: Entry, action: str, yes: Decision) -> None:
        """Raise AccessDenied where a full budget can be told without asking its file; a flood is denied fast."""
        grant, budgets = entry.grant, self._counted(entry)
        limit = grant.rate.per_minute
        budget = (
            budgets.denial(grant.tool, action, limit)
            if isinstance(budgets, FileBudgets)
            else budgets.peek(grant.tool, action, limit)
        )
        if budget is not None and budget.retry_after_seconds:
            self._refusals += 1
            raise AccessDenied(entry.prepared.limited(yes, budget))

    def _read(self, grant_id: str, reading: "Callable[[str], tuple[Grant, Settings]]") -> Entry:
        self._check_open()
        if not isinstance(grant_id, str):
            message = f"an id is a string, not `{type(grant_id).__name__}`"
            raise UsageError(message)
        check_id(grant_id)
        return self._cache.read(grant_id, lambda: reading(grant_id))

    def _admitted(self, grant_id: str) -> "tuple[Grant, Settings]":
        refuse_stop_of_host()
        return admit_from(self.root, grant_id)

    def _loaded(self, grant_id: str) -> "tuple[Grant, Settings]":
        grant = read_grant(self.root, grant_id)
        return grant, believed(grant, settings_of(self.root.path))

    def _listed(self) -> list[str]:
        trust = Trust(self.root)
        try:
            with Directory(trust, "tools") as tools:
                trust.settle()
                return tools.grant_ids()[: self._cache.most]
        except FileNotFoundError:
            return []

    def _counted(self, entry: Entry) -> "FileBudgets | MemoryBudgets":
        if self._given_budgets is not None:
            return self._given_budgets
        origin = entry.grant.origin
        assert origin is not None  # noqa: S101 - it was read from one
        key = origin.root_identity, entry.settings.state_dir
        found = self._budgets.get(key)
        if found is None:
            self._check_open()
            found = self._budgets.setdefault(key, FileBudgets(*key))
        return found

    def _check_open(self) -> None:
        if self._is_closed:
            message = "the store is closed"
            raise UsageError(message)

    def _flying(self) -> "Flights":
        self._check_open()
        from cortex_policy.state.flights import Flights  # noqa: PLC0415 - loads `asyncio`

        with self._lock:
            if self._flights is None:
                self._flights = Flights()
            return self._flights

    def _started(self) -> "Rounds":
        if self._rounds is None:
            from cortex_policy.state.rounds import Rounds  # noqa: PLC0415 - loads `threading`

            self._rounds = Rounds(self.root.tools)
        return self._rounds


def _signed(decision: Decision, entry: Entry) -> Decision:
    """Say on which bytes a decision was made."""
    return Decision(
        decision.reason, decision.detail, decision.obligations, decision.budget, decision.places, entry.prepared.digest
    )


def _leave_all() -> None:
    for store in list(_alive):
        store.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all)
