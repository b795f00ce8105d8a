"""What every decision of a root depends on besides its grant: trust, stops, settings, and where names lead.

It is looked at once, and again whenever any of it may have been changed: at once where the kernel can tell (inotify on
a local file system), and in any case each 20 ms, for what no kernel tells: mounts, other hosts, our own environment.
"""

import errno
import os
from _thread import allocate_lock
from time import monotonic_ns

from cortex_policy.core.model import CortexPolicyError, Origin, Settings, Value
from cortex_policy.library.file_identity import Identity, identity_of, lies_still
from cortex_policy.library.inotify import CONTENT, ENTRIES, ITSELF, Watch
from cortex_policy.library.path_lookup import RootName, walk
from cortex_policy.state import Root, settings_directories
from cortex_policy.state.enforcement import refuse_stop, refuse_stop_of_host, settings_of
from cortex_policy.state.grants import Directory, Trust
from cortex_policy.state.ledger_directory import is_local
from cortex_policy.state.paths import Guarded, beginnings, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.library.path_lookup import See

LOOK_AGAIN_NS = 20_000_000
RETRY_NS = 10_000_000_000  # after which another watch is asked for, where there was none left
TRIES = 3  # of naming what is to be watched, which settings say that are read only then
_SWAPPED = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL)  # something on the way was replaced at this very moment


class Premises(Value):
    """What was found: the root, the settings, what governs, and the stamp where it counts.

    `straight` is the root with a `/` where paths below it can be resolved from there on: no link above it, nothing that
    governs above or beside it but `.cortex`; None where they cannot.
    """

    root: Root
    identities: tuple[tuple[int, int], ...]
    settings: Settings
    guarded: Guarded
    stamp: Identity | None
    straight: str | None
    length: int = 0  # of `straight`


class Ground:
    """The premises of one root, kept up to date; safe to ask from any thread.

    `generation` tells one look from the next, and is 0 while nothing is known. A file that was looked at in a
    generation need not be looked at again while `is_quiet`, if it is watched.
    """

    generation: int
    queue: int
    until: int

    def __init__(self, name: RootName) -> None:
        """Watch nothing before it is asked."""
        self.name = name
        self.last: Premises | None = None  # as `current` found it
        self.generation = 0
        self.queue = -1  # of events
        self.until = 0
        self._looks = 0
        self._lock = allocate_lock()
        self._watch: Watch | None = None
        self._watched: tuple[str, ...] = ()  # names of what governs, as the last look found them
        self._retry_at = self._retry_files_at = 0
        self._is_local: tuple[object, bool] = None, True

    def is_quiet(self, generation: int) -> bool:
        """Whether nothing at all was changed since the look of a generation; asks the kernel for no more than that."""
        watch = self._watch
        return (
            generation == self.generation != 0
            and watch is not None
            and monotonic_ns() < self.until
            and watch.is_quiet()
            and generation == self.generation  # INVARIANT: whoever drains the queue ends the generation first
        )

    def current(self) -> tuple[Premises | None, int]:
        """Return what holds now, and in which generation; None where something denies or is amiss.

        It is the same value as long as nothing of it is new. Generation 0 is over at once.
        """
        with self._lock:
            if self.is_quiet(self.generation):  # another thread has just looked
                return self.last, self.generation
            before, self.last, self.generation, self.queue = self.last, None, 0, -1
            now = monotonic_ns()
            try:
                found, watch = self._look(now)
            except (CortexPolicyError, OSError):  # the long way says what
                return None, 0
            self.last = before if found == before else found
            self.until = now + LOOK_AGAIN_NS
            self._looks += 1
            if watch is not None:
                self.generation, self.queue = self._looks, watch.descriptor
            return self.last, self.generation

    def watch_file(self, file: str) -> bool:
        """Whether what bears the name of a file now is watched until it is dropped, by whatever name it is written."""
        with self._lock:
            watch, now = self._watch, monotonic_ns()
            if watch is None or self.generation == 0 or now < self._retry_files_at:
                return False
            try:
                watch.keep(file)
            except OSError as error:
                if error.errno not in _SWAPPED:
                    self._retry_files_at = now + RETRY_NS
                return False
            return True

    def drop_file(self, file: str) -> None:
        """Watch a file no longer."""
        with self._lock:
            if self._watch is not None:
                self._watch.drop(file)

    def close(self) -> None:
        """Give all descriptors back; what asks later looks each time."""
        with self._lock:
            self._retry_at = 1 << 63
            self._leave()

    def leave_to_parent(self) -> None:
        """Begin anew in a child of a fork: the queue is one for both."""
        self._lock = allocate_lock()
        self._leave()

    def _leave(self) -> None:
        self.last, self.generation, self.queue = None, 0, -1
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def _look(self, now: int) -> "tuple[Premises, Watch | None]":
        """Look at all of it; return also the watch if all that it depends on was watched before it was looked at."""
        for _ in range(TRIES):
            watch = self._armed(now)
            found = look(self.name)
            if not self._may_watch(found) and watch is not None:
                watch.clear()
                watch = None
            if watch is None:
                return found, None
            if found.guarded.paths == self._watched:
                return found, watch
            self._watched = found.guarded.paths
        return found, None

    def _armed(self, now: int) -> Watch | None:
        """Return the watch, with nothing in its queue that is older than this; None where each call has to look."""
        if now < self._retry_at or not self._is_local[1]:
            return None
        try:
            watch = self._watch = self._watch or Watch()
            watch.begin()
            _watch_all(watch.add, self.name, self._watched)
        except OSError as error:
            if error.errno not in _SWAPPED:  # no watch left, or a directory that nobody may read
                self._retry_at = now + RETRY_NS
                if self._watch is not None:
                    self._watch.clear()
            return None
        return watch

    def _may_watch(self, found: Premises) -> bool:
        """Whether this kernel sees each change of the root that was found."""
        place = found.root.path, found.identities[0]
        if self._is_local[0] != place:
            try:
                self._is_local = place, is_local(found.root.path)
            except OSError:  # no `/proc`
                self._is_local = place, False
        return self._is_local[1]


