"""What tells a file from all it may become: whatever is done to its bytes, its name or its mode changes it."""

import os
from time import time_ns

Identity = tuple[int, ...]
FINE, COARSE = 20_000_000, 2_000_000_000  # nanoseconds in which a file may change twice under one time stamp


def identity_of(status: os.stat_result) -> Identity:
    """Return the identity of a file by its status."""
    return (status.st_ctime_ns, status.st_ino, status.st_mtime_ns, status.st_size, status.st_dev)


def lies_still(identity: Identity) -> bool:
    """Whether the next change of a file must get another time stamp than the last one had."""
    changed = identity[0]
    return time_ns() - changed > (FINE if changed % 1_000_000 else COARSE)
