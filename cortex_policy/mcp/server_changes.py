"""What has changed among the files of a policy since the last look, whoever changed it and in whatever way.

The kernel reports a change before the call that makes it returns (inotify). Where it does not, and for what it does not
report, such as a root whose name leads elsewhere, the files are looked at every 0.2 s.
"""

import os

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.library.file_identity import stable_identity_or_none
from cortex_policy.library.inotify import CONTENT, ENTRIES, Inotify
from cortex_policy.mcp.server_files import PolicyFile, policy_names, read_file, read_stamp_or_none
from cortex_policy.state import Root, dot_cortex_path
from cortex_policy.state import stamp as stamps
from cortex_policy.state.policy_files import path_below_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.file_identity import Identity
    from cortex_policy.library.path_lookup import UnresolvedRoot
    from cortex_policy.state.stamp import Stamp

    # the state of a file, its digest and that in the stamp, and what is wrong with it
    Summary = tuple[str, str | None, str | None, str]

INTERVAL_SECONDS = 0.2


class Changes:
    """The files of a policy, as of the last look. Only one thread at a time may use it."""

    def __init__(self, name: "UnresolvedRoot") -> None:
        """Look for the first time."""
        self._name = name
        self._queue: Inotify | None = None
        self._trusted: object = None
        self._files: dict[str, tuple[Identity | None, PolicyFile]] = {}
        self._stamp: tuple[Identity | None, Stamp | None] = None, None
        self._known: dict[str, Summary] = {}
        self.find_changes()

    @property
    def descriptor(self) -> int:
        """The descriptor that can be read once something has changed, -1 if the kernel does not say."""
        return self._queue.descriptor if self._queue is not None else -1

    def find_changes(self) -> tuple[tuple[str, ...], bool]:
        """Return the names of files that are not as they were, sorted, and whether some have come or gone."""
        before, self._known = self._known, self._summaries(self._resolve())
        names = sorted({*before, *self._known})
        changed = tuple(name for name in names if before.get(name) != self._known.get(name))
        return changed, before.keys() != self._known.keys()

    def _resolve(self) -> Root | None:
        try:
            return self._name.resolve()
        except CortexPolicyError:
            return None

    def _summaries(self, root: Root | None) -> "dict[str, Summary]":
        self._watch(root)
        if root is None:
            return {}
        trusted = _trust_identity(root)
        if trusted != self._trusted:  # every file may be unsafe now, or no longer
            self._trusted, self._files = trusted, {}
        try:
            names = policy_names(root)
        except CortexPolicyError:
            return {}
        stamp = self._read_stamp(root)
        files = {name: self._read(root, name) for name in names}
        self._files = {name: found for name, found in files.items() if found is not None}
        return {name: _summary(file, stamp) for name, (_, file) in self._files.items()}

    def _watch(self, root: Root | None) -> None:
        """Empty the queue and watch both directories, before any file is examined."""
        try:
            self._queue = self._queue or Inotify()
            self._queue.begin_round()
            if root is not None:
                self._queue.watch(root.policy_path, ENTRIES | CONTENT)
                self._queue.watch(root.tools_path, ENTRIES | CONTENT)
        except OSError:  # no queue or watch is left, or a directory is missing: the next look is in 0.2 s
            return

    def _read(self, root: Root, name: str) -> "tuple[Identity | None, PolicyFile] | None":
        """Return a file as it was last read, if it is sure to be the same."""
        identity = stable_identity_or_none(f"{root.policy_path}/{path_below_policy(name)}")
        known = self._files.get(name)
        if known is not None and identity is not None and known[0] == identity:
            return known
        file = read_file(root, name)
        return (identity, PolicyFile(name, None, file.digest, file.error)) if file is not None else None

    def _read_stamp(self, root: Root) -> "Stamp | None":
        identity = stable_identity_or_none(stamps.stamp_file(root.path))
        if identity is None or self._stamp[0] != identity:
            self._stamp = identity, read_stamp_or_none(root)
        return self._stamp[1]


def _summary(file: PolicyFile, stamp: "Stamp | None") -> "Summary":
    stamped = stamp.digests.get(file.name) if stamp is not None else None
    return file.state_with(stamp), file.digest, stamped, str(file.error or "")


def _trust_identity(root: Root) -> object:
    """Return what decides whether the directories above a file are trusted."""
    found = []
    for path in (root.path, dot_cortex_path(root.path), root.policy_path, root.tools_path):
        try:
            status = os.lstat(path)
        except OSError:
            return None
        found.append((status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid))
    return tuple(found)
