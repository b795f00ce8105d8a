"""A store for long-running programs: it keeps grants in memory, and never decides by one that has changed."""

import os
from _thread import allocate_lock
from functools import partial
from weakref import WeakSet

from cortex_policy.core import Value
from cortex_policy.core.input_values import convert_path_value_to_text, require_text
from cortex_policy.core.model import CortexPolicyError, Decision, Grant, UsageError
from cortex_policy.library.cached_grant_decider import Decider
from cortex_policy.library.root_path_lookup import find_root_keeping_links
from cortex_policy.state.grants import PolicyDirectory, TrustCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from cortex_policy.core.audit_sink import Sink
    from cortex_policy.library.async_loader import AsyncExecutor
    from cortex_policy.library.grant_cache import CachedGrant
    from cortex_policy.library.store_thread import StoreThread
    from cortex_policy.library.subscriptions import GrantChanged, Subscriptions
    from cortex_policy.state.file_budgets import FileBudgets
    from cortex_policy.state.memory_budgets import MemoryBudgets
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets

DEFAULT_MAX_GRANTS = 64
_stores: "WeakSet[PolicyStore]" = WeakSet()


class PreloadResult(Value):
    """What `preload` did: the ids that loaded, and the errors of the others by id.

    If the ids could not be listed, that error has the empty id.
    """

    loaded: tuple[str, ...]
    failures: "Mapping[str, CortexPolicyError]"


