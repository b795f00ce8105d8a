"""Make, replace and remove ledger files: rare, so that a check does not load this module."""

import os
import stat
import sys

from cortex_policy.core.model import StateError
from cortex_policy.state import (
    lock_file,
    read_time_namespace_id,
    unlock_and_close,
    unlock_file,
)
from cortex_policy.state.ledger_ring import (
    AT_HEAD,
    BROKEN,
    DELIVERIES,
    HEADER,
    LAYOUT,
    MAGIC,
    MAGIC_TAG,
    NOTHING,
    PRIME,
    SHARED_DELIVERIES,
    SWEEP_MARKER,
    WINDOW_TICKS,
    WORD,
    BudgetFileKey,
    DamagedFileError,
    Ring,
    compute_hits_per_slot,
    is_open_state_file_still_linked,
    open_and_lock_budget_file_or_none,
)

_NEW = ".new-"  # the process id of the maker follows
_TABLES = (DELIVERIES, SHARED_DELIVERIES)
_NO_BUDGETS = (SWEEP_MARKER, *_TABLES)


def create_and_lock_budget(directory: int, key: BudgetFileKey, limit: int) -> int:
    """Make the file of a key unless another process just did; return it open and locked."""
    return create_and_lock_state_file(directory, key.name, _ring_bytes(key, limit, []))


def create_and_lock_state_file(directory: int, name: str, data: memoryview) -> int:
    """Make a file of these bytes unless another process just made one; return it open and locked."""
    while True:
        lock_file(directory)
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return _put_file_in_place(directory, name, data)
        finally:
            unlock_file(directory)
        descriptor = open_and_lock_budget_file_or_none(directory, name)
        if descriptor is not None:
            return descriptor


def replace_damaged_by_denying_budget(directory: int, key: BudgetFileKey, damaged: int, limit: int, now: int) -> None:
    """Replace a damaged file, which is open and locked, by an empty one that is closed for one window."""
    _mark_broken(damaged)
    unlock_and_close(
        _put_file_in_place(directory, key.name, _ring_bytes(key, limit, [], closed_until=now + WINDOW_TICKS))
    )


