"""Keep a copy of what is set, for the checks to come: once for each edit of a settings file."""

import os
from contextlib import suppress
from json import dumps

from cortex_policy.state.settings_cache import MARK, PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Settings

MOST = 64  # copies, of as many roots
_NEW = ".new-settings-"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def remember(directory: int, name: str, found: "Settings") -> None:
    """Keep a copy in the directory of rate state under its name, instead of earlier ones of the same sources.

    A copy that cannot be written is none: the files are read the next time as well.
    """
    with suppress(OSError):
        _prune(directory, name)
        temporary = f"{_NEW}{os.getpid()}"
        descriptor = os.open(temporary, _FLAGS, 0o600, dir_fd=directory)
        try:
            members = {field: getattr(found, field) for field in found.__match_args__}
            os.write(descriptor, dumps(members).encode())  # a part of it is no copy
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            os.close(descriptor)


def _prune(directory: int, name: str) -> None:
    """Remove the copies of these sources, to which nothing leads now, those of a crash, and all where they are many."""
    others = [other for other in os.listdir(directory) if other.startswith((PREFIX, _NEW))]
    of_these = name[: len(PREFIX) + MARK]
    for other in others:
        if other.startswith((of_these, _NEW)) or len(others) > MOST:
            with suppress(OSError):  # another process was faster
                os.unlink(other, dir_fd=directory)
