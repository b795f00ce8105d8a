"""One write of grants under the writers' lock: a stamp that says what is pending, the grant, the final stamp.

An interrupted write is healed by whoever takes the lock next (contracts, section 6).
"""

import os
from contextlib import contextmanager, suppress

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import STAMP_MISMATCH, GrantError
from cortex_policy.manage.stamping import digests, known_version
from cortex_policy.state import stamp as stamps
from cortex_policy.state.files import NEW, replace
from cortex_policy.state.grants import Directory, Root, Trust
from cortex_policy.state.stamp import Stamp, digest_of
from cortex_policy.state.writers import NotDone, locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Pairs = dict[str, tuple[str | None, str | None]]


@contextmanager
def writing(root: Root, wait_seconds: float = 0.0) -> "Iterator[Writer]":
    """Hold the writers' lock, with the last write healed; raise NotDone where another holds it, or the disk refuses."""
    with locked(root, wait_seconds) as policy:
        with suppress(FileExistsError):
            os.mkdir("tools", 0o755, dir_fd=policy.descriptor)
        with Directory(Trust(root), "tools") as tools:
            writer = Writer(root, policy, tools)
            writer.heal()
            yield writer


class Writer:
    """Reads and writes the grants of a root while its lock is held."""

    def __init__(self, root: Root, policy: Directory, tools: Directory) -> None:
        """Take the opened directories."""
        self.root, self._policy, self._tools = root, policy, tools

    @property
    def policy(self) -> Directory:
        """The open directory that holds the lock."""
        return self._policy

    def read(self, grant_id: str) -> bytes | None:
        """Return the bytes of a grant, None where there is none."""
        try:
            return self._tools.read(f"{grant_id}.json", MAX_BYTES + 1)
        except FileNotFoundError:
            return None

    def put(self, grant_id: str, old: bytes | None, new: bytes) -> int | None:
        """Write a grant that was made from these old bytes, None for a new one; return the version of the stamp.

        None where the disk refused the last step: the next write finishes it, and readers accept it as it stands.
        Raises NotDone where the grant is not what it was made from, GrantError (23) where it differs from its stamp.
        """
        self._expect(grant_id, old)
        name = f"{grant_id}.json"
        pairs: Pairs = {grant_id: (_digest(old), digest_of(new))}
        return self._commit(pairs, lambda: replace(self._tools.descriptor, name, new))

    def remove(self, grant_id: str, old: bytes) -> int | None:
        """Remove a grant; return and raise as `put` does."""
        self._expect(grant_id, old)
        pairs: Pairs = {grant_id: (_digest(old), None)}
        return self._commit(pairs, lambda: os.unlink(f"{grant_id}.json", dir_fd=self._tools.descriptor))

    def rename(self, grant_id: str, other: str, old: bytes) -> int | None:
        """Give a grant another id by a single rename of its file; return and raise as `put` does."""
        self._expect(grant_id, old)
        self._expect(other, None)
        pairs: Pairs = {grant_id: (_digest(old), None), other: (None, _digest(old))}
        tools = self._tools.descriptor
        names = f"{grant_id}.json", f"{other}.json"
        return self._commit(pairs, lambda: os.rename(*names, src_dir_fd=tools, dst_dir_fd=tools))

    def heal(self) -> None:
        """Finish or drop what an interrupted write left: by what stands there, never by what was meant."""
        stamp = self._stamp()
        if stamp is not None and stamp.pending:
            grants, version = dict(stamp.grants), stamp.version
            for grant_id, (old, new) in stamp.pending.items():
                now = _digest(self.read(grant_id))
                if now == new != old:  # neither of them: a hand edit, which goes on differing from the old one
                    _set(grants, grant_id, new)
                    version = stamp.version + 1
            self._replace(Stamp(version, grants, {}))
        for directory in (self._policy.descriptor, self._tools.descriptor):
            for name in os.listdir(directory):
                if name.startswith(NEW):  # only who holds the lock makes such a file
                    os.unlink(name, dir_fd=directory)

    def _stamp(self) -> Stamp | None:
        file = stamps.stamp_file(self.root.path)
        data = stamps.read_bytes(self._policy)
        stamp = stamps.decode(data, file) if data is not None else None
        if stamp is not None:
            known_version(stamp, file)
        return stamp

    def _replace(self, stamp: Stamp) -> None:
        replace(self._policy.descriptor, "stamp.json", stamps.encode(stamp))

    def _expect(self, grant_id: str, old: bytes | None) -> None:
        if self.read(grant_id) != old:
            what = "is there already" if old is None else "was changed meanwhile, by somebody who took no lock"
            raise NotDone(f"`{grant_id}` {what}", "look at it, then try again")

    def _commit(self, pairs: "Pairs", act: "Callable[[], None]") -> int | None:
        stamp = self._stamp()
        if stamp is None:  # the first write stamps every grant
            act()
            return self._finish(Stamp(1, digests(self.root), {}))
        for grant_id, (old, _) in pairs.items():
            if stamp.grants.get(grant_id) != old:
                hint = "look at it, then accept it with `cortex-policy stamp write`"
                raise GrantError(STAMP_MISMATCH, f"`{grant_id}`", hint)
        if stamp.version + 1 not in stamps.VERSIONS:
            raise NotDone("the version of the stamp cannot go up any more")
        self._replace(Stamp(stamp.version, stamp.grants, pairs))
        try:
            act()
            os.fsync(self._tools.descriptor)
        except BaseException:
            with suppress(OSError, GrantError):  # what stood in the way is told, not this
                self.heal()
            raise
        grants = dict(stamp.grants)
        for grant_id, (_, new) in pairs.items():
            _set(grants, grant_id, new)
        return self._finish(Stamp(stamp.version + 1, grants, {}))

    def _finish(self, stamp: Stamp) -> int | None:
        try:
            self._replace(stamp)
        except OSError:
            return None
        return stamp.version


def _set(grants: dict[str, str], grant_id: str, digest: str | None) -> None:
    if digest is None:
        grants.pop(grant_id, None)
    else:
        grants[grant_id] = digest


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest_of(data)