def look(name: RootName) -> Premises:
    """Look at all of it; raise CortexPolicyError or OSError for whatever denies or is amiss."""
    refuse_stop_of_host()
    root = name.resolve()
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
    return Premises(root, identities, settings, governs, stamp, straight, len(straight or ""))


def _stamp(root: Root) -> Identity:
    status = os.lstat(f"{root.path.rstrip('/')}/.cortex/policy/stamp.json")
    found = identity_of(status)
    if not lies_still(found):
        raise OSError(None, "it may be written again under the same time stamp")
    return found


def _straight(root: str, guarded: Guarded) -> str | None:
    top = f"{root.rstrip('/')}/"
    if not root.isascii():
        return None
    folded = top.casefold()
    own = f"{folded}.cortex"
    for name in guarded.paths:
        other = f"{name.casefold().rstrip('/')}/"
        if other.startswith(folded) and not other.startswith(own):
            return None
        if folded.startswith(other):
            return None
    if any(folded.startswith(beginnings(log)) for log in guarded.logs):
        return None  # as what a log is rotated to
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


def _watch_all(see: "See", name: RootName, governing: tuple[str, ...]) -> None:
    """Show everything whose change could change the premises, before any of it is looked at."""
    top = walk(name.path, see)
    if top is None:
        raise FileNotFoundError(errno.ENOENT, "no root", name.path)
    holder = f"{top.rstrip('/')}/.cortex"
    see(holder, ITSELF)
    see(f"{holder}/policy/tools", ENTRIES)
    for directory in (f"{holder}/policy", *(walk(directory, see) for directory in settings_directories())):
        if directory is not None:
            _watch_contents(see, directory)
    for path in governing:
        walk(path, see)


def _watch_contents(see: "See", directory: str) -> None:
    """Show a directory, and the files in it that are read."""
    see(directory, ENTRIES)
    for file in ("config.toml", "stamp.json"):
        try:
            see(f"{directory}/{file}", CONTENT)
        except FileNotFoundError:  # its appearance is seen
            continue
