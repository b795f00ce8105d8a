"""What an answer depends on besides the request and the policy: the directory of the shell, and this program itself.

Both are examined for each request, until they and the roots above the directory are watched: then one system call says
whether any of it has changed. As for the preconditions of a store, it is examined again after 20 ms in any case, for
what no kernel reports.
"""

import os
from stat import S_ISDIR
from time import monotonic_ns

from cortex_policy.library.inotify import CONTENT, ENTRIES, Inotify
from cortex_policy.library.preconditions import MAX_AGE_NS
from cortex_policy.library.root_path_lookup import resolve_path_and_visit_each_part
from cortex_policy.state import make_dot_cortex_path
from cortex_policy.state.ledger_directory import is_on_known_local_file_system

_GONE = " (deleted)"
_RETRY_NS = 100_000_000  # from one try to watch to the next: where files come and go, each of them ends the watch


class ShellDirectory:
    """The directory of one shell, which this process follows."""

    def __init__(self, shell: int, program: str) -> None:
        """Take a process and a file of this program, and watch nothing yet; raise OSError if the shell has ended."""
        self._shell = os.open(f"/proc/{shell}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._program, self._version = program, _version_of(program)
        self._inotify: Inotify | None = None
        self._watched = ""  # the directory that is watched, with the roots above it
        self._valid_until = self._retry_at = 0

    def enter_directory(self) -> bool:
        """Go to the directory of the shell; return whether it and the roots above it are those of the last time.

        Raises OSError if that is impossible.
        """
        now = monotonic_ns()
        is_watched = (
            self._inotify is not None
            and os.readlink("cwd", dir_fd=self._shell) == self._watched
            and self._inotify.is_empty()
        )
        if is_watched and now < self._valid_until:
            return True
        os.chdir(f"/proc/self/fd/{self._shell}/cwd")
        # INVARIANT: it was watched before the caller examines it
        self._valid_until = now + MAX_AGE_NS if is_watched else 0
        return False

    def is_program_replaced(self) -> bool:
        """Whether another version of this program was installed, or it is gone."""
        return _version_of(self._program) != self._version

    def watch(self) -> None:
        """Watch this directory from now on if it is not watched; this takes as long as several answers."""
        now = monotonic_ns()
        if self._valid_until or now < self._retry_at:
            return
        self._retry_at, self._watched = now + _RETRY_NS, ""
        try:
            inotify = self._inotify = self._inotify or Inotify()
            inotify.begin_round()
            directory = os.getcwd()
            _watch_above(inotify, directory)
            resolve_path_and_visit_each_part(self._program, inotify.watch)
            inotify.watch(self._program, CONTENT)
            if os.path.samestat(os.stat("."), os.lstat(directory)):
                self._watched = directory
        except OSError:  # no queue or watch left, or a directory that may not be read, or is not here
            return


def _watch_above(inotify: Inotify, directory: str) -> None:
    """Watch all that could lead this name elsewhere, or make a root of it or of a directory above it."""
    # INVARIANT: no watched name is one that the kernel also gives to a directory that is gone
    if directory.endswith(_GONE) or resolve_path_and_visit_each_part(directory, inotify.watch) != directory:
        raise OSError(None, "the directory has another name")
    above = directory
    while above:
        inotify.watch(above, ENTRIES)
        holder = make_dot_cortex_path(above)
        if not is_on_known_local_file_system(above) or (os.path.lexists(holder) and not _watch_holder(inotify, holder)):
            raise OSError(None, "not every change is seen here")
        above = os.path.dirname(above) if above != "/" else ""


def _watch_holder(inotify: Inotify, holder: str) -> bool:
    inotify.watch(holder, ENTRIES)
    return S_ISDIR(os.lstat(holder).st_mode)


def _version_of(program: str) -> tuple[int, int] | None:
    """Return what changes when this file is installed again, None if it is gone."""
    try:
        status = os.stat(program)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
