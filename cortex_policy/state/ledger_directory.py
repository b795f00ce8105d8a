"""Make a root's directory of state, and check once what file system it is on."""

import errno
import os
import stat
import sys
from shlex import quote

from cortex_policy.core.model import StateError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import BOOT_PREFIX, OPEN_FILES_HINT, make_state_unavailable_error

_LOCAL = frozenset((
    "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "zfs", "f2fs", "bcachefs", "jfs", "devtmpfs",
))  # fmt: skip


_WRONG_KINDS = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)
_ESCAPES = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))  # proc(5); the last one last
_ELSEWHERE = "name a local directory of your own with CORTEX_POLICY_STATE_DIR"


def make_state_error_of_os_error(error: OSError, shown: str) -> StateError:
    """Return the error for state that cannot be opened, made or written, with a hint for this place."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return make_state_unavailable_error(format_os_error_cause(error), OPEN_FILES_HINT)
    named = error.filename if isinstance(error.filename, str) else ""
    if named.startswith(("/proc/sys/", "/proc/self/")):  # the id of this boot, and the mounts
        return make_state_unavailable_error(f"`{named}`: {format_os_error_cause(error)}", "mount /proc here")
    return make_state_unavailable_error(f"`{shown}`: {format_os_error_cause(error)}", _ELSEWHERE)


def make_state_open_error(error: OSError, shown: str = "", parent: int | None = None) -> Exception:
    """Return the error for a wrong kind of object: a directory of state if `shown`, else one of its files."""
    if shown and error.errno in (*_WRONG_KINDS, errno.EACCES):
        try:
            status = os.stat(shown if parent is None else os.path.basename(shown), dir_fd=parent, follow_symlinks=False)
        except OSError:  # it cannot be examined, or is gone
            return error
        if status.st_uid != os.geteuid():
            return _foreign_owner_error(shown, status.st_uid)
    if error.errno not in _WRONG_KINDS:
        return error
    if shown:
        return make_state_unavailable_error(
            f"`{shown}` is a link, or not a directory", f"look at it, then remove it with `rm -r {quote(shown)}`"
        )
    return make_state_unavailable_error(
        "a state file has another owner, more than one link or the wrong type",
        "drop it with `cortex-policy rate purge`",
    )


def make_unsafe_directory_error(shown: str, status: os.stat_result) -> StateError:
    """Return the error for a directory of state that is not ours alone."""
    if status.st_uid != os.geteuid():
        return _foreign_owner_error(shown, status.st_uid)
    return make_state_unavailable_error(f"`{shown}` is open to others", f"fix it with `chmod 700 {quote(shown)}`")


def _foreign_owner_error(shown: str, owner: int) -> StateError:
    """Return the error for a name that another user owns: counting elsewhere would be a second budget."""
    from cortex_policy.state.users import format_user  # noqa: PLC0415 - it loads `pwd`

    hint = f"root looks at it, then removes it with `rm -r {quote(shown)}`; or {_ELSEWHERE}"
    return make_state_unavailable_error(f"`{shown}` belongs to {format_user(owner)}", hint)


def make_state_directory_and_drop_old_boots(name: str, parent: int | None, shown: str) -> None:
    """Make a directory of state unless another process just did."""
    if parent is not None:  # before there is anything below it, so that a kill here skips no check
        require_known_local_file_system(parent, shown)
        _remove_other_boots(parent, name)
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return


def require_known_local_file_system(descriptor: int, shown: str) -> None:
    """Raise StateError if a directory is not on a local file system: `flock` may not exclude others there."""
    if sys.platform != "linux":
        return
    kind = _file_system_of(os.readlink(f"/proc/self/fd/{descriptor}"))
    if kind not in _LOCAL:
        raise make_state_unavailable_error(
            f"`{shown}` is on `{kind}`, which is not known to be local", "name a local directory"
        )


def is_on_known_local_file_system(path: str) -> bool:
    """Whether a directory is known to be on a local file system, whose changes this kernel sees."""
    return sys.platform == "linux" and _file_system_of(path) in _LOCAL


def _file_system_of(path: str) -> str:
    with open("/proc/self/mountinfo", "rb") as mounts:
        return find_file_system_type_of_path(os.fsencode(path), mounts.read())


def find_file_system_type_of_path(path: bytes, mounts: bytes) -> str:
    """Return the type of the file system of a path, by the longest mount point above it."""
    best, kind = -1, b""
    for line in mounts.split(b"\n")[:-1]:  # a name may hold other characters that end a line elsewhere
        fields, _, rest = line.partition(b" - ")
        point = fields.split(b" ")[4]
        for code, character in _ESCAPES:
            point = point.replace(code, character)
        inside = path == point or path.startswith(point.rstrip(b"/") + b"/")
        if inside and len(point) >= best:  # a later mount covers an earlier one at the same point
            best, kind = len(point), rest.split(b" ")[0]
    return kind.decode("ascii", "replace")


def _remove_other_boots(parent: int, name: str) -> None:
    """Remove the directories of earlier boots: their names begin with another mark."""
    for other in os.listdir(parent):
        is_ours = len(other) == len(name) and set(other) <= set("0123456789abcdef")
        if is_ours and other[:BOOT_PREFIX] != name[:BOOT_PREFIX]:
            _remove_directory(parent, other)


def _remove_directory(parent: int, name: str) -> None:
    from shutil import rmtree  # noqa: PLC0415 - only if there was another boot

    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return  # another process was here
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
        rmtree(name, ignore_errors=True, dir_fd=parent)  # what remains does no harm
