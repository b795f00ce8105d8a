"""The identity of a file: a change of its bytes, its name or its mode changes it."""

import os
from time import time_ns

Identity = tuple[int, ...]
FINE_NS, COARSE_NS = 20_000_000, 2_000_000_000  # in which a file may change twice with the same time stamp


def make_identity(status: os.stat_result) -> Identity:
    """Return times, inode, size and device of a file: any change or replacement gives others."""
    return (status.st_ctime_ns, status.st_ino, status.st_mtime_ns, status.st_size, status.st_dev)


def is_timestamp_settled(identity: Identity) -> bool:
    """Whether the file's next change is sure to get a new time stamp."""
    changed = identity[0]
    return time_ns() - changed > (FINE_NS if changed % 1_000_000 else COARSE_NS)


def read_stable_identity_or_none(file: str) -> Identity | None:
    """Return the identity of a file, None if it is gone, or could change without getting another identity."""
    try:
        identity = make_identity(os.lstat(file))
    except OSError:
        return None
    return identity if is_timestamp_settled(identity) else None