class PolicyStore(Decider):
    """The grants of one root, for a process that decides often, from any number of threads and event loops.

    A decision that begins after a write has returned uses what was written, by any writer and in any way. A
    kept grant is used only while its file's identity, the trust in the directories above it, the settings and the
    stops are unchanged. `Decision.grant_sha256` names the bytes that were used. After a fork, the store starts again in
    the child.
    """

    def __init__(
        self,
        root: "str | os.PathLike[str] | None" = None,
        max_grants: int = DEFAULT_MAX_GRANTS,
        *,
        budgets: "FileBudgets | MemoryBudgets | RedisBudgets | None" = None,
        reader: str | None = None,
        sinks: "Iterable[Sink]" = (),
    ) -> None:
        """Find the root; raise GrantError (25, 26) if there is none. From then on its name is followed.

        Budgets are counted in files shared by all processes, unless others are given. Each sink gets the event of each
        enforced call, after the audit log. If a `reader` is named, the store acknowledges each version of the stamp
        under this name, for `cortex-policy stamp wait --reader`.
        """
        if type(max_grants) is not int or max_grants < 1:
            message = "max_grants must be an integer of at least 1"
            raise UsageError(message)
        super().__init__(
            find_root_keeping_links(None if root is None else convert_path_value_to_text(root)),
            max_grants,
            budgets,
            sinks,
        )
        self._lock = allocate_lock()
        self._executor: AsyncExecutor | None = None
        self._polling: StoreThread | None = None
        self._subscriptions: Subscriptions | None = None
        _stores.add(self)
        if reader is not None:
            from cortex_policy.library.reader_acknowledgements import ReaderAcknowledger  # noqa: PLC0415 - few have one

            self._get_polling().add(ReaderAcknowledger(self.root, reader))

    async def load_async(self, grant_id: str) -> Grant:
        """Load a grant without blocking the event loop; calls for the same grant at one time share one read."""
        name = require_text(grant_id, "an id")
        return await self._get_executor().run_shared(name, lambda: self.load(name))

    async def enforce_async(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None" = None, *, cost: int = 1
    ) -> Decision:
        """Enforce a call without blocking the event loop; errors are raised when it is awaited.

        If the call is cancelled while it runs, its budget may already be consumed.
        """
        work = partial(self._enforce_but_server, grant_id, action, args, cost)
        found = await self._get_executor().run_in_thread(work)
        if isinstance(found, Decision):
            return found
        entry, allowed = found
        decision = await self._budgets.on_server(entry).decide_async(entry, action, allowed)
        return self._allowed_or_raise(entry, action, decision)

    def _enforce_but_server(
        self, grant_id: str, action: str, args: "Mapping[str, object] | None", cost: int
    ) -> "Decision | tuple[CachedGrant, Decision]":
        """Enforce a call; if only a server is left to be asked, return the grant, and what all other rules decide."""
        entry = self._cache.get_fresh(grant_id)
        if entry is not None and entry.has_server and self._budgets.given is None and self._is_ordinary(entry, cost):
            allowed = entry.try_allow(action, args, with_budget=False)
            if allowed is not None:
                self._budgets.on_server(entry).open()
                return entry, allowed
        return self.enforce(grant_id, action, args, cost=cost)

    def _is_ordinary(self, entry: "CachedGrant", cost: int) -> bool:
        """Whether nothing is recorded of a call of one hit."""
        return type(cost) is int and cost == 1 and not self._sinks and entry.settings.audit_file is None

    def preload(self, ids: "Iterable[str] | None" = None) -> PreloadResult:
        """Load these grants, or those of the root up to `max_grants`; return failures instead of raising them."""
        loaded: list[str] = []
        failures: dict[str, CortexPolicyError] = {}
        try:
            grant_ids = self._grant_ids() if ids is None else list(ids)
        except CortexPolicyError as error:
            return PreloadResult((), {"": error})
        for grant_id in grant_ids:
            try:
                self.load(grant_id)
                loaded.append(grant_id)
            except CortexPolicyError as error:
                failures[grant_id] = error
        return PreloadResult(tuple(loaded), failures)

    def warm(self, ids: "Iterable[str] | None" = None) -> PreloadResult:
        """Preload grants: the old name of `preload`, which warns."""
        from cortex_policy.core.deprecated import warn_deprecated  # noqa: PLC0415 - only old names need it

        warn_deprecated("PolicyStore.warm", "preload")
        return self.preload(ids)

    def subscribe(self, callback: "Callable[[GrantChanged], object]") -> "Callable[[], None]":
        """Call a function for each change of a grant from now on; return a function that ends this.

        The store looks for changes every 0.2 s, or sooner if `watchfiles` is installed. Several writes to one grant
        between two looks are one change. The callback runs in a thread of the store; an error goes to
        `threading.excepthook` and ends neither the thread nor the subscription.
        """
        from cortex_policy.library.subscriptions import Subscriptions  # noqa: PLC0415 - few subscribe

        self._check_open()
        with self._lock:
            if self._subscriptions is None:
                self._subscriptions = Subscriptions(self.root)
            unsubscribe = self._subscriptions.add(callback)
            self._get_polling().add(self._subscriptions)
        return unsubscribe

    def close(self) -> None:
        """End all threads and close all descriptors; every later use raises UsageError."""
        self._is_closed = True
        for part in (self._polling, self._executor):
            if part is not None:
                part.close()
        self._cache.close()
        self._budgets.close()
        writer, self._audit_writer = self._audit_writer, None
        if writer is not None:
            writer.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *_: object) -> None:
        from asyncio import to_thread  # noqa: PLC0415 - only in an event loop, which has it

        await to_thread(self.close)

    def make_usable_after_fork(self) -> None:
        """Start again in the child of a fork, without the threads and subscriptions of the parent."""
        self._lock = allocate_lock()
        self._cache.make_usable_after_fork()
        if self._polling is not None:
            self._polling.release_callbacks()
        self._polling = self._executor = self._subscriptions = None

    def _grant_ids(self) -> list[str]:
        trust = TrustCheck(self.root.resolve())
        try:
            with PolicyDirectory(trust, "tools") as tools:
                trust.raise_if_unsafe()
                return tools.grant_ids()[: self._cache.max_grants]
        except FileNotFoundError:
            return []

    def _get_executor(self) -> "AsyncExecutor":
        self._check_open()
        from cortex_policy.library.async_loader import AsyncExecutor  # noqa: PLC0415 - loads `asyncio`

        with self._lock:
            if self._executor is None:
                self._executor = AsyncExecutor()
            return self._executor

    def _get_polling(self) -> "StoreThread":
        if self._polling is None:
            from cortex_policy.library.store_thread import StoreThread  # noqa: PLC0415 - loads `threading`

            self._polling = StoreThread(self.root.resolve().tools_path)
        return self._polling


def _reset_all_after_fork() -> None:
    for store in list(_stores):
        store.make_usable_after_fork()


os.register_at_fork(after_in_child=_reset_all_after_fork)
