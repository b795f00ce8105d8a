"""The version of the grants that each reader uses: in a file beside the rate state, which the reader keeps locked.

A file that is not locked belongs to a process that has ended, whatever its process id is used for now. A file is
written under a temporary name, locked, and renamed over the last one: no one sees it unlocked or half written.
"""

import json
import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from time import time

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json, is_grant_id
from cortex_policy.core.model import CortexPolicyError, UsageError
from cortex_policy.library.file_identity import Identity, is_timestamp_settled, make_identity
from cortex_policy.library.root_path_lookup import UnresolvedRoot
from cortex_policy.state import (
    OPEN_DIRECTORY,
    Root,
    find_named_or_default_state_directory,
    read_boot_id,
    read_up_to,
    sha256,
)
from cortex_policy.state import stamp as stamps
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.ledger import open_or_make_budget_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX, TEMPORARY_PREFIX = "reader-", ".new-reader-"
MAX_FILE_BYTES = 1 << 12
PREFIX_DIGITS = 16
LOCK_GRACE_SECONDS = 5  # seconds
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Acknowledgement(Value):
    """A running reader. Each of its decisions since then uses this version of the grants or a later one."""

    reader: str
    pid: int
    version: int
    checksum: str
    acknowledged_at: float


class ReaderAcknowledger:
    """Acknowledges versions under a name. Each call looks for a new one."""

    def __init__(self, root: UnresolvedRoot, name: str) -> None:
        """Acknowledge the current version; raise UsageError for a bad name, StateError if no file can be kept."""
        check_reader_name(name)
        self._root_name, self._name = root, name
        self._descriptor = self._directory = -1
        self._identity: Identity | None = None  # of the stamp that is acknowledged
        self._register_reader(root.resolve())
        self()

    def __call__(self) -> None:
        """Acknowledge the stamp if it has changed.

        If the stamp cannot be read, or no file can be written, nothing is acknowledged: `stamp wait` reports that.
        """
        with suppress(OSError, CortexPolicyError):
            root = self._root_name.resolve()
            if root != self._root or self._directory < 0:
                self.release()
                self._register_reader(root)
            identity = make_identity(os.lstat(stamps.make_stamp_path(root.path)))
            if identity == self._identity:
                return
            was_stable = is_timestamp_settled(identity)
            stamp = stamps.read_stamp(root)
            if stamp is not None:
                self._write_acknowledgement(stamp)
                self._identity = identity if was_stable else None

    def release(self) -> None:
        """Remove the acknowledgement, unless the file is of the parent process."""
        descriptor, self._descriptor = self._descriptor, -1
        if self._file.startswith(f"{_file_name_prefix(self._root, self._name)}{os.getpid()}-"):
            with suppress(OSError):
                os.unlink(self._file, dir_fd=self._directory)
        for number in (descriptor, self._directory):
            if number >= 0:
                os.close(number)
        self._directory = -1

    def _register_reader(self, root: Root) -> None:
        """Become a reader of a root that has acknowledged nothing yet."""
        self._root, self._identity = root, None
        self._file = f"{_file_name_prefix(root, self._name)}{os.getpid()}-{os.urandom(4).hex()}"
        self._directory = _open_directory(root)
        for _ in prune_and_list_acknowledgements(root, self._name):  # removes the files of processes that have ended
            pass

    def _write_acknowledgement(self, stamp: stamps.Stamp) -> None:
        acknowledgement = Acknowledgement(self._name, os.getpid(), stamp.version, stamp.checksum_of_digests, time())
        temporary = f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        descriptor = os.open(temporary, _WRITE, 0o600, dir_fd=self._directory)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            members = {name: getattr(acknowledgement, name) for name in Acknowledgement.__match_args__}
            os.write(descriptor, json.dumps(members).encode())
            os.rename(temporary, self._file, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._directory)
            raise
        last, self._descriptor = self._descriptor, descriptor
        if last >= 0:
            os.close(last)


def check_reader_name(name: object) -> None:
    """Raise UsageError if this cannot be the name of a reader."""
    if not isinstance(name, str) or not is_grant_id(name):
        message = "a reader's name is letters, digits, `.`, `_` and `-`, and starts with a letter or digit"
        raise UsageError(message)


def prune_and_list_acknowledgements(root: Root, name: str) -> "Iterator[Acknowledgement]":
    """Yield what the running readers of a name have acknowledged; remove the files of those that have ended."""
    directory = _open_directory(root)
    try:
        for file in os.listdir(directory):
            if file.startswith((_file_name_prefix(root, name), TEMPORARY_PREFIX)):
                acknowledgement = _read_or_remove(directory, file)
                if acknowledgement is not None:
                    yield acknowledgement
    finally:
        os.close(directory)


def _read_or_remove(directory: int, file: str) -> Acknowledgement | None:
    """Read a file that its reader keeps locked; remove any other file and return None."""
    try:
        descriptor = os.open(file, _READ, dir_fd=directory)
    except OSError:
        return None
    try:
        if file.startswith(TEMPORARY_PREFIX) and time() - os.fstat(descriptor).st_mtime < LOCK_GRACE_SECONDS:
            return None  # its reader is about to lock it
        flock(descriptor, LOCK_SH | LOCK_NB)
        opened, current = os.fstat(descriptor), os.stat(file, dir_fd=directory, follow_symlinks=False)
        if (opened.st_dev, opened.st_ino) == (current.st_dev, current.st_ino):
            os.unlink(file, dir_fd=directory)
    except BlockingIOError:
        return _read_acknowledgement(descriptor)
    except OSError:  # another process was faster
        return None
    finally:
        os.close(descriptor)
    return None


def _read_acknowledgement(descriptor: int) -> Acknowledgement | None:
    """Read what a running reader has written; None if this version does not understand it."""
    try:
        members = decode_json(read_up_to(descriptor, MAX_FILE_BYTES))
    except (OSError, MalformedError):
        return None
    is_whole = isinstance(members, dict) and tuple(members) == Acknowledgement.__match_args__
    is_known = is_whole and type(members["version"]) is int and type(members["pid"]) is int
    return Acknowledgement(**members) if is_known else None


def _open_directory(root: Root) -> int:
    """Open the directory of the rate state; raise StateError if it cannot be used."""
    status = os.stat(root.path)
    state_dir = find_named_or_default_state_directory(load_effective_settings(root.path).state_dir)
    os.close(
        open_or_make_budget_directory((status.st_dev, status.st_ino), read_boot_id(), state_dir)
    )  # creates and checks it
    return os.open(state_dir, OPEN_DIRECTORY)


def _file_name_prefix(root: Root, name: str) -> str:
    digest = sha256(os.fsencode(root.path) + b"\0" + name.encode()).hexdigest()
    return f"{PREFIX}{digest[:PREFIX_DIGITS]}-"
