"""Replace a file so that a reader, or a crash, finds the old bytes or the new ones, whole."""

import os
import stat


def replace(path: str, data: bytes, mode: int = 0o644) -> None:
    """Replace the file at a path atomically; keep the owner and mode of the one that is there. Raises OSError."""
    directory = os.path.dirname(path)
    owner: tuple[int, int] | None = None
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        pass  # a new file: ours, with the mode given
    else:
        mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
    temporary = f"{directory}/.new-{os.getpid()}-{os.urandom(8).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            _fill(descriptor, data, mode, owner)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_directory(directory)


def _fill(descriptor: int, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    if owner is not None and owner != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
