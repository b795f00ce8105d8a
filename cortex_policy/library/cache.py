"""The grants that a store keeps: each as long as its file and its premises are what they were when it was read."""

import os
from _thread import allocate_lock
from collections import OrderedDict
from time import monotonic_ns, perf_counter

from cortex_policy.core.model import Decision, Grant, Settings, Value
from cortex_policy.core.prepared_grant import Prepared
from cortex_policy.library.file_identity import Identity, identity_of, lies_still
from cortex_policy.library.inotify import NOTHING, PENDING, ioctl
from cortex_policy.library.openat2 import Beneath
from cortex_policy.library.path_cache import Routes
from cortex_policy.library.path_lookup import RootName
from cortex_policy.library.preconditions import Ground, Premises

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cortex_policy.core.audit_line import LineForm

_lstat = os.lstat
_NO_ARGUMENTS: dict[str, object] = {}


class StoreStats(Value):
    """What a store did: uses of what it kept, first reads, reads of what had changed, grants that gave way, noes.

    They are counted without a lock: threads that count at one instant may count as one.
    """

    hits: int
    misses: int
    reloads: int
    evictions: int
    refusals: int
    load_seconds: float
    grants: int


class Entry:
    """One grant as it was read, ready for many calls; `premises` is None where it may not be kept."""

    file: str
    generation: int
    grant: "Grant"
    identity: "Identity | None"
    premises: "Premises | None"
    prepared: "Prepared"
    routes: "Routes | None"
    settings: "Settings"

    __slots__ = ("file", "generation", "grant", "identity", "lines", "premises", "prepared", "routes", "settings")

    def __init__(
        self,
        grant: Grant,
        settings: Settings,
        file: str,
        identity: Identity | None,
        premises: Premises | None,
        beneath: Beneath | None = None,
    ) -> None:
        """Prepare it."""
        self.grant, self.settings, self.file = grant, settings, file
        self.identity, self.premises = identity, premises
        self.generation = 0  # of the last look at its file
        self.prepared = Prepared(grant, settings)
        self.lines: dict[str, LineForm] = {}  # of the audit log, by action
        self.routes = Routes(self.prepared, premises, beneath) if premises is not None else None

    def yes(self, action: str, args: "Mapping[str, object] | None", *, is_told: bool) -> Decision | None:
        """Allow an ordinary call by every rule but the rate; None where the engine must look at it.

        `is_told`: with the budget as it is without hits, else with none.
        """
        prepared, routes = self.prepared, self.routes
        paths = prepared.paths(action, _NO_ARGUMENTS if args is None else args)
        if not paths or routes is None:
            return prepared.answer([], prepared.full if is_told else None) if paths == [] else None
        if len(paths) == 1:
            return routes.answer(*paths[0], is_told=is_told)
        found = routes.places(paths)
        return prepared.answer(found, prepared.full if is_told else None) if found is not None else None


