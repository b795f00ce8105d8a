"""The lock that writers of grants take: the only place that imports filelock."""

import os
import stat
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from cortex_policy.core.model import CortexPolicyError, Reason
from cortex_policy.state.files import sweep
from cortex_policy.state.grants import Directory, Root, Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_DONE = Reason("not_done", "not done, nothing was changed", 3)
POLL_SECONDS = 0.05


class NotDone(CortexPolicyError):
    """A write was refused or could not be made; nothing changed: exit 3."""

    def __init__(self, detail: str, hint: str = "") -> None:
        """Say what stood in the way."""
        super().__init__(NOT_DONE, detail, hint)


@contextmanager
def locked(root: Root, wait_seconds: float = 0.0) -> "Iterator[Directory]":
    """Hold the writers' lock of a root, and hand over its policy directory, with nothing left of killed writers.

    Raise NotDone where another holds it, or the disk refuses a write; GrantError (22) where a link is on the way.
    """
    policy = Directory(Trust(root))
    try:
        with policy:
            descriptor = _locked(policy, wait_seconds)
            try:
                sweep(policy.descriptor)
                with suppress(FileNotFoundError), Directory(Trust(root), "tools") as tools:
                    sweep(tools.descriptor)
                yield policy
            finally:
                os.close(descriptor)
    except OSError as error:
        file = os.path.join(policy.path, error.filename or ".lock")
        raise NotDone(f"`{file}`: {(error.strerror or str(error)).lower()}") from None


def _opened(policy: Directory) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(".lock", flags, 0o600, dir_fd=policy.descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileExistsError(None, "is not a regular file")
    return descriptor


def _locked(policy: Directory, wait_seconds: float) -> int:
    """Lock the file that stands there: one that was removed while we waited for it is nobody's lock any more."""
    deadline = monotonic() + wait_seconds
    while True:
        descriptor = _opened(policy)
        try:
            _lock(descriptor, policy, deadline)
            if _stands(descriptor, policy):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, policy: Directory, deadline: float) -> None:
    from filelock import lock_descriptor  # noqa: PLC0415 - 50 ms, and only a writer needs it

    while not lock_descriptor(descriptor, blocking=False):
        if monotonic() >= deadline:
            message = f"another process is writing grants (it holds `{policy.path}/.lock`)"
            raise NotDone(message, "try again when it is done")
        sleep(POLL_SECONDS)


def _stands(descriptor: int, policy: Directory) -> bool:
    try:
        standing = os.stat(".lock", dir_fd=policy.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(standing, os.fstat(descriptor))
