"""Everything except the grant that a decision depends on: trusted directories, stops, settings, the path to the root.

It is read once, and again when any of it may have changed: at once if the kernel reports changes (inotify, on a local
file system), and in any case after 20 ms, for what no kernel reports: mounts, other hosts, our own environment.
"""

import errno
import os
from _thread import allocate_lock
from time import monotonic_ns

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError, Origin, Settings
from cortex_policy.library.file_identity import Identity, is_timestamp_settled, make_identity
from cortex_policy.library.inotify import CONTENT, ENTRIES, ITSELF, Inotify
from cortex_policy.library.root_path_lookup import (
    UnresolvedRoot,
    find_plain_root_or_none,
    resolve_path_and_visit_each_part,
)
from cortex_policy.state import (
    Root,
    find_system_and_user_settings_directories,
    make_dot_cortex_path,
    make_policy_directory_path,
)
from cortex_policy.state.enforcement import check_host_stop, check_root_stop, load_effective_settings
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.ledger_directory import is_on_known_local_file_system
from cortex_policy.state.paths import ProtectedPaths, find_protected_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.root_path_lookup import Visit

MAX_AGE_NS = 20_000_000
RETRY_NS = 10_000_000_000  # until the next try, if no queue or watch was left
MAX_TRIES = 3  # the names to watch depend on settings, which are read only afterwards
_REPLACED = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL)  # part of the path was replaced just now


class Preconditions(Value):
    """The root, the settings, the protected paths, and the identity of the stamp if it is required.

    `plain_root` is the root with a `/`, if paths below it can be resolved from there: no link above it, no protected
    path above it or below it except in `.cortex`. Otherwise it is None.
    """

    root: Root
    identities: tuple[tuple[int, int], ...]
    settings: Settings
    protected: ProtectedPaths
    stamp: Identity | None
    plain_root: str | None
    plain_root_length: int = 0


class PreconditionWatcher:
    """Keeps the preconditions of one root up to date; safe to use from any thread.

    Each time they are read, a new `generation` begins; 0 means that they are unknown. A watched file that was examined
    in a generation need not be examined again while `is_unchanged` holds.
    """

    generation: int
    queue: int
    valid_until: int

    def __init__(self, name: UnresolvedRoot) -> None:
        """Watch nothing yet."""
        self.name = name
        self.preconditions: Preconditions | None = None  # as last read
        self.generation = 0
        self.queue = -1  # the descriptor of the events
        self.valid_until = 0
        self._reads = 0
        self._lock = allocate_lock()
        self._inotify: Inotify | None = None
        self._protected_names: tuple[str, ...] = ()  # as last read
        self._retry_at = self._retry_files_at = 0
        self._local_root: tuple[object, bool] = None, True

    def is_unchanged(self, generation: int) -> bool:
        """Whether nothing has changed since a generation began; this takes one system call."""
        inotify = self._inotify
        return (
            generation == self.generation != 0
            and inotify is not None
            and monotonic_ns() < self.valid_until
            and inotify.is_empty()
            and generation == self.generation  # INVARIANT: a thread ends the generation before it empties the queue
        )

    def current(self) -> tuple[Preconditions | None, int]:
        """Return the current preconditions and their generation; None if one of them denies, or cannot be read.

        While nothing changes, this is the same object. Generation 0 ends at once.
        """
        with self._lock:
            if self.is_unchanged(self.generation):  # another thread has just read them
                return self.preconditions, self.generation
            before, self.preconditions, self.generation, self.queue = self.preconditions, None, 0, -1
            now = monotonic_ns()
            try:
                preconditions, inotify = self._read_watched(now)
            except (CortexPolicyError, OSError):  # the full decision says which
                return None, 0
            self.preconditions = before if preconditions == before else preconditions
            self.valid_until = now + MAX_AGE_NS
            self._reads += 1
            if inotify is not None:
                self.generation, self.queue = self._reads, inotify.descriptor
            return self.preconditions, self.generation

    def watch_grant_file(self, file: str) -> bool:
        """Watch the file of a grant, which others keep, until it is unwatched; return whether that worked."""
        with self._lock:
            inotify, now = self._inotify, monotonic_ns()
            if inotify is None or self.generation == 0 or now < self._retry_files_at:
                return False
            try:
                inotify.watch_file(file)
            except OSError as error:
                if error.errno not in _REPLACED:
                    self._retry_files_at = now + RETRY_NS
                return False
            return True

    def unwatch_grant_file(self, file: str) -> None:
        """Stop watching the file of a grant, in the next round."""
        with self._lock:
            if self._inotify is not None:
                self._inotify.unwatch_file(file)

    def close(self) -> None:
        """Close all descriptors; later calls read everything each time."""
        with self._lock:
            self._retry_at = 1 << 63
            self._close_inotify()

    def make_usable_after_fork(self) -> None:
        """Start again in the child of a fork, which shares the queue with its parent."""
        self._lock = allocate_lock()
        self._close_inotify()

    def _close_inotify(self) -> None:
        self.preconditions, self.generation, self.queue = None, 0, -1
        inotify, self._inotify = self._inotify, None
        if inotify is not None:
            inotify.close()

    def _read_watched(self, now: int) -> "tuple[Preconditions, Inotify | None]":
        """Read the preconditions; return also the queue if everything was watched before it was read."""
        for _ in range(MAX_TRIES):
            inotify = self._begin_round(now)
            preconditions = read_preconditions(self.name)
            if not self._sees_changes(preconditions) and inotify is not None:
                inotify.clear()
                inotify = None
            if inotify is None:
                return preconditions, None
            if preconditions.protected.paths == self._protected_names:
                return preconditions, inotify
            self._protected_names = preconditions.protected.paths
        return preconditions, None

    def _begin_round(self, now: int) -> Inotify | None:
        """Return the queue, emptied and with everything watched; None if each call has to read everything."""
        if now < self._retry_at or not self._local_root[1]:
            return None
        try:
            inotify = self._inotify = self._inotify or Inotify()
            inotify.begin_round()
            _watch_all(inotify.watch, self.name, self._protected_names)
        except OSError as error:
            if error.errno not in _REPLACED:  # no queue or watch left, or a directory that may not be read
                self._retry_at = now + RETRY_NS
                if self._inotify is not None:
                    self._inotify.clear()
            return None
        return inotify

    def _sees_changes(self, preconditions: Preconditions) -> bool:
        """Whether this kernel sees every change of the root."""
        root = preconditions.root.path, preconditions.identities[0]
        if self._local_root[0] != root:
            try:
                self._local_root = root, is_on_known_local_file_system(preconditions.root.path)
            except OSError:  # no `/proc`
                self._local_root = root, False
        return self._local_root[1]


