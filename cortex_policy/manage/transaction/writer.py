"""One write of grants under the writers' lock: history entry, a stamp that says what is pending, grant, final stamp.

An interrupted write is healed by whoever takes the lock next (contracts, section 6).
"""

import os
import stat
from contextlib import contextmanager, suppress
from shlex import quote

from cortex_policy.core.compare.grants import SAME, GrantComparison
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import GRANT_UNSAFE, STAMP_MISMATCH, CortexPolicyError, GrantError
from cortex_policy.manage.transaction.record import entry_for_write, history_limits
from cortex_policy.manage.transaction.recovery import (
    current_stamp,
    digest_grants,
    digest_or_none,
    merge_digests,
    pending_digests,
    recover,
)
from cortex_policy.state import Root, git_ignore
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import replace, settle
from cortex_policy.state.grants import Directory
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.history import History
from cortex_policy.state.history_entry import MODES
from cortex_policy.state.permissions import WRITERS
from cortex_policy.state.safe_directories import make_directory
from cortex_policy.state.stamp import Stamp
from cortex_policy.state.writer_lock import AT_ONCE, Lock, NotDone, Patience, locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.transaction.recovery import GrantBytes

    Verify = Callable[[], None]  # raises where a grant is not any more what its change was made from


@contextmanager
def write_transaction(root: Root, patience: Patience = AT_ONCE, command: str = "write") -> "Iterator[Writer]":
    """Hold the writers' lock, with the last write healed; raise NotDone where another holds it, or the disk refuses.

    The command is what the history calls the writes.
    """
    with locked(root, patience) as lock:
        make_directory(lock.policy.descriptor, "tools")
        with lock.tools() as tools:
            writer = Writer(root, lock, tools, command)
            writer.recover()
            yield writer


