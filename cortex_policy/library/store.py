"""The resident library: grants in memory, and not one decision on a grant that has changed since."""

import os
from _thread import allocate_lock
from weakref import WeakSet

from cortex_policy.core.model import CortexPolicyError, Decision, Grant, UsageError, Value
from cortex_policy.core.plain_values import exact_path, exact_text
from cortex_policy.library.decider import Decider
from cortex_policy.library.path_lookup import find_root_name
from cortex_policy.state.grants import Directory, Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.library.async_loader import Flights
    from cortex_policy.library.polling import Rounds
    from cortex_policy.library.subscriptions import GrantChanged, Subscriptions
    from cortex_policy.state.mapped_ledger import FileBudgets
    from cortex_policy.state.memory_budgets import MemoryBudgets

MOST_GRANTS = 64
_alive: "WeakSet[PolicyStore]" = WeakSet()


class PreloadResult(Value):
    """What `warm` did: the ids that loaded, and why others did not; under the empty id, why none could be listed."""

    loaded: tuple[str, ...]
    failures: "Mapping[str, CortexPolicyError]"


class PolicyStore(Decider):
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
        sinks: "Iterable[Sink]" = (),
    ) -> None:
        """Find the root; raise GrantError (25, 26) where there is none. From then on its name is followed.

        Budgets are counted in files shared by all processes, unless others are given. Each sink gets the event of each
        call that is enforced, after the audit log. Under the name of a `reader`, the
        store acknowledges each version of the stamp, for `cortex-policy stamp wait --reader`.
        """
        if type(max_grants) is not int or max_grants < 1:
            message = "max_grants must be an integer of at least 1"
            raise UsageError(message)
        super().__init__(find_root_name(None if root is None else exact_path(root)), max_grants, budgets, sinks)
        self._lock = allocate_lock()
        self._flights: Flights | None = None
        self._rounds: Rounds | None = None
        self._subscriptions: Subscriptions | None = None
        _alive.add(self)
        if reader is not None:
            from cortex_policy.library.acknowledgements import Reader  # noqa: PLC0415 - only where one is named

            self._started().add(Reader(self.root, reader))

    async def load_async(self, grant_id: str) -> Grant:
        """Do what `load` does while the event loop goes on; all who wait for a grant at one time share its read."""
        name = exact_text(grant_id, "an id")
        return await self._flying().shared(name, lambda: self.load(name))

    async def enforce_async(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Do what `enforce` does while the event loop goes on; raise when awaited.

        Who is cancelled while it is under way may have consumed budget.
        """
        return await self._flying().alone(lambda: self.enforce(grant_id, action, args, cost=cost))

    def preload(self, ids: "Iterable[str] | None" = None) -> PreloadResult:
        """Load these grants, or all of the root, as many as are kept; what fails is told, and raises nothing."""
        loaded: list[str] = []
        failures: dict[str, CortexPolicyError] = {}
        try:
            wanted = self._listed() if ids is None else list(ids)
        except CortexPolicyError as error:
            return PreloadResult((), {"": error})
        for grant_id in wanted:
            try:
                self.load(grant_id)
                loaded.append(grant_id)
            except CortexPolicyError as error:
                failures[grant_id] = error
        return PreloadResult(tuple(loaded), failures)

    def warm(self, ids: "Iterable[str] | None" = None) -> PreloadResult:
        """Do what `preload` does, under its old name, with a DeprecationWarning."""
        from cortex_policy.core.deprecated import warn  # noqa: PLC0415 - only old names need it

        warn("PolicyStore.warm", "preload")
        return self.preload(ids)

    def subscribe(self, callback: "Callable[[GrantChanged], object]") -> "Callable[[], None]":
        """Call back for each change of a grant from now on; return what ends that.

        Changes are looked for each 0.2 s, sooner where `watchfiles` is installed; writes to one grant that lie between
        two looks count as one. It is called in a thread of the store. What it raises goes to `threading.excepthook`,
        and ends neither the thread nor the subscription.
        """
        from cortex_policy.library.subscriptions import Subscriptions  # noqa: PLC0415 - only where one subscribes

        self._check_open()
        with self._lock:
            if self._subscriptions is None:
                self._subscriptions = Subscriptions(self.root)
            end = self._subscriptions.add(callback)
            self._started().add(self._subscriptions)
        return end

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
        written, self._written = self._written, None
        if written is not None:
            written.close()

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

    def _listed(self) -> list[str]:
        trust = Trust(self.root.resolve())
        try:
            with Directory(trust, "tools") as tools:
                trust.settle()
                return tools.grant_ids()[: self._cache.most]
        except FileNotFoundError:
            return []

    def _flying(self) -> "Flights":
        self._check_open()
        from cortex_policy.library.async_loader import Flights  # noqa: PLC0415 - loads `asyncio`

        with self._lock:
            if self._flights is None:
                self._flights = Flights()
            return self._flights

    def _started(self) -> "Rounds":
        if self._rounds is None:
            from cortex_policy.library.polling import Rounds  # noqa: PLC0415 - loads `threading`

            self._rounds = Rounds(self.root.resolve().tools)
        return self._rounds


def _leave_all() -> None:
    for store in list(_alive):
        store.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all)
