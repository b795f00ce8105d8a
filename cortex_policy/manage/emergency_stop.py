"""Stop a root: deny every call at once, and resume it."""

import os
import stat
from contextlib import contextmanager, suppress
from shlex import quote as quoted

from cortex_policy import state
from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import escape_unprintable, format_os_error_cause
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import sync_directory
from cortex_policy.state.control_command_record import CommandRecorder, make_begun_command_record
from cortex_policy.state.emergency_stop import (
    MAX_REASON_BYTES,
    NAME,
    EmergencyStop,
    find_host_stop_in_settings_directory,
    find_root_stop,
    find_stop_in_open_policy_directory,
)
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.writer_lock import check_root_not_replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERWISE = "stop the whole host with `sudo mkdir -p /etc/cortex-policy && sudo touch /etc/cortex-policy/stop`"


class StopResult(Value):
    """The stop in effect, whether it is new, and why it could not be recorded, '' if it was."""

    stop: EmergencyStop
    is_changed: bool
    unrecorded: str = ""


class ResumeResult(Value):
    """The stop that was ended, whether there was one, and why that could not be recorded, '' if it was."""

    stop: EmergencyStop | None
    is_changed: bool
    unrecorded: str = ""


def find_active_stops(root: Root) -> tuple[EmergencyStop, ...]:
    """Return the stops that deny every call of a root, the host's first."""
    return tuple(filter(None, (find_host_stop_in_settings_directory(state.SYSTEM_SETTINGS), find_root_stop(root))))


def stop_to_json(stop: EmergencyStop | None) -> dict[str, object] | None:
    """Return an emergency stop as JSON members, None if there is none."""
    if stop is None:
        return None
    return {
        "file": stop.file,
        "host": stop.is_of_host,
        "by": stop.by,
        "stopped_at": stop.timestamp,
        "reason": stop.reason,
        "problem": stop.fault,
    }


def stop_root(root: Root, reason: str = "") -> StopResult:
    """Deny every call of a root from now on, even if the rest of the root is broken.

    It waits for no lock. An existing stop stays as it is: the first user and reason matter. Raise NotDoneError if no
    stop can be made.
    """
    with _open_policy(root, _OTHERWISE) as policy:
        is_made = _create_stop(policy.descriptor, reason)
    stop = find_root_stop(root)
    if stop is None:
        raise NotDoneError(
            f"`{policy.path}/{NAME}` was removed in the meantime, or its directory was replaced", "try again"
        )
    # INVARIANT: only now, so that nothing can keep calls from being stopped
    unrecorded = (
        CommandRecorder(make_begun_command_record("stop", detail=stop.reason or ""), root.path).record_at_once().problem
        if is_made
        else ""
    )
    return StopResult(stop, is_made, unrecorded)


def resume_root_if_stopped(root: Root) -> ResumeResult:
    """End the stop of a root, whichever user made it; raise NotDoneError if it cannot be removed."""
    with _open_policy(root, f"see why with `ls -ld {quoted(f'{root.policy_path}/{NAME}')}`") as policy:
        check_root_not_replaced(policy)
        ended = find_stop_in_open_policy_directory(policy)
        with suppress(FileNotFoundError):  # there is none, or another operator was faster
            mode = os.stat(NAME, dir_fd=policy.descriptor, follow_symlinks=False).st_mode
            remove = os.rmdir if stat.S_ISDIR(mode) else os.unlink
            was = f"ended the stop {ended.sentence}" if ended is not None else ""
            with CommandRecorder(make_begun_command_record("resume", detail=was), root.path) as recorder:
                remove(NAME, dir_fd=policy.descriptor)
                sync_directory(policy.descriptor)
            return ResumeResult(ended, is_changed=True, unrecorded=recorder.problem)
    return ResumeResult(None, is_changed=False)


@contextmanager
def _open_policy(root: Root, hint: str) -> "Iterator[PolicyDirectory]":
    """Open the policy directory, whatever its modes and owners, and turn OSError into NotDoneError."""
    policy = PolicyDirectory(TrustCheck(root))
    try:
        with policy:
            yield policy
    except OSError as error:
        file = error.filename if os.path.isabs(str(error.filename)) else f"{policy.path}/{NAME}"
        raise NotDoneError(f"`{file}`: {format_os_error_cause(error)}", hint) from None


def _create_stop(policy: int, reason: str) -> bool:
    """Create the file of a stop; its name alone is the stop, so that a full disk loses only the reason."""
    try:
        descriptor = os.open(NAME, _NEW, 0o644, dir_fd=policy)
    except FileExistsError:
        return False
    try:
        with suppress(OSError):
            os.write(descriptor, _reason_line(reason))
            os.fchmod(descriptor, 0o644)  # a denied caller may read the reason
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(policy)
    return True


def _reason_line(reason: str) -> bytes:
    """Return a reason as one printable line of limited length."""
    text = escape_unprintable(" ".join(reason.split()))
    return text.encode()[: MAX_REASON_BYTES - 1].decode(errors="ignore").encode() + b"\n" if text else b""