class Writer:
    """Reads and writes the grants of a root while its lock is held."""

    root: "Root"

    def __init__(self, root: Root, lock: Lock, tools: Directory, command: str) -> None:
        """Take the lock, the opened directory of the grants, and the word for what is done."""
        self.root, self._lock, self._policy, self._tools = root, lock, lock.policy, tools
        self._command, self._history = command, History(lock, history_limits(root))

    @property
    def policy(self) -> Directory:
        """The open directory that holds the lock."""
        return self._policy

    @property
    def is_own(self) -> bool:
        """Whether the grants are the caller's, who then wrote them, and not those of another user."""
        return os.fstat(self._tools.descriptor).st_uid == os.geteuid()

    def read(self, grant_id: str) -> bytes | None:
        """Return the bytes of a grant, None where there is none."""
        try:
            return self._tools.read(f"{grant_id}.json", MAX_BYTES + 1)
        except FileNotFoundError:
            return None

    def mode(self, grant_id: str) -> int:
        """Return who may read and write a grant, for another that is made of it; never everyone."""
        status = os.stat(f"{grant_id}.json", dir_fd=self._tools.descriptor, follow_symlinks=False)
        return stat.S_IMODE(status.st_mode) & MODES

    def write(self, grant_id: str, old: bytes | None, new: bytes, mode: int = 0o644) -> int | None:
        """Write a grant that was made from these old bytes, None for a new one; return the version of the stamp.

        The mode is that of a new one; another keeps its own.
        None where the disk refused the last step: the next write finishes it, and readers accept it as it stands.
        Raises NotDone where the grant is not what it was made from, GrantError (23) where it differs from its stamp.
        """
        self.check_permissions(grant_id)

        def act(look: "Verify") -> None:
            replace(self._tools.descriptor, f"{grant_id}.json", new, mode, look)

        return self._commit({grant_id: (old, new)}, act)

    def remove(self, grant_id: str, old: bytes) -> int | None:
        """Remove a grant; return and raise as `write` does."""

        def act(look: "Verify") -> None:
            look()
            os.unlink(f"{grant_id}.json", dir_fd=self._tools.descriptor)

        return self._commit({grant_id: (old, None)}, act)

    def rename(self, grant_id: str, other: str, old: bytes) -> int | None:
        """Give a grant another id by a single rename of its file; return and raise as `write` does."""

        def act(look: "Verify") -> None:
            look()
            tools = self._tools.descriptor
            os.rename(f"{grant_id}.json", f"{other}.json", src_dir_fd=tools, dst_dir_fd=tools)

        return self._commit({grant_id: (old, None), other: (None, old)}, act, GrantComparison(SAME, ()))

    def check_permissions(self, grant_id: str) -> None:
        """Raise GrantError (22) if others can write a grant: checks refuse it, and a write would make it look safe."""
        trust = self._tools.trust
        known = len(trust.doubts)
        with suppress(FileNotFoundError):
            self._tools.read(f"{grant_id}.json", 0)
        for (kind, file), fault in zip(trust.doubts[known:], trust.faults[known:], strict=True):
            if kind == WRITERS:
                others = "o" if fault.endswith("everyone") else "go"  # the owner's own group may write
                raise GrantError(
                    GRANT_UNSAFE, fault, f"look at it, then close it with `chmod {others}-w {quote(file)}`"
                )

    def check_stamped(self, grant_id: str, data: bytes | None) -> None:
        """Raise GrantError (23) where a grant differs from its stamp: no write of it would be made."""
        stamp = self.stamp()
        if stamp is not None:
            self._check_digest(stamp, grant_id, digest_or_none(data))

    def recover(self) -> None:
        """Finish or drop what an interrupted write left."""
        recover(self.root, self._lock, self._history)

    def stamp(self) -> Stamp | None:
        """Return the stamp, None where there is none; raise GrantError (23) or NotDone for one that is not for us."""
        return current_stamp(self.root, self._policy)

    def _check_digest(self, stamp: Stamp, grant_id: str, digest: str | None) -> None:
        if stamp.grants.get(grant_id) != digest:
            hint = f"look at it, then accept it with `cortex-policy stamp write{root_option(self.root)}`"
            raise GrantError(STAMP_MISMATCH, f"`{grant_id}`", hint)

    def _write_stamp(self, stamp: Stamp) -> None:
        replace(self._policy.descriptor, "stamp.json", stamps.encode(stamp), 0o644, self._lock.check)

    def _check_unchanged(self, changes: "GrantBytes") -> None:
        self._lock.check()
        for grant_id, (old, _) in changes.items():
            if self.read(grant_id) != old:
                what = "is there already" if old is None else "was changed meanwhile, by somebody who took no lock"
                raise NotDone(f"`{grant_id}` {what}", "look at it, then try again")

    def _commit(
        self, changes: "GrantBytes", act: "Callable[[Verify], None]", meaning: GrantComparison | None = None
    ) -> int | None:
        """Make a change of grants, from what they must be to what they become, by a single step that can fail."""
        self._check_unchanged(changes)
        stamp = self._begin(changes, meaning)
        try:
            act(lambda: self._check_unchanged(changes))
        except BaseException as error:
            with suppress(OSError, CortexPolicyError):  # what stood in the way is told, not this
                self._lock.check()  # else what is pending by now may be another writer's
                self.recover()
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, f"tools/{next(iter(changes))}.json") from None
            raise
        settle(self._tools.descriptor)
        grants = merge_digests(stamp.grants, {grant_id: digest_or_none(new) for grant_id, (_, new) in changes.items()})
        return self._finish(Stamp(stamp.version + 1, grants, {}))

    def _begin(self, changes: "GrantBytes", meaning: GrantComparison | None) -> Stamp:
        """Return the stamp before a write, which says now what is pending; raise where it does not allow one."""
        stamp, pairs = self._stamp_without_pending(), pending_digests(changes)
        if stamp is not None:
            for grant_id, (old, _) in pairs.items():
                self._check_digest(stamp, grant_id, old)
        before = stamp or Stamp(0, digest_grants(self._tools), {})  # the first write stamps every grant
        if before.version + 1 not in stamps.VERSIONS:
            raise NotDone("the version of the stamp cannot go up any more")
        self._begin_history(before.version + 1, changes, meaning)
        if stamp is not None:
            try:
                self._write_stamp(Stamp(stamp.version, stamp.grants, pairs))
            except BaseException:
                self._history.abandon(stamp)
                raise
        return before

    def _stamp_without_pending(self) -> Stamp | None:
        stamp = self.stamp()
        if stamp is None or not stamp.pending:
            return stamp
        self.recover()  # the disk refused the last step of the write before
        return self.stamp()

    def _begin_history(self, version: int, changes: "GrantBytes", meaning: GrantComparison | None) -> None:
        if self._history.is_on:
            modes = {grant_id: self.mode(grant_id) for grant_id, (old, _) in changes.items() if old is not None}
            self._history.begin(entry_for_write(self._command, version, changes, modes, meaning, is_own=self.is_own))

    def _finish(self, stamp: Stamp) -> int | None:
        try:
            self._write_stamp(stamp)
        except (OSError, NotDone):  # the disk refused it, or the lock is lost: another writer may have finished it
            return None
        self._history.finish(stamp)
        git_ignore.make(self._policy.descriptor)
        return stamp.version
