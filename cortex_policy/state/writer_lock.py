"""The lock that writers of grants take, with the name of its holder: the only module that imports filelock."""

import json
import os
import stat
from contextlib import contextmanager, suppress
from time import monotonic, sleep, time

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_duration, format_os_error_cause
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import remove_leftover_temporary_files
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.inherited_attributes import choose_owner_of_new_file
from cortex_policy.state.safe_directories import open_directory_without_links
from cortex_policy.state.users import format_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

POLL_SECONDS = 0.05
MAX_HOLDER_BYTES = 1024  # bytes of a holder's description
LONG_SECONDS = 60  # seconds that only a person holds it


def _ignore_holder(_: str) -> None:
    """Say nothing about who holds the lock: the usual `on_wait`."""


class LockWait(Value):
    """How long to wait for another writer, and a function that is called once, with its name, when the wait begins."""

    seconds: float = 0.0
    on_wait: "Callable[[str], None]" = staticmethod(_ignore_holder)


NO_WAIT = LockWait()


class LockHolderText(Value):
    """Who holds a lock, and what else to do than wait."""

    sentence: str
    advice: str = ""


class WriterLock:
    """The writers' lock while it is held, and the open policy directory that holds its file."""

    policy: "PolicyDirectory"

    def __init__(self, policy: PolicyDirectory, descriptor: int) -> None:
        """Store both, open."""
        self.policy, self._descriptor = policy, descriptor

    def check_held(self) -> None:
        """Raise NotDoneError if the lock is lost: its file was removed or replaced."""
        with suppress(FileNotFoundError), PolicyDirectory(TrustCheck(self.policy.trust.root)) as policy:
            if _is_lock_file_at_name(self._descriptor, policy):
                return
        raise NotDoneError(f"`{self.policy.path}/.lock` was removed or replaced while it was held", "try again")

    @contextmanager
    def open_below(self, name: str) -> "Iterator[PolicyDirectory]":
        """Open a directory that must lie in the policy directory of this lock."""
        with PolicyDirectory(TrustCheck(self.policy.trust.root), name) as directory:
            if directory.identities[:-1] != self.policy.identities:
                raise NotDoneError(f"`{self.policy.path}` was replaced while its lock was held", "try again")
            yield directory

    def open_grants_directory(self) -> "AbstractContextManager[PolicyDirectory]":
        """Open the directory of the grants."""
        return self.open_below("tools")


@contextmanager
def hold_writer_lock(root: Root, lock_wait: LockWait = NO_WAIT, command: str = "") -> "Iterator[WriterLock]":
    """Hold the writers' lock of a root; first remove the files that killed writers left.

    Others are told the command that holds it. Raise NotDoneError if another holds it, or the disk refuses a write;
    GrantError (22) if a link is on the path.
    """
    policy = PolicyDirectory(TrustCheck(root))
    try:
        with policy:
            check_root_not_replaced(policy)
            descriptor = _lock_current_file(policy, lock_wait)
            try:
                _write_holder(descriptor, command)
                lock = WriterLock(policy, descriptor)
                remove_leftover_temporary_files(policy.descriptor)
                for name in ("tools", "history"):
                    with suppress(FileNotFoundError), lock.open_below(name) as directory:
                        remove_leftover_temporary_files(directory.descriptor)
                yield lock
            finally:
                os.close(descriptor)
    except OSError as error:
        file = os.path.join(policy.path, error.filename or ".lock")
        raise NotDoneError(f"`{file}`: {format_os_error_cause(error)}") from None


def check_root_not_replaced(directory: PolicyDirectory) -> None:
    """Raise NotDoneError if a link led to the root since its path was resolved, as somebody else may have wanted."""
    path = directory.trust.root.path
    with suppress(OSError):
        descriptor = open_directory_without_links(path)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if (status.st_dev, status.st_ino) == directory.identities[0]:
            return
    raise NotDoneError(f"`{path}` was replaced in between", "try again")


