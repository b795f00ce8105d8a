"""Read a file from a command line or a checkout: a device or a pipe is never opened."""

import os
import stat

from cortex_policy.state import read_up_to

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LOOK = getattr(os, "O_PATH", _READ) | os.O_CLOEXEC  # opens only the name: a device may act when it is opened


def read_regular_file_following_links(path: str, max_bytes: int) -> bytes:
    """Return at most `max_bytes` bytes of a regular file; raise OSError."""
    place = os.open(path, _LOOK)
    try:
        _raise_if_not_regular(place)
        # INVARIANT: read the file that was checked, even if its name leads to another by now
        descriptor = _reopen(place, path)
    finally:
        os.close(place)
    try:
        _raise_if_not_regular(descriptor)
        return read_up_to(descriptor, max_bytes)
    finally:
        os.close(descriptor)


def _reopen(place: int, path: str) -> int:
    try:
        return os.open(f"/proc/self/fd/{place}", _READ)
    except FileNotFoundError:  # there is no /proc
        return os.open(path, _READ)


def _raise_if_not_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(None, "it is not a regular file")
