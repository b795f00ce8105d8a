"""What every decision of a root stands on besides its grant: trust, stops, settings, and the way that leads there.

It is looked at once, and again whenever any of it may have been changed: at once where the kernel can tell (inotify on
a local file system), and in any case each 20 ms, for what no kernel tells: mounts, other hosts, our own environment.
"""

import os
from _thread import allocate_lock
from time import monotonic_ns

from cortex_policy.core.model import CortexPolicyError, Origin, Settings, Value
from cortex_policy.state.enforcement import guarded, refuse_stop, refuse_stop_of_host, settings_of
from cortex_policy.state.grants import Directory, Root, Trust
from cortex_policy.state.ground import is_local
from cortex_policy.state.identity import Identity, identity_of, lies_still
from cortex_policy.state.ledger import settings_directories
from cortex_policy.state.places import Guarded
from cortex_policy.state.watching import APPEARED, ENTRIES, ITSELF, MOVED, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_AGAIN_NS = 20_000_000


class Premises(Value):
    """What was found: the settings, what governs, and the stamp where it counts.

    `straight` is the root with a `/` where paths below it can be resolved from there on: no link above it, nothing that
    governs above or beside it but `.cortex`; None where they cannot.
    """

    identities: tuple[tuple[int, int], ...]
    settings: Settings
    guarded: Guarded
    stamp: Identity | None
    straight: str | None
    length: int = 0  # of `straight`


class Ground:
    """The premises of one root, kept up to date; safe to ask from any thread.

    `generation` tells one look from the next, and is 0 while nothing is known. Who looked at a file in `tools` in a
    generation need not look again while `is_quiet`: the directory is watched.
    """

    def __init__(self, root: Root) -> None:
        """Watch nothing before it is asked."""
        self.root = root
        self.last: Premises | None = None  # as `current` found it
        self.generation = 0
        self.queue = -1  # of events
        self._looks = 0
        self._lock = allocate_lock()
        self.until = 0
        self._watch: Watch | None = None
        self._can_watch = True

    def is_quiet(self, generation: int) -> bool:
        """Whether nothing at all was changed since the look of a generation; asks the kernel for no more than that."""
        watch = self._watch
        return (
            generation == self.generation != 0
            and watch is not None
            and monotonic_ns() < self.until
            and watch.is_quiet()
            and generation == self.generation  # INVARIANT: who drains the queue ends the generation first
        )

    def current(self) -> tuple[Premises | None, int]:
        """Return what holds now, and in which generation; None where something denies or is amiss.

        It is the same value as long as nothing of it is new. Generation 0 is over at once.
        """
        with self._lock:
            if self.is_quiet(self.generation):  # another thread has just looked
                return self.last, self.generation
            before, self.last, self.generation = self.last, None, 0
            watch = self._armed()
            now = monotonic_ns()
            try:
                found = look(self.root)
            except (CortexPolicyError, OSError):  # the long way says what
                return None, 0
            self.last = before if found == before else found
            self.until = now + LOOK_AGAIN_NS
            self._looks += 1
            self.queue = watch.descriptor if watch is not None else -1
            self.generation = self._looks if watch is not None else 0
            return self.last, self.generation

    def close(self) -> None:
        """Give all descriptors back; what asks later looks each time."""
        with self._lock:
            self.last, self.generation, self.queue, self._can_watch = None, 0, -1, False
            watch, self._watch = self._watch, None
            if watch is not None:
                watch.close()

    def leave_to_parent(self) -> None:
        """Begin anew in a child of a fork: the queue is one for both."""
        self._lock, self.last, self.generation = allocate_lock(), None, 0
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def _armed(self) -> Watch | None:
        """Return the watch, drained and armed; None where a look has to do each time."""
        if not self._can_watch:
            return None
        watch = self._watch
        try:
            if watch is None:
                self._can_watch = is_local(self.root.path)
                watch = Watch() if self._can_watch else None
            if watch is not None:
                watch.drain()
                watch.arm(_watched(self.root))
        except OSError:  # too many watches, or a directory above the root that nobody may read
            if watch is not None:
                watch.close()
            watch = None
        self._watch = watch
        return watch


def look(root: Root) -> Premises:
    """Look at all of it; raise CortexPolicyError or OSError for whatever denies or is amiss."""
    refuse_stop_of_host()
    trust = Trust(root)
    with Directory(trust) as policy:
        refuse_stop(policy)
        policy.descend("tools")
    trust.settle()
    settings = settings_of(root.path)
    top, _, above, last = identities = tuple(policy.identities)
    governs = guarded(Origin(root.path, "", "", top, above, last), settings)
    stamp = _stamp(root) if settings.stamp == "require" else None
    straight = _straight(root.path, governs)
    return Premises(identities, settings, governs, stamp, straight, len(straight or ""))


def _stamp(root: Root) -> Identity:
    status = os.lstat(f"{root.path.rstrip('/')}/.cortex/policy/stamp.json")
    found = identity_of(status)
    if not lies_still(found):
        raise OSError(None, "it may be written again under the same time stamp")
    return found


def _straight(root: str, guarded: Guarded) -> str | None:
    top = f"{root.rstrip('/')}/"
    if os.path.realpath(root) != root or not root.isascii():
        return None
    folded = top.casefold()
    own = f"{folded}.cortex"
    for name in guarded.paths:
        other = f"{name.casefold().rstrip('/')}/"
        if other.startswith(folded) and not other.startswith(own):
            return None
        if folded.startswith(other):
            return None
    for above in _ancestors(root):
        status = os.lstat(above)
        if (status.st_dev, status.st_ino) in guarded.identities:
            return None
    return top


def _ancestors(path: str) -> "Iterator[str]":
    yield path
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _watched(root: Root) -> "Iterator[tuple[str, int]]":
    """Name the directories in which a change could change the premises, with the events that tell of one."""
    holder = f"{root.path.rstrip('/')}/.cortex"
    masks = dict.fromkeys(_ancestors(root.path), MOVED)
    masks.update(dict.fromkeys((root.path, holder), ITSELF))
    masks.update(dict.fromkeys((f"{holder}/policy", f"{holder}/policy/tools"), ENTRIES))
    for directory in settings_directories():
        real = os.path.realpath(directory)
        nearest = next(above for above in _ancestors(real) if os.path.isdir(above))
        masks[nearest] = masks.get(nearest, 0) | (ENTRIES if nearest == real else APPEARED)
    return iter(masks.items())
