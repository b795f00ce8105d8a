"""A cursor on the disk: up to where events are delivered. Only the process that holds its lock may send.

It is one small block that is overwritten in place: after a kill or a loss of power the old block or the new one is
there, and both are true. A block that cannot be read counts as none: events are sent again, and none is left
out.
"""

import errno
import fcntl
import json
import os
import stat
from hashlib import sha256
from shlex import quote

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import read_up_to
from cortex_policy.state.missing_directory import make_file_creation_error

MAX_TAIL_BYTES = 1024  # before an offset, by which a file is known again under any name
_BLOCK = 512
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OTHERS = 0o077


class Position(Value):
    """A place after a line: the number of its file, if files have one, the offset, and what comes before it."""

    file: int
    offset: int
    tail_length: int
    tail_sha256: str
    chain: str = ""  # the digest at the end of the line, if it has one


def make_position(file: int, offset: int, tail: bytes, chain: str = "") -> Position:
    """Return the position at an offset, before which a file has these bytes."""
    tail = tail[-MAX_TAIL_BYTES:]
    return Position(file, offset, len(tail), sha256(tail).hexdigest(), chain)


class Cursor:
    """A cursor, open; one thread uses it."""

    def __init__(self, path: str, directory: "int | None" = None) -> None:
        """Open it, and make it if it is missing; raise NotDoneError."""
        self.path = path
        try:
            self._descriptor = os.open(path, _OPEN, 0o600, dir_fd=directory)
        except OSError as error:
            raise make_file_creation_error(path, error, f"the cursor `{path}` cannot be opened") from None
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
            self.close()
            raise NotDoneError(
                f"the cursor `{path}` must be a file of yours that nobody else can read",
                f"remove it with `rm {quote(path)}`",
            )
        if status.st_size != _BLOCK:
            self._take_room()

    def _take_room(self) -> None:
        """Write an empty block: on a full disk nothing is sent, instead of the same event again and again."""
        try:
            if os.pread(self._descriptor, _BLOCK + 1, 0).strip(b" \n\0"):  # a token or a log, named by mistake
                self.close()
                raise NotDoneError(
                    f"`{self.path}` is not a cursor: its content does not say how far a log was sent",
                    "name another file for the cursor",
                )
            self._write_block(b"")
        except OSError as error:
            self.close()
            raise NotDoneError(f"the cursor `{self.path}` cannot be written: {format_os_error_cause(error)}") from None

    def try_lock(self) -> bool:
        """Become the one that sends, if no other process does; it stays so until the cursor is closed."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def is_still_same_file(self, directory: "int | None" = None) -> bool:
        """Whether others that lock it lock the same file."""
        try:
            there = os.stat(self.path, dir_fd=directory, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def read(self) -> "Position | None":
        """Return the position, None if nothing was delivered yet, or the block is damaged."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        digest, _, text = read_up_to(self._descriptor, _BLOCK).partition(b" ")
        text = text.rstrip()
        if digest != _digest(text):
            return None
        fields = json.loads(text)
        return Position(*fields) if len(fields) == len(Position.__match_args__) else None

    def write(self, position: Position) -> None:
        """Keep a position; raise OSError."""
        text = json.dumps([getattr(position, name) for name in Position.__match_args__]).encode()
        self._write_block(b"%b %b" % (_digest(text), text))

    def _write_block(self, block: bytes) -> None:
        if os.pwrite(self._descriptor, block.ljust(_BLOCK - 1) + b"\n", 0) != _BLOCK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def unlock(self) -> None:
        """Give up the lock, also if a child that was forked in between has the descriptor too."""
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close it, which gives up the lock, unless another process has the descriptor too."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _digest(text: bytes) -> bytes:
    return sha256(text).hexdigest()[:16].encode()
