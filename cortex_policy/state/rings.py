"""Making and replacing ledger files: rare, so that a check does not load it."""

import os
import sys

from cortex_policy.state.ledger import (
    HEADER,
    MAGIC,
    WINDOW_TICKS,
    Key,
    Ring,
    failed,
    grain,
    lock,
)

_LOCAL = frozenset((
    "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "zfs", "f2fs", "bcachefs", "jfs", "devtmpfs",
))  # fmt: skip


def refuse_network(descriptor: int, shown: str) -> None:
    """Raise StateError where a directory does not lie on a local file system: `flock` excludes nobody elsewhere."""
    if sys.platform != "linux":
        return
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        kind = file_system(path, mounts.read())
    if kind not in _LOCAL:
        os.rmdir(path)
        raise failed(f"`{shown}` lies on `{kind}`, which is not known to be local", "name a local directory")


def file_system(path: str, mounts: str) -> str:
    """Return the type of the file system that a path lies on, by the longest mount point above it."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = fields.split(" ")[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # a later mount covers an earlier one at the same point
            best, kind = len(point), rest.split(" ")[0]
    return kind


def create(directory: int, key: Key, limit: int) -> None:
    """Make the file of a key unless another process just did."""
    lock(directory)
    try:
        os.stat(key.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        os.close(_published(directory, key, limit, [], 0))
    finally:
        _unlock(directory)


def _unlock(directory: int) -> None:
    import fcntl  # noqa: PLC0415 - `lock` has shown that it is there

    fcntl.flock(directory, fcntl.LOCK_UN)


def close(directory: int, key: Key, limit: int, now: int) -> None:
    """Replace a damaged file by an empty one that is closed for one window."""
    os.close(_published(directory, key, limit, [], now + WINDOW_TICKS))


def rebuild(directory: int, ring: Ring, limit: int, now: int) -> int:
    """Replace a file by one that holds a new limit, its live hits copied; return it open and locked."""
    oldest = ring.head - ring.used(limit, now)
    hits, step = ring.head - oldest, grain(limit)
    ticks = [ring.slot(oldest + min(first + step, hits) - 1) for first in range(0, hits, step)]
    return _published(directory, ring.key, limit, ticks, ring.closed, head=hits)


def _published(directory: int, key: Key, limit: int, ticks: list[int], closed: int, head: int = 0) -> int:
    step = grain(limit)
    bits = max(2, (limit // step + 2).bit_length(), len(ticks).bit_length())
    words = bytearray(key.seal(0).to_bytes(8, sys.byteorder) * (1 << bits))
    slots = memoryview(words).cast("q")
    for index, tick in enumerate(ticks):
        slots[index] = key.seal(tick)
    header = memoryview(bytearray(HEADER)).cast("q")
    header[0], header[1] = MAGIC, key.identity
    for index, value in enumerate((bits, step, head, closed, 0, 0), 2):
        header[index] = key.seal(value)
    temporary = f".new-{os.getpid()}-{os.urandom(8).hex()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        lock(descriptor)
        data = memoryview(bytes(header) + bytes(words))
        while data:
            data = data[os.write(descriptor, data) :]
        # INVARIANT: a file at its name is always complete; anything shorter is damage
        os.rename(temporary, key.name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.close(descriptor)
        os.unlink(temporary, dir_fd=directory)
        raise
    return descriptor