def _open_lock_file(policy: PolicyDirectory) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(".lock", flags, 0o600, dir_fd=policy.descriptor)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # it is written to, so it must have no other name
        os.close(descriptor)
        raise FileExistsError(None, "is not a regular file, or has more than one link")
    return descriptor


def _lock_current_file(policy: PolicyDirectory, lock_wait: LockWait) -> int:
    """Lock the file at the name; try again if it was removed during the wait, since then it is not a lock any more."""
    deadline = monotonic() + lock_wait.seconds
    while True:
        descriptor = _open_lock_file(policy)
        try:
            acquire_lock(descriptor, _read_holder, lock_wait, deadline)
            if _is_lock_file_at_name(descriptor, policy):
                _give_lock_file_to_owner(descriptor, policy)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def acquire_lock(
    descriptor: int,
    holder: "Callable[[int], LockHolderText]",
    lock_wait: LockWait = NO_WAIT,
    deadline: float | None = None,
) -> None:
    """Lock an open file or directory; raise NotDoneError, naming its holder, if that takes too long."""
    from filelock import lock_descriptor  # noqa: PLC0415 - 50 ms, and only a writer needs it

    is_reported, deadline = False, monotonic() + lock_wait.seconds if deadline is None else deadline
    while not lock_descriptor(descriptor, blocking=False):
        if not deadline > monotonic():  # also for a NaN
            found = holder(descriptor)
            raise NotDoneError(found.sentence, f"wait with `--wait 60`{found.advice}")
        if not is_reported:
            lock_wait.on_wait(f"{holder(descriptor).sentence}; waiting at most {lock_wait.seconds:g} seconds")
            is_reported = True
        sleep(POLL_SECONDS)


def _is_lock_file_at_name(descriptor: int, policy: PolicyDirectory) -> bool:
    try:
        at_name = os.stat(".lock", dir_fd=policy.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    # INVARIANT: one `stat` for the name and the links, so that a file that is written has no other name
    return at_name.st_nlink == 1 and os.path.samestat(at_name, os.fstat(descriptor))


def _give_lock_file_to_owner(descriptor: int, policy: PolicyDirectory) -> None:
    """Let the owner of the directory lock it, too, after root."""
    status = os.fstat(descriptor)
    owner = choose_owner_of_new_file(policy.descriptor, status)
    if owner not in (None, (status.st_uid, status.st_gid)):
        os.fchown(descriptor, *owner)


def _write_holder(descriptor: int, command: str) -> None:
    """Write the holder and the time into the lock file, for processes that find it locked."""
    holder = {
        "user": format_user(os.geteuid()), "pid": os.getpid(), "host": os.uname().nodename, "since": int(time()),
        "command": command,
    }  # fmt: skip
    text = json.dumps(holder).encode()
    with suppress(OSError):  # only information for others; a full disk fails the write itself
        os.pwrite(descriptor, text + b"\n", 0)  # first the new text, then its end: never without a holder
        os.ftruncate(descriptor, len(text) + 1)


def _read_holder(descriptor: int) -> LockHolderText:
    """Return who holds the lock and for how long, as far as the file says."""
    try:
        holder = json.loads(os.pread(descriptor, MAX_HOLDER_BYTES, 0).splitlines()[0])
        is_here, pid, seconds = holder["host"] == os.uname().nodename, int(holder["pid"]), time() - holder["since"]
        elsewhere = "" if is_here else f" on {holder['host']}"
        what = f"in `{holder['command']}`" if holder.get("command") else "writing grants"
        sentence = f"{holder['user']} (pid {pid}{elsewhere}) has been {what} for {format_duration(seconds)}"
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return LockHolderText("another process is writing grants")
    is_old = is_here and pid > 1 and seconds >= LONG_SECONDS  # the kernel frees the lock of a process that has ended
    return LockHolderText(
        sentence, f"; if nobody sits there, `kill {pid}` ends it and keeps its text" if is_old else ""
    )