class Cache:
    """The least recently used grant gives way; safe to ask from any thread."""

    ground: "Ground"

    def __init__(self, name: RootName, most: int) -> None:
        """Keep nothing yet."""
        self.ground = Ground(name)
        self.most = most
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = allocate_lock()
        self._latest: Entry | None = None
        self._root: tuple[Premises | None, Beneath | None] = None, None
        self._hits = self._misses = self._reloads = self._evictions = 0
        self._seconds = 0.0

    def standing(self, grant_id: str) -> Entry | None:
        """Return what is kept of a grant if it stands; None where it must be read, or the word is none."""
        entry = self._entries.get(grant_id) if type(grant_id) is str else None
        if entry is None:
            return None
        ground, generation = self.ground, entry.generation
        try:
            is_quiet = (  # `Ground.is_quiet`, without its calls
                generation == ground.generation != 0
                and monotonic_ns() < ground.until
                and ioctl(ground.queue, PENDING, NOTHING) == NOTHING
                and generation == ground.generation
            )
        except OSError:  # closed by another thread
            is_quiet = False
        if not is_quiet and not self._is_as_read(entry):
            return None
        self._hits += 1
        if entry is not self._latest:
            self._use(entry)
        return entry

    def looked_at(self, grant_id: str) -> Entry | None:
        """Do the same, and look at the file in any case."""
        entry = self.standing(grant_id)
        try:
            return entry if entry is not None and identity_of(_lstat(entry.file)) == entry.identity else None
        except OSError:
            return None

    def read(self, grant_id: str, reading: "Callable[[], tuple[Grant, Settings]]") -> Entry:
        """Read a grant, and keep it if nothing can change it without being noticed; raise what reading raises."""
        began = perf_counter()
        premises, _ = self.ground.current()
        file = f"{premises.root.tools}/{grant_id}.json" if premises is not None else ""
        before = _still(file)
        if before is not None:
            self.ground.watch_file(file)
        grant, settings = reading()
        is_kept = before is not None and before == _still(file) and settings == getattr(premises, "settings", None)
        beneath = self._beneath(premises) if premises is not None and is_kept else None
        # INVARIANT: asked last, so that what was read and what was looked at stood on the same
        is_kept = is_kept and self.ground.current()[0] is premises
        entry = Entry(grant, settings, file, before, premises if is_kept else None, beneath)
        with self._lock:
            self._note(grant_id, entry)
            self._seconds += perf_counter() - began
        return entry

    def _is_as_read(self, entry: Entry) -> bool:
        """Look at whether all is as it was when a grant was read."""
        premises, generation = self.ground.current()
        if premises is None or premises is not entry.premises:
            return False
        # INVARIANT: the file is looked at after the generation began, and after it was watched
        is_watched = self.ground.watch_file(entry.file)
        try:
            if identity_of(_lstat(entry.file)) != entry.identity:
                return False
        except OSError:
            return False
        entry.generation = generation if is_watched else 0
        return True

    def _beneath(self, premises: Premises) -> Beneath | None:
        """Return the root, kept open as long as the premises are the same ones; None where that cannot be."""
        known, beneath = self._root
        if known is not premises:
            try:
                beneath = Beneath(premises.root.path, premises.identities[0])
            except OSError:
                beneath = None
            self._root = premises, beneath
        return beneath

    def _use(self, entry: Entry) -> None:
        self._latest = entry
        try:
            self._entries.move_to_end(entry.grant.id)
        except KeyError:  # another thread let it go
            return

    def _note(self, grant_id: str, entry: Entry) -> None:
        before = self._entries.pop(grant_id, None)
        if before is None:
            self._misses += 1
        else:
            self._reloads += 1
            if before.file != entry.file:
                self.ground.drop_file(before.file)
        if entry.premises is not None:
            self._entries[grant_id] = entry
            while len(self._entries) > self.most:
                _, last = self._entries.popitem(last=False)
                self.ground.drop_file(last.file)
                self._evictions += 1

    def forget(self, grant_id: str | None = None) -> None:
        """Drop one grant, or all."""
        with self._lock:
            self._latest = None
            for name in (grant_id,) if grant_id is not None else tuple(self._entries):
                entry = self._entries.pop(name, None)
                if entry is not None:
                    self.ground.drop_file(entry.file)

    def stats(self, refusals: int) -> StoreStats:
        """Say what was done so far."""
        counted = (self._hits, self._misses, self._reloads, self._evictions, refusals)
        return StoreStats(*counted, self._seconds, len(self._entries))

    def close(self) -> None:
        """Drop all grants, and give descriptors back."""
        self.forget()
        self._root = None, None
        self.ground.close()

    def leave_to_parent(self) -> None:
        """Begin anew in a child of a fork."""
        self._lock = allocate_lock()
        self.ground.leave_to_parent()


def _still(file: str) -> Identity | None:
    """Return the identity of a file that cannot change unnoticed, None for any other."""
    try:
        found = identity_of(_lstat(file))
    except OSError:
        return None
    return found if lies_still(found) else None
