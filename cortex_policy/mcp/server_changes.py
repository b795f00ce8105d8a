"""What has changed among the files of a policy since the last look, whoever changed it and in whatever way.

The kernel reports a change before the call that makes it returns (inotify), also of where the name of the root leads.
The files are looked at every second as well, for what it does not report, such as mounts; every 0.2 s where it reports
nothing, or not all, as of a network disk.
"""

import os
from contextlib import suppress

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.library.file_identity import read_stable_identity_or_none
from cortex_policy.library.inotify import CONTENT, ENTRIES, ITSELF, Inotify
from cortex_policy.library.root_path_lookup import resolve_path_and_visit_each_part
from cortex_policy.mcp.server_files import (
    PolicyFile,
    list_possible_policy_files,
    load_policy_file_or_none,
    read_stamp_or_none,
)
from cortex_policy.state import Root, make_dot_cortex_path
from cortex_policy.state import stamp as stamps
from cortex_policy.state.ledger_directory import is_on_known_local_file_system
from cortex_policy.state.policy_files import make_file_path_below_policy_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.file_identity import Identity
    from cortex_policy.library.root_path_lookup import UnresolvedRoot
    from cortex_policy.state.stamp import Stamp

    # the state of a file, its digest and that in the stamp, and what is wrong with it
    Summary = tuple[str, str | None, str | None, str]

TOLD_SECONDS, UNTOLD_SECONDS = 1.0, 0.2


class Changes:
    """The files of a policy, as of the last look. Only one thread at a time may use it."""

    def __init__(self, name: "UnresolvedRoot") -> None:
        """Look for the first time."""
        self._name = name
        self._queue: Inotify | None = None
        self._is_told = False
        self._local_root: tuple[str, bool] = "", False
        self._trusted: object = None
        self._files: dict[str, tuple[Identity | None, PolicyFile]] = {}
        self._stamp: tuple[Identity | None, Stamp | None] = None, None
        self._known: dict[str, Summary] = {}
        self.find_changes()

    @property
    def descriptor(self) -> int:
        """The descriptor that can be read once something has changed, -1 if the kernel does not say."""
        return self._queue.descriptor if self._queue is not None else -1

    @property
    def seconds_to_next_look(self) -> float:
        """How long the next look can wait if the descriptor cannot be read before."""
        return TOLD_SECONDS if self._is_told else UNTOLD_SECONDS

    def find_changes(self) -> tuple[tuple[str, ...], bool]:
        """Return the names of files that are not as they were, sorted, and whether some have come or gone."""
        before, self._known = self._known, self._summaries(self._find_root())
        names = sorted({*before, *self._known})
        changed = tuple(name for name in names if before.get(name) != self._known.get(name))
        return changed, before.keys() != self._known.keys()

    def _resolve(self) -> Root | None:
        try:
            return self._name.resolve()
        except CortexPolicyError:
            return None

    def _summaries(self, root: Root | None) -> "dict[str, Summary]":
        if root is None:
            return {}
        trusted = _trust_identity(root)
        if trusted != self._trusted:  # every file may be unsafe now, or no longer
            self._trusted, self._files = trusted, {}
        try:
            names = list_possible_policy_files(root)
        except CortexPolicyError:
            return {}
        stamp = self._read_stamp(root)
        files = {name: self._read(root, name) for name in names}
        self._files = {name: found for name, found in files.items() if found is not None}
        return {name: _summary(file, stamp) for name, (_, file) in self._files.items()}

    def _find_root(self) -> Root | None:
        """Return the root, after all that leads to it and to its files is watched; nothing was examined before."""
        self._is_told, queue = False, self._begin_round()
        root = self._resolve()
        if queue is not None and root is not None:
            with suppress(OSError):  # a directory is missing: the next look is soon
                queue.watch(make_dot_cortex_path(root.path), ITSELF)
                queue.watch(root.policy_path, ENTRIES | CONTENT)
                queue.watch(root.tools_path, ENTRIES | CONTENT)
                self._is_told = self._is_local(root)
        return root

    def _begin_round(self) -> Inotify | None:
        """Empty the queue, and watch the way to the root; return None if the kernel does not report changes."""
        try:
            self._queue = self._queue or Inotify()
            self._queue.begin_round()
            resolve_path_and_visit_each_part(self._name.path, self._queue.watch)
        except OSError:  # no queue or watch is left, or a directory may not be read
            return None
        return self._queue

    def _is_local(self, root: Root) -> bool:
        """Whether this kernel sees every change of the root."""
        if self._local_root[0] != root.path:
            self._local_root = root.path, is_on_known_local_file_system(root.path)
        return self._local_root[1]

    def _read(self, root: Root, name: str) -> "tuple[Identity | None, PolicyFile] | None":
        """Return a file as it was last read, if it is sure to be the same."""
        identity = read_stable_identity_or_none(f"{root.policy_path}/{make_file_path_below_policy_directory(name)}")
        known = self._files.get(name)
        if known is not None and identity is not None and known[0] == identity:
            return known
        file = load_policy_file_or_none(root, name)
        return (identity, PolicyFile(name, None, file.digest, file.error)) if file is not None else None

    def _read_stamp(self, root: Root) -> "Stamp | None":
        identity = read_stable_identity_or_none(stamps.make_stamp_path(root.path))
        if identity is None or self._stamp[0] != identity:
            self._stamp = identity, read_stamp_or_none(root)
        return self._stamp[1]


def _summary(file: PolicyFile, stamp: "Stamp | None") -> "Summary":
    stamped = stamp.digests.get(file.name) if stamp is not None else None
    return file.listed_state(stamp), file.digest, stamped, str(file.error or "")


def _trust_identity(root: Root) -> object:
    """Return what decides whether the directories above a file are trusted."""
    found = []
    for path in (root.path, make_dot_cortex_path(root.path), root.policy_path, root.tools_path):
        try:
            status = os.lstat(path)
        except OSError:
            return None
        found.append((status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid))
    return tuple(found)