def resize_and_lock_budget(directory: int, key: BudgetFileKey, ring: Ring, limit: int, now: int) -> int:
    """Replace a file by one that holds a new limit, its live hits copied; return it open and locked."""
    hits, step = ring.count_used(limit, now), compute_hits_per_slot(limit)
    oldest, mask = ring.head - hits, (1 << ring.slot_bits) - 1
    slots = memoryview(os.pread(ring.descriptor, WORD << ring.slot_bits, HEADER)).cast("q")
    # a slot of several hits gets the time of the newest of them, and so does the rest
    live = [
        slots[((oldest + min(first + step, hits) - 1) // ring.hits_per_slot) & mask] for first in range(0, hits, step)
    ]
    return _put_file_in_place(
        directory, key.name, _ring_bytes(key, limit, live, closed_until=ring.closed_until, head=hits), ring
    )


def _ring_bytes(key: BudgetFileKey, limit: int, live: list[int], *, closed_until: int = 0, head: int = 0) -> memoryview:
    """Return the bytes of a file for a limit, with these sealed words in its first slots."""
    step = compute_hits_per_slot(limit)
    bits = max(2, (limit // step + 2).bit_length(), len(live).bit_length())
    header = [
        (MAGIC << 16 | LAYOUT) * PRIME + MAGIC_TAG,  # the word that every file begins with
        key.identity,
        *map(key.seal, (bits, step, closed_until, read_time_namespace_id())),
        NOTHING,
        key.seal(head),
    ]
    empty = key.seal(0).to_bytes(WORD, sys.byteorder)
    return memoryview(_pack_words([*header, *live]) + empty * ((1 << bits) - len(live)))


def _pack_words(words: list[int]) -> bytes:
    packed = memoryview(bytearray(WORD * len(words))).cast("q")
    for index, word in enumerate(words):
        packed[index] = word
    return packed.tobytes()


def _put_file_in_place(directory: int, name: str, data: memoryview, old: Ring | None = None) -> int:
    """Put a file at a name, in place of an old one; return it open and locked."""
    temporary = f"{_NEW}{os.getpid()}-{os.urandom(8).hex()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        lock_file(descriptor)
        while data:
            data = data[os.write(descriptor, data) :]
        if old is not None:
            old.mark_removed()
        # INVARIANT: a file at its name is always complete; anything shorter is damage
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        unlock_and_close(descriptor)
        os.unlink(temporary, dir_fd=directory)
        raise
    return descriptor


def remove_budget(directory: int, name: str) -> bool:
    """Remove the file at a name, so that its budget starts again; return whether there was one."""
    descriptor = open_and_lock_budget_file_or_none(directory, name)
    if descriptor is None:
        return False
    try:
        _mark_removed(descriptor)
        os.unlink(name, dir_fd=directory)
    finally:
        unlock_and_close(descriptor)
    return True


def clear_budget_directory(directory: int) -> int:
    """Remove everything in a root's directory, of any kind; return how many budgets or other objects there were."""
    removed = 0
    for name in os.listdir(directory):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if name in _NO_BUDGETS or not _is_our_plain_file(status):
            _remove_object(directory, name, status)
            removed += name not in _NO_BUDGETS
        else:
            removed += remove_budget(directory, name)
    return removed


def _is_our_plain_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid()


def _remove_object(directory: int, name: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        from shutil import rmtree  # noqa: PLC0415 - only for an unexpected directory

        rmtree(name, dir_fd=directory)
    else:
        os.unlink(name, dir_fd=directory)


def _mark_removed(descriptor: int) -> None:
    """Mark a file, even a damaged one, as removed for all processes that have it open."""
    try:
        Ring(descriptor).mark_removed()
    except (DamagedFileError, StateError):  # StateError: another layout
        _mark_broken(descriptor)


def _mark_broken(descriptor: int) -> None:
    """Make processes that have mapped a damaged file open it again by name; lengthen a truncated file for the mark."""
    os.pwrite(descriptor, BROKEN.to_bytes(WORD, sys.byteorder), WORD * AT_HEAD)


def remove_idle_budgets(directory: int, now: int) -> None:
    """Remove every file without live hits, and the files that killed processes left."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    note = os.open(SWEEP_MARKER, flags, 0o600, dir_fd=directory)
    try:
        os.pwrite(note, now.to_bytes(WORD, sys.byteorder), 0)
    finally:
        os.close(note)
    for name in os.listdir(directory):
        if name.startswith(_NEW):
            _remove_orphan(directory, name)
        elif name != SWEEP_MARKER:
            _remove_idle(directory, name, now)


def _remove_orphan(directory: int, name: str) -> None:
    try:
        if not _is_alive(int(name.split("-")[1])):
            os.unlink(name, dir_fd=directory)
    except (ValueError, OverflowError, OSError):
        return  # not a budget, or another sweep removed it


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _remove_idle(directory: int, name: str, now: int) -> None:
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return  # gone, or a wrong kind of object: the next call that uses it reports it
    try:
        lock_file(descriptor, waits=False)
        # INVARIANT: no ring is read from a removed file: that would revive it for processes that have it mapped
        if not is_open_state_file_still_linked(descriptor):
            return
        if name in _TABLES:
            _remove_idle_deliveries(directory, name, descriptor, now)
        # INVARIANT: an idle ring of another key says nothing about the hits of this one
        elif (ring := Ring(descriptor)).belongs_to(name) and ring.is_idle(now):
            ring.mark_removed()
            os.unlink(name, dir_fd=directory)
    except (OSError, DamagedFileError, StateError):
        return  # in use, or damaged: the next call reports it
    finally:
        unlock_and_close(descriptor)


def _remove_idle_deliveries(directory: int, name: str, descriptor: int, now: int) -> None:
    from cortex_policy.state.calls_seen_by_several_hooks import is_idle_table  # noqa: PLC0415 - only if agents' hooks are used

    if is_idle_table(descriptor, now):
        os.unlink(name, dir_fd=directory)
