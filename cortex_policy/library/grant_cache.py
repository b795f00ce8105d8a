"""The grants that a store keeps. Each is used only while its file and its preconditions are unchanged."""

import os
from _thread import allocate_lock
from collections import OrderedDict
from time import monotonic_ns, perf_counter

from cortex_policy.core import Value
from cortex_policy.core.model import Decision, Grant, Settings
from cortex_policy.core.prepared_grant import PreparedGrant
from cortex_policy.library.file_identity import Identity, make_identity, read_stable_identity_or_none
from cortex_policy.library.inotify import FIONREAD, NO_EVENTS, ioctl
from cortex_policy.library.openat2 import Openat2
from cortex_policy.library.path_decision_cache import PathCache
from cortex_policy.library.preconditions import Preconditions, PreconditionWatcher
from cortex_policy.library.root_path_lookup import UnresolvedRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cortex_policy.core.audit_line_template import AuditLineTemplate

_lstat = os.lstat
_NO_ARGUMENTS: dict[str, object] = {}


class StoreStats(Value):
    """What a store has done so far.

    `hits` counts uses of kept grants, `misses` first reads, `reloads` reads after a change, `evictions` grants that
    were dropped for others, `refusals` denied calls. `load_seconds` is the time spent on reads, `grants` the number of
    grants kept now. There is no lock: two threads that count at one instant may count once.
    """

    hits: int
    misses: int
    reloads: int
    evictions: int
    refusals: int
    load_seconds: float
    grants: int


class CachedGrant:
    """One grant as it was read, prepared for many calls. `preconditions` is None if it may not be kept."""

    file: str
    generation: int
    grant: "Grant"
    identity: "Identity | None"
    preconditions: "Preconditions | None"
    prepared: "PreparedGrant"
    path_cache: "PathCache | None"
    settings: "Settings"

    __slots__ = (
        "file",
        "generation",
        "grant",
        "has_server",
        "identity",
        "lines",
        "path_cache",
        "preconditions",
        "prepared",
        "settings",
    )

    def __init__(
        self,
        grant: Grant,
        settings: Settings,
        file: str,
        identity: Identity | None,
        preconditions: Preconditions | None,
        root_lookup: Openat2 | None = None,
    ) -> None:
        """Prepare what every call of the grant shares."""
        self.grant, self.settings, self.file = grant, settings, file
        self.identity, self.preconditions = identity, preconditions
        self.has_server: bool = settings.budgets_url is not None  # which counts the budgets
        self.generation = 0  # in which its file was last verified
        self.prepared = PreparedGrant(grant, settings)
        self.lines: dict[str, AuditLineTemplate] = {}  # of the audit log, by action
        self.path_cache = PathCache(self.prepared, preconditions, root_lookup) if preconditions is not None else None

    def try_allow(self, action: str, args: "Mapping[str, object] | None", *, with_budget: bool) -> Decision | None:
        """Allow an ordinary call by every rule except the rate; None if the engine must decide it.

        `with_budget`: include the unused budget in the answer.
        """
        prepared, path_cache = self.prepared, self.path_cache
        paths = prepared.try_path_arguments(action, _NO_ARGUMENTS if args is None else args)
        if not paths or path_cache is None:
            return prepared.try_allow([], prepared.full_budget if with_budget else None) if paths == [] else None
        if len(paths) == 1:
            return path_cache.try_allow(*paths[0], with_budget=with_budget)
        resolved = path_cache.try_resolve(paths)
        if resolved is None:
            return None
        return prepared.try_allow(resolved, prepared.full_budget if with_budget else None)


