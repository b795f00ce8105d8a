"""Write grants, and `hooks.toml` by that name, under the writers' lock.

The order: the history entry, a stamp that names the pending change, the grant, the final stamp. The first write of a
root has no stamp that could name it: its history entry, if one is kept, takes that place. The next writer that takes
the lock finishes or drops an interrupted write.
"""

import os
from contextlib import contextmanager, suppress

from cortex_policy.core.compare.grants import GrantComparison
from cortex_policy.core.compare.verdicts import SAME
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles, open_grants_read_only_without_lock
from cortex_policy.manage.transaction.record import make_entry_for_write, read_history_limits
from cortex_policy.manage.transaction.recovery import recover_last_write
from cortex_policy.manage.transaction.stamp_file import (
    check_digest_is_stamped,
    compute_content_digest_or_none,
    make_pending_digest_pairs,
    read_supported_stamp_or_none,
    replace_stamp,
    update_digests,
)
from cortex_policy.manage.transaction.version_after_write import STAMP_REFUSED, Version
from cortex_policy.state import Root, git_ignore
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import replace_file_atomically, sync_directory
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants import PolicyDirectory
from cortex_policy.state.history import HistoryWriter
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.policy_files import make_file_path_below_policy_directory
from cortex_policy.state.safe_directories import make_directory
from cortex_policy.state.stamp import Stamp
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, WriterLock, check_root_not_replaced, hold_writer_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.transaction.stamp_file import FileChanges

    Verify = Callable[[], None]  # raises if a grant is no longer what its change was made from


@contextmanager
def open_grants_for_write(
    root: Root, lock_wait: LockWait = NO_WAIT, command: str = "write", name: str = ""
) -> "Iterator[GrantWriter]":
    """Hold the writers' lock, and recover the last write; raise NotDoneError if it is taken, or the disk fails.

    The history records the command as the cause of the writes; a command that waits names it.
    """
    with hold_writer_lock(root, lock_wait, f"{command} {name}".strip()) as lock:
        make_directory(lock.policy.descriptor, "tools")
        with lock.open_grants_directory() as directory:
            writer = GrantWriter(root, lock, directory, command)
            writer.recover()
            yield writer


@contextmanager
def open_grants_read_only(root: Root) -> "Iterator[GrantFiles]":
    """Open the files of a root for a preview of a write; raise what `open_grants_for_write` does, but take no lock."""
    try:
        with open_grants_read_only_without_lock(root) as files:
            check_root_not_replaced(files.policy)
            read_history_limits(root)
            yield files
    except OSError as error:
        raise make_write_error(error) from None


