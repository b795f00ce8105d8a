"""Why a path cannot be resolved; loaded only if one fails, or leaves the device of the root."""

import os
import sys
from errno import EMFILE, ENAMETOOLONG, ENFILE, ENOMEM

from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import OPEN_FILES_HINT, make_state_unavailable_error


def format_path_failure_or_raise(error: OSError) -> str:
    """Return why a path cannot be followed; raise StateError if this process has run out of something."""
    why = format_os_error_cause(error)
    if error.errno in (EMFILE, ENFILE, ENOMEM):
        hint = OPEN_FILES_HINT if error.errno != ENOMEM else ""
        raise make_state_unavailable_error(f"a path cannot be resolved: {why}", hint) from None
    return why


def is_name_too_long_error(error: OSError) -> bool:
    """Whether a component cannot exist: it is too long for its file system."""
    return error.errno == ENAMETOOLONG


def find_proc_link_problem(link: str, device: int) -> str:
    """Return the fault of a link in a proc file system, or of one that cannot be identified; '' for other links.

    The kernel follows some links in /proc itself, whatever their text says.
    """
    if sys.platform != "linux":
        return ""
    try:
        return f"`{link}` is a link inside /proc" if _is_proc(device) else ""
    except OSError:
        return "without /proc nobody knows whether the path has a link of a process; mount /proc"


def _is_proc(device: int) -> bool:
    device_number = b"%d:%d" % (os.major(device), os.minor(device))
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:  # proc(5): ID, parent, major:minor, root, mount point, ... - type, source, options
            mount, _, kind = line.partition(b" - ")
            if mount.split(b" ", 3)[2] == device_number:
                return kind.startswith(b"proc ")
    return False
