"""The lock that writers of grants take, with the name of its holder: the only place that imports filelock."""

import json
import os
import pwd
import stat
from contextlib import contextmanager, suppress
from time import localtime, monotonic, sleep, strftime, time

from cortex_policy.core.model import NOT_DONE, CortexPolicyError, Value
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import sweep
from cortex_policy.state.file_attributes import safe_owner
from cortex_policy.state.grants import Directory, Trust
from cortex_policy.state.safe_directories import open_straight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

POLL_SECONDS = 0.05
MOST_SAID = 1024  # bytes that a holder says of itself


class NotDone(CortexPolicyError):
    """A write was refused or could not be made; nothing changed: exit 3."""

    def __init__(self, detail: str, hint: str = "") -> None:
        """Say what stood in the way."""
        super().__init__(NOT_DONE, detail, hint)


def _nobody(_: str) -> None:
    """Tell nobody."""


class Patience(Value):
    """How long another writer is waited for, and who is told once that it is, and for whom."""

    seconds: float = 0.0
    tell: "Callable[[str], None]" = staticmethod(_nobody)


AT_ONCE = Patience()


class Lock:
    """The writers' lock while it is held, and the open policy directory in which it stands."""

    policy: "Directory"

    def __init__(self, policy: Directory, descriptor: int) -> None:
        """Take both, open."""
        self.policy, self._descriptor = policy, descriptor

    def check(self) -> None:
        """Raise NotDone where it excludes nobody any more: another lock, or none, stands where others look for it."""
        with suppress(FileNotFoundError), Directory(Trust(self.policy.trust.root)) as policy:
            if _stands(self._descriptor, policy):
                return
        raise NotDone(f"`{self.policy.path}/.lock` was removed or replaced while it was held", "try again")

    @contextmanager
    def below(self, name: str) -> "Iterator[Directory]":
        """Open a directory that must lie in the policy directory of this lock."""
        with Directory(Trust(self.policy.trust.root), name) as directory:
            if directory.identities[:-1] != self.policy.identities:
                raise NotDone(f"`{self.policy.path}` was replaced while its lock was held", "try again")
            yield directory

    def tools(self) -> "AbstractContextManager[Directory]":
        """Open the directory of the grants."""
        return self.below("tools")


@contextmanager
def locked(root: Root, patience: Patience = AT_ONCE) -> "Iterator[Lock]":
    """Hold the writers' lock of a root, with nothing left of killed writers.

    Raise NotDone where another holds it, or the disk refuses a write; GrantError (22) where a link is on the way.
    """
    policy = Directory(Trust(root))
    try:
        with policy:
            check_straight(policy)
            descriptor = _locked(policy, patience)
            try:
                _sign(descriptor)
                lock = Lock(policy, descriptor)
                sweep(policy.descriptor)
                for name in ("tools", "history"):
                    with suppress(FileNotFoundError), lock.below(name) as directory:
                        sweep(directory.descriptor)
                yield lock
            finally:
                os.close(descriptor)
    except OSError as error:
        file = os.path.join(policy.path, error.filename or ".lock")
        raise NotDone(f"`{file}`: {(error.strerror or str(error)).lower()}") from None


def check_straight(directory: Directory) -> None:
    """Raise NotDone where a link led to the root since its path was resolved, as somebody else may have wanted."""
    path = directory.trust.root.path
    with suppress(OSError):
        descriptor = open_straight(path)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if (status.st_dev, status.st_ino) == directory.identities[0]:
            return
    raise NotDone(f"`{path}` was replaced meanwhile", "try again")


def _opened(policy: Directory) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(".lock", flags, 0o600, dir_fd=policy.descriptor)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # we write to it: never to what stands elsewhere too
        os.close(descriptor)
        raise FileExistsError(None, "is not a regular file, or has more than one link")
    return descriptor


def _locked(policy: Directory, patience: Patience) -> int:
    """Lock the file that stands there: one that was removed while we waited for it is nobody's lock any more."""
    deadline = monotonic() + patience.seconds
    while True:
        descriptor = _opened(policy)
        try:
            lock(descriptor, _holder, patience, deadline)
            if _stands(descriptor, policy):
                _give(descriptor, policy)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def lock(
    descriptor: int, holder: "Callable[[int], str]", patience: Patience = AT_ONCE, deadline: float | None = None
) -> None:
    """Lock what is open, a file or a directory; raise NotDone, naming its holder, where that takes too long."""
    from filelock import lock_descriptor  # noqa: PLC0415 - 50 ms, and only a writer needs it

    is_told, deadline = False, monotonic() + patience.seconds if deadline is None else deadline
    while not lock_descriptor(descriptor, blocking=False):
        if not deadline > monotonic():  # not a number is no time to wait
            raise NotDone(holder(descriptor), "wait with `--wait 60`")
        if not is_told:
            patience.tell(f"{holder(descriptor)}; waiting at most {patience.seconds:g} seconds")
            is_told = True
        sleep(POLL_SECONDS)


def _stands(descriptor: int, policy: Directory) -> bool:
    try:
        standing = os.stat(".lock", dir_fd=policy.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    # INVARIANT: one look at the name and the links, so that what is written to has no other name
    return standing.st_nlink == 1 and os.path.samestat(standing, os.fstat(descriptor))


def _give(descriptor: int, policy: Directory) -> None:
    """Let the owner of the directory lock it too, after root did."""
    status = os.fstat(descriptor)
    owner = safe_owner(policy.descriptor, status)
    if owner not in (None, (status.st_uid, status.st_gid)):
        os.fchown(descriptor, *owner)


def _sign(descriptor: int) -> None:
    """Write who holds the lock and since when, for those who find it held; it is never read while the lock is free."""
    who = {"user": user(), "pid": os.getpid(), "host": os.uname().nodename, "since": int(time())}
    text = json.dumps(who).encode()
    with suppress(OSError):  # a full disk stops the write itself, and this is only what others are told
        os.pwrite(descriptor, text + b"\n", 0)  # first the new text, then its end: never without a holder
        os.ftruncate(descriptor, len(text) + 1)


def user() -> str:
    """Return the name of who runs this."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _holder(descriptor: int) -> str:
    """Say who holds the lock and since when, as far as it said so."""
    try:
        who = json.loads(os.pread(descriptor, MOST_SAID, 0).splitlines()[0])
        elsewhere = "" if who["host"] == os.uname().nodename else f" on {who['host']}"
        since, today = localtime(who["since"]), strftime("%Y-%m-%d")
        began = strftime("%H:%M" if strftime("%Y-%m-%d", since) == today else "%Y-%m-%d %H:%M", since)
        return f"{who['user']} (pid {who['pid']}{elsewhere}) has been writing grants since {began}"
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return "another process is writing grants"
