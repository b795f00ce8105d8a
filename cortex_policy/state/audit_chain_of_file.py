"""Chain a line if the end of its file holds no digest: in a new file, and after a torn line."""

import os

from cortex_policy.core.audit_chain import chain_first_line, chain_line, find_last_digest
from cortex_policy.core.model import StateError
from cortex_policy.state import OPEN_FILE, compute_sha256_hex, lock_file, unlock_and_close
from cortex_policy.state.audit_file import is_open_log_safe
from cortex_policy.state.audit_rotated_names import list_rotated_logs_beside, strip_compression_suffix

SEARCHED_BYTES = 4 << 20  # bytes from the end: more than the longest line that a writer may leave incomplete


def make_line_chained_to_file(line: bytes, descriptor: int, size: int, file: str) -> bytes:
    """Return the line with its digest, and a newline before it if a killed writer left none."""
    start = max(0, size - SEARCHED_BYTES)
    data = _read_range(descriptor, start, size)
    separator = b"\n" if data and not data.endswith(b"\n") else b""
    before, end = find_last_digest(data)
    if before:
        return separator + chain_line(line, before, (data[end:] + separator)[1:], compute_sha256_hex)
    return separator + chain_first_line(line, None if start else _digest_before(file), compute_sha256_hex)


def _digest_before(file: str) -> str | None:
    """Return the last digest in the files before this one; None if they have none, or it is unknown."""
    try:
        older = _earlier_files_newest_first(file)
    except OSError:
        return None
    for name in older:
        end = None if name != strip_compression_suffix(name) else _last_digest_of(name)
        if end != "":
            return end
    return None


def _earlier_files_newest_first(file: str) -> list[str]:
    """Return the names of files before this one; a rename does not change the time of the last write."""
    numbered, dated = list_rotated_logs_beside(file)
    if not (numbered and dated):
        return numbered or dated
    return sorted([*numbered, *dated], key=lambda name: os.lstat(name).st_mtime_ns, reverse=True)


def _last_digest_of(rotated: str) -> str | None:
    """Return the last digest in a file, after its other writer is done; '' if it holds only torn lines."""
    try:
        descriptor = os.open(rotated, OPEN_FILE)
    except OSError:
        return None
    try:
        if not is_open_log_safe(descriptor):
            return None
        _wait_for_writer(descriptor)
        size = os.fstat(descriptor).st_size
        digest, _ = find_last_digest(_read_range(descriptor, max(0, size - SEARCHED_BYTES), size))
    except OSError:
        return None
    else:
        return digest or (None if size > SEARCHED_BYTES else "")
    finally:
        unlock_and_close(descriptor)


def _wait_for_writer(descriptor: int) -> None:
    """Wait for a writer that still holds the lock; after a second it can only be a reader."""
    try:
        lock_file(descriptor)
    except StateError:
        return


def _read_range(descriptor: int, start: int, end: int) -> bytes:
    parts = []
    while start < end and (part := os.pread(descriptor, end - start, start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)
