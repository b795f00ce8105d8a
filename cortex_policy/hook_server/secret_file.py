"""Secrets of a server: a key or a token, alone in a file that nobody else can read."""

import os
import stat
from errno import ENOENT
from shlex import quote

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import OPEN_FILE, read_up_to
from cortex_policy.state.missing_directory import make_file_creation_error

MIN_LENGTH, MAX_LENGTH = 32, 1024
_OTHERS = 0o077


def read_or_make_secret(path: str) -> str:
    """Return the secret in a file, which is made if it is missing; raise NotDoneError if others could know it."""
    try:
        _make_secret(path)
    except FileExistsError:
        pass
    except OSError as error:
        raise make_file_creation_error(path, error, f"`{path}` cannot be made", is_private=True) from None
    return read_secret(path)


def _make_secret(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # a mask of the caller may have taken bits
        os.write(descriptor, f"{os.urandom(32).hex()}\n".encode("ascii"))
    except OSError:  # the disk is full
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def read_secret(path: str, *, is_any_owner: bool = False) -> str:
    """Return the secret of a file that only its owner, who is the caller, can read; else raise NotDoneError."""
    try:
        descriptor = os.open(path, OPEN_FILE)
    except OSError as error:
        hint = (
            "start the server first: the server creates this file" if error.errno == ENOENT else "it must not be a link"
        )
        raise NotDoneError(f"`{path}` cannot be read: {format_os_error_cause(error)}", hint) from None
    try:
        status = os.fstat(descriptor)
        is_owner_wrong = status.st_uid != os.geteuid() and not is_any_owner
        if not stat.S_ISREG(status.st_mode) or is_owner_wrong or status.st_mode & _OTHERS:
            raise NotDoneError(
                f"`{path}` must be a file of yours that nobody else can read",
                f"run `chmod 600 {quote(path)}`, or remove the file: the next start creates it again",
            )
        secret = read_up_to(descriptor, MAX_LENGTH + 1).strip().decode("latin-1")
    finally:
        os.close(descriptor)
    if not (MIN_LENGTH <= len(secret) <= MAX_LENGTH and secret.isascii() and secret.isprintable()):
        raise NotDoneError(
            f"`{path}` must hold {MIN_LENGTH} to {MAX_LENGTH} printable ASCII characters",
            "remove the file: the next start creates it again",
        )
    return secret
