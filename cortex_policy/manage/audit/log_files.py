"""The files of an audit log, including the rotated ones."""

import os
from contextlib import ExitStack, contextmanager

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.audit.reader import STDIN, open_log_for_reading, sort_logs_oldest_first
from cortex_policy.state.audit_rotated_names import list_rotated_logs_beside, strip_compression_suffix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO


def list_log_files(file: str) -> list[str]:
    """Return the names of a log and of its rotated files, the oldest first, as in `log.2.gz`, `log.1`, `log`.

    If some have numbers and some have dates, the time of their first event decides. If nothing was logged since it was
    rotated the log itself is left out, and so is what is packed in another way. Raises NotDoneError.
    """
    try:
        numbered, dated = list_rotated_logs_beside(file)
    except OSError as error:
        raise NotDoneError(f"`{file}`: {format_os_error_cause(error)}") from None
    before = [
        name
        for name in (*reversed(dated), *reversed(numbered))
        if name.removesuffix(".gz") == strip_compression_suffix(name)
    ]
    if numbered and dated:
        before = sort_logs_oldest_first(before)
    # if nothing exists at all, opening it reports that
    return [*before, *([file] if os.path.lexists(file) or not before else [])]


@contextmanager
def open_logs(names: "Sequence[str]") -> "Iterator[list[tuple[str, BinaryIO]]]":
    """Open logs, given the oldest first; raise NotDoneError.

    The newest is opened first and no file twice, so that a file renamed in between is not missed.
    """
    with ExitStack() as stack:
        logs: list[tuple[str, BinaryIO]] = []
        seen = set()
        for name in reversed(names):
            is_gone = name != STDIN and not os.path.lexists(name)
            if is_gone and len(names) > 1 and (logs or name != names[0]):
                continue  # it was removed or renamed in between
            file = stack.enter_context(open_log_for_reading(name))
            if (identity := read_device_and_inode(file)) not in seen:
                seen.add(identity)
                logs.append((name, file))
        yield logs[::-1]


def read_device_and_inode(file: "BinaryIO") -> tuple[int, int]:
    """Return the device and inode of a file, which a rename does not change."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
