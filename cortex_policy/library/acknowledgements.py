"""Which version of the grants a reader runs: acknowledged in a file beside the rate state, which it keeps locked.

The lock tells the living from the dead, whatever became of their process id. A file is made under another name, locked,
and put in the place of the last one, so that nobody finds it unlocked or half written.
"""

import json
import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from time import time

from cortex_policy.core.decode import Malformed, decode_json, is_grant_id
from cortex_policy.core.model import CortexPolicyError, UsageError, Value
from cortex_policy.library.file_identity import Identity, identity_of, lies_still
from cortex_policy.library.path_lookup import RootName
from cortex_policy.state import OPEN_DIRECTORY, Root, boot_id, read_all, sha256, state_directory
from cortex_policy.state import stamp as stamps
from cortex_policy.state.enforcement import settings_of
from cortex_policy.state.ledger import open_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX, NEW = "reader-", ".new-reader-"
LARGEST = 1 << 12
MARK = 16
YOUNG = 5  # seconds
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Acknowledgement(Value):
    """A living reader, and the version that each of its decisions has been made on since, or a later one."""

    reader: str
    pid: int
    version: int
    checksum: str
    acknowledged_at: float


class Reader:
    """Acknowledges versions under a name. Called, it looks for a new one."""

    def __init__(self, root: RootName, name: str) -> None:
        """Acknowledge what stands now; raise UsageError for a bad name, StateError where nothing can be kept."""
        check_name(name)
        self._root_name, self._name = root, name
        self._descriptor = self._directory = -1
        self._identity: Identity | None = None  # of the stamp that is acknowledged
        self._join(root.resolve())
        self()

    def __call__(self) -> None:
        """Acknowledge the stamp if it is another than last time.

        One that is broken, or cannot be written down, is not acknowledged, which who waits is told of.
        """
        with suppress(OSError, CortexPolicyError):
            root = self._root_name.resolve()
            if root != self._root or self._directory < 0:
                self.leave()
                self._join(root)
            identity = identity_of(os.lstat(stamps.stamp_file(root.path)))
            if identity == self._identity:
                return
            is_still = lies_still(identity)
            stamp = stamps.read(root)
            if stamp is not None:
                self._acknowledge(stamp)
                self._identity = identity if is_still else None

    def leave(self) -> None:
        """Take the acknowledgement back, unless it is a parent's."""
        descriptor, self._descriptor = self._descriptor, -1
        if self._file.startswith(f"{_prefix(self._root, self._name)}{os.getpid()}-"):
            with suppress(OSError):
                os.unlink(self._file, dir_fd=self._directory)
        for number in (descriptor, self._directory):
            if number >= 0:
                os.close(number)
        self._directory = -1

    def _join(self, root: Root) -> None:
        """Be a reader of a root, which has acknowledged nothing yet."""
        self._root, self._identity = root, None
        self._file = f"{_prefix(root, self._name)}{os.getpid()}-{os.urandom(4).hex()}"
        self._directory = _opened(root)
        for _ in living(root, self._name):  # removes what the dead have left
            pass

    def _acknowledge(self, stamp: stamps.Stamp) -> None:
        said = Acknowledgement(self._name, os.getpid(), stamp.version, stamp.checksum, time())
        temporary = f"{NEW}{os.getpid()}-{os.urandom(4).hex()}"
        descriptor = os.open(temporary, _WRITE, 0o600, dir_fd=self._directory)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            os.write(descriptor, json.dumps({name: getattr(said, name) for name in said.__match_args__}).encode())
            os.rename(temporary, self._file, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._directory)
            raise
        last, self._descriptor = self._descriptor, descriptor
        if last >= 0:
            os.close(last)


def check_name(name: object) -> None:
    """Raise UsageError for what is no name of a reader."""
    if not isinstance(name, str) or not is_grant_id(name):
        message = "a reader's name is letters, digits, `.`, `_` and `-`, and starts with a letter or digit"
        raise UsageError(message)


def living(root: Root, name: str) -> "Iterator[Acknowledgement]":
    """Return what the living readers of a name have acknowledged; remove what the dead have left."""
    directory = _opened(root)
    try:
        for file in os.listdir(directory):
            if file.startswith((_prefix(root, name), NEW)):
                found = _acknowledged(directory, file)
                if found is not None:
                    yield found
    finally:
        os.close(directory)


def _acknowledged(directory: int, file: str) -> Acknowledgement | None:
    try:
        descriptor = os.open(file, _READ, dir_fd=directory)
    except OSError:
        return None
    try:
        if file.startswith(NEW) and time() - os.fstat(descriptor).st_mtime < YOUNG:
            return None  # it is about to be locked
        flock(descriptor, LOCK_SH | LOCK_NB)
        ours, there = os.fstat(descriptor), os.stat(file, dir_fd=directory, follow_symlinks=False)
        if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
            os.unlink(file, dir_fd=directory)
    except BlockingIOError:
        return _read(descriptor)
    except OSError:  # another one was faster
        return None
    finally:
        os.close(descriptor)
    return None


def _read(descriptor: int) -> Acknowledgement | None:
    """Read what a living process has written; None where that is not ours to understand."""
    try:
        members = decode_json(read_all(descriptor, LARGEST))
    except (OSError, Malformed):
        return None
    is_whole = isinstance(members, dict) and tuple(members) == Acknowledgement.__match_args__
    is_known = is_whole and type(members["version"]) is int and type(members["pid"]) is int
    return Acknowledgement(**members) if is_known else None


def _opened(root: Root) -> int:
    """Open the directory of rate state; raise StateError where it cannot be used."""
    status = os.stat(root.path)
    where = state_directory(settings_of(root.path).state_dir)
    os.close(open_state((status.st_dev, status.st_ino), boot_id(), where))  # makes it, and judges it
    return os.open(where, OPEN_DIRECTORY)


def _prefix(root: Root, name: str) -> str:
    mark = sha256(os.fsencode(root.path) + b"\0" + name.encode()).hexdigest()
    return f"{PREFIX}{mark[:MARK]}-"