def read_preconditions(name: UnresolvedRoot) -> Preconditions:
    """Read all preconditions; raise CortexPolicyError or OSError if one of them denies, or cannot be read."""
    check_host_stop()
    root = name.resolve()
    trust = TrustCheck(root)
    with PolicyDirectory(trust) as directory:
        check_root_stop(directory)
        directory.descend("tools")
    trust.raise_if_unsafe()
    settings = load_effective_settings(root.path)
    root_identity, _, policy_identity, tools_identity = identities = tuple(directory.identities)
    origin = Origin(root.path, "", "", root_identity, policy_identity, tools_identity)
    protected = find_protected_paths(origin, settings)
    stamp = _read_stamp_identity(root) if settings.stamp == "require" else None
    plain_root = find_plain_root_or_none(root.path, protected)
    return Preconditions(root, identities, settings, protected, stamp, plain_root, len(plain_root or ""))


def _read_stamp_identity(root: Root) -> Identity:
    status = os.lstat(f"{root.policy_path}/stamp.json")
    identity = make_identity(status)
    if not is_timestamp_settled(identity):
        raise OSError(None, "it may be written again with the same time stamp")
    return identity


def _watch_all(visit: "Visit", name: UnresolvedRoot, protected_names: tuple[str, ...]) -> None:
    """Visit everything whose change could change the preconditions, before any of it is read."""
    top = resolve_path_and_visit_each_part(name.path, visit)
    if top is None:
        raise FileNotFoundError(errno.ENOENT, "no root", name.path)
    policy = make_policy_directory_path(top)
    visit(make_dot_cortex_path(top), ITSELF)
    visit(f"{policy}/tools", ENTRIES)
    for directory in (
        policy,
        *(
            resolve_path_and_visit_each_part(directory, visit)
            for directory in find_system_and_user_settings_directories()
        ),
    ):
        if directory is not None:
            _watch_contents(visit, directory)
    for path in protected_names:
        resolve_path_and_visit_each_part(path, visit)


def _watch_contents(visit: "Visit", directory: str) -> None:
    """Visit a directory, and the files in it that are read."""
    visit(directory, ENTRIES)
    for file in ("config.toml", "stamp.json"):
        try:
            visit(f"{directory}/{file}", CONTENT)
        except FileNotFoundError:  # the directory shows when it appears
            continue
