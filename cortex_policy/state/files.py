"""Replace a file so that a reader, or a crash, finds the old bytes or the new ones, whole."""

import errno
import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NEW = ".new-"  # begins the name of a file that is not whole yet


def replace(
    directory: int, name: str, data: bytes, mode: int = 0o644, look: "Callable[[], None]" = lambda: None
) -> None:
    """Replace a file of an open directory atomically; keep its owner and its mode, but nobody else may write to it.

    `look` is called just before it happens, and raises to prevent it. Raises OSError, which names the file, where
    nothing was changed.
    """
    try:
        _replace(directory, name, data, mode, look)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    settle(directory)


def settle(directory: int) -> None:
    """Let what was done in a directory outlive a loss of power; where the disk cannot, it is done all the same."""
    with suppress(OSError):
        os.fsync(directory)


def sweep(directory: int) -> None:
    """Remove what killed writers left, for who holds their lock: nobody else makes such a file."""
    with suppress(OSError):
        for name in os.listdir(directory):
            if name.startswith(NEW):
                with suppress(OSError):  # another user's, or no file at all: in nobody's way
                    os.unlink(name, dir_fd=directory)


def _replace(directory: int, name: str, data: bytes, mode: int, look: "Callable[[], None]") -> None:
    owner: tuple[int, int] | None = None
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        pass  # a new file: ours, with the mode given
    else:
        if not stat.S_ISREG(status.st_mode):
            raise FileExistsError(errno.EEXIST, "is not a regular file")
        mode, owner = stat.S_IMODE(status.st_mode) & ~stat.S_IWOTH, (status.st_uid, status.st_gid)
    temporary = f"{NEW}{os.getpid()}-{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        try:
            _fill(descriptor, data, mode, owner)
        finally:
            os.close(descriptor)
        look()
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):  # what went wrong is told, not this; an interrupt may come after the rename
            os.unlink(temporary, dir_fd=directory)
        raise


def _fill(descriptor: int, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    created = os.fstat(descriptor)  # its group is the directory's where that is setgid
    if owner not in (None, (created.st_uid, created.st_gid)):
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)