class GrantCache:
    """Keeps the grants that were used last; safe to use from any thread."""

    watcher: "PreconditionWatcher"

    def __init__(self, name: UnresolvedRoot, max_grants: int) -> None:
        """Start empty."""
        self.watcher = PreconditionWatcher(name)
        self.max_grants = max_grants
        self._entries: OrderedDict[str, CachedGrant] = OrderedDict()
        self._lock = allocate_lock()
        self._last_used: CachedGrant | None = None
        self._root: tuple[Preconditions | None, Openat2 | None] = None, None
        self._hits = self._misses = self._reloads = self._evictions = 0
        self._load_seconds = 0.0

    def get_fresh(self, grant_id: str) -> CachedGrant | None:
        """Return a kept grant if nothing has changed; None if it must be read, or is not kept."""
        entry = self._entries.get(grant_id) if type(grant_id) is str else None
        if entry is None:
            return None
        watcher, generation = self.watcher, entry.generation
        try:
            is_unchanged = (  # `PreconditionWatcher.is_unchanged`, without its calls
                generation == watcher.generation != 0
                and monotonic_ns() < watcher.valid_until
                and ioctl(watcher.queue, FIONREAD, NO_EVENTS) == NO_EVENTS
                and generation == watcher.generation
            )
        except OSError:  # closed by another thread
            is_unchanged = False
        if not is_unchanged and not self._is_unchanged(entry):
            return None
        self._hits += 1
        if entry is not self._last_used:
            self._mark_used(entry)
        return entry

    def get_verified(self, grant_id: str) -> CachedGrant | None:
        """Return a kept grant as `get_fresh` does, and compare the file's identity in any case."""
        entry = self.get_fresh(grant_id)
        try:
            return entry if entry is not None and make_identity(_lstat(entry.file)) == entry.identity else None
        except OSError:
            return None

    def read_and_keep(self, grant_id: str, load: "Callable[[], tuple[Grant, Settings]]") -> CachedGrant:
        """Read a grant, and keep it if any change of it will be noticed; raise what `load` raises."""
        start = perf_counter()
        preconditions, _ = self.watcher.current()
        file = f"{preconditions.root.tools_path}/{grant_id}.json" if preconditions is not None else ""
        before = read_stable_identity_or_none(file)
        if before is not None:
            self.watcher.watch_grant_file(file)
        grant, settings = load()
        is_kept = before is not None and before == read_stable_identity_or_none(file)
        is_kept = is_kept and settings == getattr(preconditions, "settings", None)
        root_lookup = self._open_root_for_lookup(preconditions) if preconditions is not None and is_kept else None
        # INVARIANT: asked last, so that the grant was read under these preconditions
        is_kept = is_kept and self.watcher.current()[0] is preconditions
        entry = CachedGrant(grant, settings, file, before, preconditions if is_kept else None, root_lookup)
        with self._lock:
            self._store_entry(grant_id, entry)
            self._load_seconds += perf_counter() - start
        return entry

    def _is_unchanged(self, entry: CachedGrant) -> bool:
        """Whether the preconditions and the file are the same as when the grant was read."""
        preconditions, generation = self.watcher.current()
        if preconditions is None or preconditions is not entry.preconditions:
            return False
        # INVARIANT: the file is examined after the generation started, and after it was watched
        is_watched = self.watcher.watch_grant_file(entry.file)
        try:
            if make_identity(_lstat(entry.file)) != entry.identity:
                return False
        except OSError:
            return False
        entry.generation = generation if is_watched else 0
        return True

    def _open_root_for_lookup(self, preconditions: Preconditions) -> Openat2 | None:
        """Return the root, kept open while the preconditions stay the same; None if it cannot be opened."""
        last, lookup = self._root
        if last is not preconditions:
            try:
                lookup = Openat2(preconditions.root.path, preconditions.identities[0])
            except OSError:
                lookup = None
            self._root = preconditions, lookup
        return lookup

    def _mark_used(self, entry: CachedGrant) -> None:
        self._last_used = entry
        try:
            self._entries.move_to_end(entry.grant.id)
        except KeyError:  # another thread dropped it
            return

    def _store_entry(self, grant_id: str, entry: CachedGrant) -> None:
        before = self._entries.pop(grant_id, None)
        if before is None:
            self._misses += 1
        else:
            self._reloads += 1
            if before.file != entry.file:
                self.watcher.unwatch_grant_file(before.file)
        if entry.preconditions is not None:
            self._entries[grant_id] = entry
            while len(self._entries) > self.max_grants:
                _, last = self._entries.popitem(last=False)
                self.watcher.unwatch_grant_file(last.file)
                self._evictions += 1

    def forget(self, grant_id: str | None = None) -> None:
        """Drop one grant, or all, and end the watches of their files."""
        with self._lock:
            self._last_used = None
            for name in (grant_id,) if grant_id is not None else tuple(self._entries):
                entry = self._entries.pop(name, None)
                if entry is not None:
                    self.watcher.unwatch_grant_file(entry.file)

    def stats(self, refusals: int) -> StoreStats:
        """Return what was done so far."""
        counts = (self._hits, self._misses, self._reloads, self._evictions, refusals)
        return StoreStats(*counts, self._load_seconds, len(self._entries))

    def close(self) -> None:
        """Drop all grants and close all descriptors."""
        self.forget()
        self._root = None, None
        self.watcher.close()

    def make_usable_after_fork(self) -> None:
        """In the child of a fork, replace the lock and the queue of changes; the grants stay."""
        self._lock = allocate_lock()
        self.watcher.make_usable_after_fork()