class GrantWriter:
    """Writes the grants of a root, with its stamp and its history, while its lock is held.

    A `name` is the id of a grant, or `hooks.toml`.
    """

    root: Root
    grants: GrantFiles
    policy: PolicyDirectory  # it holds the lock

    def __init__(self, root: Root, lock: WriterLock, directory: PolicyDirectory, command: str) -> None:
        """Take the lock, the open directory of the grants, and the command for the history."""
        self.grants = GrantFiles(lock.policy, directory)
        self.root, self._lock, self.policy = root, lock, lock.policy
        self._command, self._history = command, HistoryWriter(lock, read_history_limits(root))

    def write(self, name: str, old: bytes | None, new: bytes, mode: int = 0o644) -> Version:
        """Write a grant whose bytes were `old`, None for a new grant; return the version of the stamp.

        A new grant gets the mode; another keeps its own. It is STAMP_REFUSED if the disk refused the last step: readers
        accept the grant already, and the next write finishes the stamp. Raise NotDoneError if it is no longer `old`,
        GrantError (23) if it differs from its stamp.
        """
        self.grants.check_permissions(name)
        return self._commit_changes({name: (old, new)}, lambda verify: self._replace_file(name, new, mode, verify))

    def remove(self, name: str, old: bytes) -> Version:
        """Remove a grant; return and raise as `write` does."""
        return self._commit_changes({name: (old, None)}, lambda verify: self._remove_file(name, verify))

    def undo_hand_edit(self, name: str, old: bytes | None, stamped: bytes | None) -> Version:
        """Replace a hand edit by the bytes that the stamp has, None for no grant; return as `write` does.

        Raise NotDoneError if it is no longer `old`, GrantError (23) if the stamp has other bytes.
        """
        self.grants.check_permissions(name)

        def step(verify: "Verify") -> None:
            """Put the stamped bytes in place of the edit, by one rename or one removal."""
            if stamped is None:
                self._remove_file(name, verify)
            else:
                self._replace_file(name, stamped, 0o644, verify)

        return self._commit_changes({name: (old, stamped)}, step, is_hand_edit=True)

    def rename(self, name: str, other: str, old: bytes) -> Version:
        """Give a grant another id, by one rename of its file; return and raise as `write` does."""
        changes = {name: (old, None), other: (None, old)}
        same = GrantComparison(SAME, ())
        return self._commit_changes(changes, lambda verify: self._rename_file(name, other, verify), same)

    def _replace_file(self, name: str, new: bytes, mode: int, verify: "Verify") -> None:
        directory, file = self.grants.locate(name)
        replace_file_atomically(directory.descriptor, file, new, mode, verify)

    def _remove_file(self, name: str, verify: "Verify") -> None:
        directory, file = self.grants.locate(name)
        verify()
        os.unlink(file, dir_fd=directory.descriptor)

    def _rename_file(self, name: str, other: str, verify: "Verify") -> None:
        verify()
        (old, old_file), (new, new_file) = self.grants.locate(name), self.grants.locate(other)
        os.rename(old_file, new_file, src_dir_fd=old.descriptor, dst_dir_fd=new.descriptor)

    def recover(self) -> None:
        """Finish or drop an interrupted write."""
        recover_last_write(self._lock, self._history)

    def _check_unchanged(self, changes: "FileChanges") -> None:
        self._lock.check_held()
        for name, (old, _) in changes.items():
            if self.grants.read(name) != old:
                what = "exists already" if old is None else "was changed by hand in the meantime"
                raise NotDoneError(f"`{name}` {what}", "look at the file, then run the command again")

    def _commit_changes(
        self,
        changes: "FileChanges",
        step: "Callable[[Verify], None]",
        meaning: GrantComparison | None = None,
        *,
        is_hand_edit: bool = False,
    ) -> Version:
        """Change grants, from the bytes they must have to the new ones, by one step that can fail.

        The step writes, removes or renames the file. It calls `verify` as the last thing before that.
        """
        self._check_unchanged(changes)
        stamp = self._begin_write(changes, meaning, is_hand_edit=is_hand_edit)
        try:
            step(lambda: self._check_unchanged(changes))
        except BaseException as error:
            with suppress(OSError, CortexPolicyError):  # the first error is the one to report
                self._lock.check_held()  # without the lock, another writer's change may be pending
                self.recover()
            if isinstance(error, OSError):
                raise OSError(
                    error.errno, error.strerror, make_file_path_below_policy_directory(next(iter(changes)))
                ) from None
            raise
        sync_directory(self.grants.locate(next(iter(changes)))[0].descriptor)
        digests = update_digests(
            stamp.digests, {name: compute_content_digest_or_none(new) for name, (_, new) in changes.items()}
        )
        return self._finish_write(Stamp(stamp.version + 1, digests, {}))

    def _begin_write(self, changes: "FileChanges", meaning: GrantComparison | None, *, is_hand_edit: bool) -> Stamp:
        """Add what is pending to the stamp, and return the stamp as it was; raise if it does not allow a write.

        Before the first write there is none to add to: return version zero.
        """
        stamp, pairs = self._stamp_without_pending(), make_pending_digest_pairs(changes, is_hand_edit=is_hand_edit)
        if stamp is not None:
            for name, (old, _) in pairs.items():
                check_digest_is_stamped(self.root, stamp, name, old)
        # the first write stamps all there is
        stamp_or_version_zero = stamp or Stamp(0, self.grants.read_digests(), {})
        next_version = stamp_or_version_zero.version + 1
        if next_version not in stamps.VERSIONS:
            raise NotDoneError("the version of the stamp is at its maximum")
        if self._history.is_enabled:
            self._history.begin_write(self._history_entry(next_version, changes, meaning, is_hand_edit=is_hand_edit))
        if stamp is not None:
            try:
                replace_stamp(self._lock, Stamp(stamp.version, stamp.digests, pairs))
            except BaseException:
                self._history.drop_entry_of_failed_write(stamp)
                raise
        return stamp_or_version_zero

    def _stamp_without_pending(self) -> Stamp | None:
        stamp = read_supported_stamp_or_none(self.policy)
        if stamp is None or not stamp.pending:
            return stamp
        self.recover()  # the disk refused the last step of the write before
        return read_supported_stamp_or_none(self.policy)

    def _history_entry(
        self, version: int, changes: "FileChanges", meaning: GrantComparison | None, *, is_hand_edit: bool
    ) -> HistoryEntry:
        modes = {name: self.grants.mode_for_copy(name) for name, (old, _) in changes.items() if old is not None}
        if meaning is None:
            ((name, (old, new)),) = changes.items()
            meaning = compare_grant_bytes(name, old, new, load_settings_for_grant_comparison(self.root.path)).meaning
        return make_entry_for_write(
            self._command,
            version,
            changes,
            modes,
            meaning,
            is_owned_by_caller=self.grants.is_owned_by_caller,
            is_hand_edit=is_hand_edit,
        )

    def _finish_write(self, stamp: Stamp) -> Version:
        try:
            replace_stamp(self._lock, stamp)
        except (OSError, NotDoneError):  # the disk is full, or the lock is lost and another writer may have finished it
            return STAMP_REFUSED
        self._history.commit_and_prune(stamp)
        git_ignore.create_git_ignore(self.policy.descriptor)
        return stamp.version


def make_write_error(error: CortexPolicyError | OSError) -> CortexPolicyError:
    """Return an error of a write as one that can be reported: the file that the disk refused, and why."""
    if isinstance(error, CortexPolicyError):
        return error
    return NotDoneError(f"`{error.filename}`: {format_os_error_cause(error)}")
