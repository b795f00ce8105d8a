"""Write a file so that a reader, or a crash, finds either the old or the new bytes, complete."""

import errno
import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TEMPORARY_PREFIX = ".new-"  # begins the name of an incomplete file
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRONG_KINDS = (errno.ELOOP, errno.EMLINK, errno.ENXIO)


def replace_file_atomically(
    directory: int, name: str, data: bytes, mode: int = 0o644, verify: "Callable[[], None]" = lambda: None
) -> None:
    """Replace a file of an open directory atomically; keep its owner, mode, access control list and attributes.

    `mode` is that of a new file. Nobody else may write to either (`inherited_attributes`). `verify` is called just
    before the file is replaced, and may raise to prevent it. Raises OSError, which names the file, if nothing changed.
    """
    try:
        old = _open_file_to_replace(directory, name)
        try:
            _rename_over(directory, name, data, mode, old, verify)
        finally:
            if old is not None:
                os.close(old)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    sync_directory(directory)


def create_file_atomically(directory: int, name: str, data: bytes, mode: int = 0o644) -> None:
    """Create a file in an open directory, complete or not at all; never replace one.

    Raises OSError, which names the file; FileExistsError where the name is taken.
    """
    try:
        temporary = _write_temporary(directory, data, mode, None)
        try:
            # unlike a rename, it replaces nothing, and follows no link at the name
            os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        finally:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    sync_directory(directory)


def sync_directory(directory: int) -> None:
    """Make changes of a directory survive a power loss, if the disk can."""
    with suppress(OSError):
        os.fsync(directory)


def remove_leftover_temporary_files(directory: int) -> None:
    """Remove the files that killed writers left. Call it with the writers' lock held."""
    with suppress(OSError):
        for name in os.listdir(directory):
            if name.startswith(TEMPORARY_PREFIX):
                with suppress(OSError):  # another user's, or no file: it does no harm
                    os.unlink(name, dir_fd=directory)


def _open_file_to_replace(directory: int, name: str) -> int | None:
    """Open the file to replace, None if it does not exist; raise OSError unless it is a regular file."""
    try:
        descriptor = os.open(name, _OLD, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _WRONG_KINDS:
            raise FileExistsError(errno.EEXIST, "is not a regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileExistsError(errno.EEXIST, "is not a regular file")
    return descriptor


def _rename_over(
    directory: int, name: str, data: bytes, mode: int, old: int | None, verify: "Callable[[], None]"
) -> None:
    temporary = _write_temporary(directory, data, mode, old)
    try:
        verify()
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):  # only the first error is reported; an interrupt may come after the rename
            os.unlink(temporary, dir_fd=directory)
        raise


def _write_temporary(directory: int, data: bytes, mode: int, old: int | None) -> str:
    """Write a complete file under a temporary name, with the attributes of the old one; return its name."""
    temporary = f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
    descriptor = os.open(temporary, _NEW, 0o600, dir_fd=directory)
    try:
        _write_all(descriptor, data)
        _set_attributes(descriptor, directory, mode, old)
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(descriptor)
    return temporary


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _set_attributes(descriptor: int, directory: int, mode: int, old: int | None) -> None:
    """Give a new file its attributes, its owner, and last its mode, which bounds what the attributes allow."""
    from cortex_policy.state.inherited_attributes import (  # noqa: PLC0415 - a check that asks for approval writes no file
        choose_owner_of_new_file,
        find_allowed_mode,
        find_mode_to_keep,
        read_extended_attributes,
        set_extended_attributes,
    )

    status = None
    if old is not None:
        status = os.fstat(old)
        mode = find_mode_to_keep(old, status)
        set_extended_attributes(descriptor, read_extended_attributes(old))
    created = os.fstat(descriptor)  # its group is that of a setgid directory
    owner, made_with = choose_owner_of_new_file(directory, status), (created.st_uid, created.st_gid)
    if owner not in (None, made_with):
        os.fchown(descriptor, *owner)
    is_kept = status is not None and owner == (status.st_uid, status.st_gid)
    os.fchmod(descriptor, mode if is_kept else find_allowed_mode(mode, *(owner or made_with)))
