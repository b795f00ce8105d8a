"""Why a way cannot be followed, or nothing is found on it; loaded where one fails, or leaves the device of the root."""

import os
import sys
from errno import EMFILE, ENAMETOOLONG, ENFILE, ENOMEM

from cortex_policy.core.model import STATE_UNAVAILABLE, StateError
from cortex_policy.state.paths import Unfollowed


def unfollowed(error: OSError) -> Unfollowed | StateError:
    """Return why a way cannot be followed; where this process has run out of something, nobody can decide."""
    why = os.strerror(error.errno or 0).lower()
    if error.errno in (EMFILE, ENFILE):
        hint = "raise the limit of open files (`ulimit -n`), or close some"
        return StateError(STATE_UNAVAILABLE, f"a path cannot be resolved: {why}", hint)
    if error.errno == ENOMEM:
        return StateError(STATE_UNAVAILABLE, f"a path cannot be resolved: {why}")
    return Unfollowed(why)


def absence(error: OSError) -> str:
    """Say why a component cannot exist: it is too long for its file system; raise what any other error comes to."""
    if error.errno != ENAMETOOLONG:
        raise unfollowed(error)
    return os.strerror(ENAMETOOLONG).lower()


def refuse_process_link(link: str, device: int) -> None:
    """Raise Unfollowed for a link of a proc file system, wherever that is mounted, and where nobody can tell.

    The kernel follows some of these by itself, whatever their text says.
    """
    if sys.platform == "linux" and _is_proc(device):
        message = f"`{link}` is a link inside /proc"
        raise Unfollowed(message)


def _is_proc(device: int) -> bool:
    wanted = b"%d:%d" % (os.major(device), os.minor(device))
    try:
        with open("/proc/self/mountinfo", "rb") as mounts:
            for line in mounts:  # proc(5): ID, parent, major:minor, root, mount point, ... - type, source, options
                mount, _, kind = line.partition(b" - ")
                if mount.split(b" ", 3)[2] == wanted:
                    return kind.startswith(b"proc ")
    except OSError:
        message = "nobody can tell whether a link on its way is one of a process: mount /proc"
        raise Unfollowed(message) from None
    return False
