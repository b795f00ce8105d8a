"""Wait until the stamp, or a reader of it, is at a version."""

from time import monotonic, sleep

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.reader_acknowledgements import (
    Acknowledgement,
    check_reader_name,
    prune_and_list_acknowledgements,
)
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.stamp import Stamp

POLL_SECONDS = 0.05


def wait_until_stamp_has_version(root: Root, version: int, timeout_seconds: float | None = None) -> Stamp:
    """Wait until the stamp has at least a version, and return it; raise NotDoneError at the time-out, if any."""
    deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
    while True:
        stamp = stamps.read_stamp(root)
        if stamp is not None and stamp.version >= version:
            return stamp
        if deadline is not None and not monotonic() < deadline:
            last = f"the stamp is at version {stamp.version}" if stamp is not None else "there is no stamp yet"
            raise NotDoneError(f"{last}; version {version} was expected")
        sleep(POLL_SECONDS)


def wait_for_processes_of_reader(
    root: Root, name: str, version: int | None = None, timeout_seconds: float | None = None
) -> tuple[Acknowledgement, ...]:
    """Wait until each live process of a reader runs at least a version, and return what they acknowledge.

    At least one process must exist. Without a version it is that of the stamp now. Raise NotDoneError at the time-out
    (None: wait without end), and if there is neither a version nor a stamp.
    """
    check_reader_name(name)
    expected = _read_stamp_version(root) if version is None else version
    deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
    while True:
        readers = tuple(sorted(prune_and_list_acknowledgements(root, name), key=lambda each: each.pid))
        if readers and all(each.version >= expected for each in readers):
            return readers
        if deadline is not None and not monotonic() < deadline:
            raise NotDoneError(_late_readers(name, readers, expected))
        sleep(POLL_SECONDS)


def _read_stamp_version(root: Root) -> int:
    stamp = stamps.read_stamp(root)
    if stamp is None:
        message = "there is no stamp, so there is no version to wait for"
        raise NotDoneError(message, "write one with `cortex-policy stamp write`")
    return stamp.version


def _late_readers(name: str, readers: tuple[Acknowledgement, ...], expected: int) -> str:
    if not readers:
        return f"no process has acknowledged anything as reader `{name}`"
    late_readers = [each for each in readers if each.version < expected]
    processes = ", ".join(f"process {each.pid} runs version {each.version}" for each in late_readers)
    return f"reader `{name}` does not run version {expected} yet: {processes}"
