"""What all modules of this package share of the host: files, locks, directories, clock, boot, hash, root.

It is here, and not in a module of its own, because each module that a check loads costs time.
"""

import os
import sys
import time
from _thread import get_ident

try:
    import fcntl
except ImportError:  # a platform without file locks: every call answers 24
    fcntl = None  # type: ignore[assignment]

try:
    # CPython's own; `hashlib` costs 4 ms. A failed search for the wrong one would cost half a module
    if sys.version_info >= (3, 12):
        from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
    else:
        from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from hashlib import sha256

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.model import STATE_UNAVAILABLE, StateError

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
SYSTEM_SETTINGS = "/etc/cortex-policy"
STATE_DIR = "CORTEX_POLICY_STATE_DIR"
CLOCK = time.CLOCK_MONOTONIC_RAW if sys.platform == "darwin" else time.CLOCK_BOOTTIME
BOOT_PREFIX = 8  # digits in the name of a root's state that identify its boot
SPINS, YIELDS, MAX_LOCK_WAIT = 20, 20, 1.0
DEFAULT_OVERFLOW_UID, NO_USER = 65534, -1
MAX_COPY_BYTES = 1 << 20  # of what was decoded and is kept beside the rate state
OPEN_FILES_HINT = "raise the limit of open files (`ulimit -n`), or close some"


class Root(Value):
    """The directory that holds `.cortex/policy`: absolute, without links.

    `trusts_owner`: its owner may write the policy, as the caller and the user root may. Whoever gives the path decides
    that. A root that was only found above the working directory could be anybody's.
    """

    path: str
    trusts_owner: bool

    @property
    def is_explicit(self) -> bool:
        """Whether the path was given: only then is the owner trusted, and a command must give it as well."""
        return self.trusts_owner

    @property
    def policy_path(self) -> str:
        """The directory of the grants, the stamp, the settings of the root and the rest of its policy."""
        return make_policy_directory_path(self.path)

    @property
    def tools_path(self) -> str:
        """The directory of the grants."""
        return f"{self.policy_path}/tools"

    @property
    def cases_path(self) -> str:
        """The directory of the case files."""
        return f"{self.policy_path}/tests"


def make_dot_cortex_path(root: str) -> str:
    """Return the path of `.cortex` in a root."""
    return root.rstrip("/") + "/.cortex"


def make_policy_directory_path(root: str) -> str:
    """Return the path of `.cortex/policy` in a root."""
    return make_dot_cortex_path(root) + "/policy"


def make_state_unavailable_error(detail: str, hint: str = "") -> StateError:
    """Return the error for state that cannot be used."""
    return StateError(STATE_UNAVAILABLE, detail, hint)


def find_resource_shortage_error_or_none(error: BaseException | None) -> StateError | None:
    """Return the error for a lack of descriptors or memory, else None; loading a module takes one, too."""
    if not isinstance(error, OSError):
        return None
    from errno import EMFILE, ENFILE, ENOMEM  # noqa: PLC0415 - built in: no file is opened for it

    if error.errno not in (EMFILE, ENFILE, ENOMEM):
        return None
    return make_state_unavailable_error(
        os.strerror(error.errno).lower(), OPEN_FILES_HINT if error.errno != ENOMEM else ""
    )


def compute_sha256_hex(data: bytes) -> str:
    """Return SHA-256 in hexadecimal."""
    return str(sha256(data).hexdigest())


def read_up_to(descriptor: int, max_bytes: int) -> bytes:
    """Read a descriptor to its end, or `max_bytes` bytes."""
    parts, remaining = [], max_bytes
    while remaining and (part := os.read(descriptor, min(remaining, 1 << 16))):
        parts.append(part)
        remaining -= len(part)
    return b"".join(parts)


def exists_or_unknown(name: str, directory: int | None = None) -> bool:
    """Whether a name exists, or cannot be examined; its kind, mode and owner do not matter, and it is never opened."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    return True


def read_file_identity_or_none(path: str) -> tuple[int, int] | None:
    """Return the device and the inode that a path leads to, None if it leads nowhere, or cannot be examined."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def read_working_directory_or_none() -> str | None:
    """Return the working directory, None if it is gone."""
    try:
        here = os.getcwd()
    except OSError:
        return None
    return here if here.startswith("/") else None  # it may be in another mount namespace


def find_system_and_user_settings_directories() -> tuple[str, str]:
    """Return the directories of the system's and the user's settings, as platformdirs has them, without its 20 ms."""
    named = os.environ.get("XDG_CONFIG_HOME", "")
    if named.startswith("/"):
        return SYSTEM_SETTINGS, f"{named}/cortex-policy"
    below = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return SYSTEM_SETTINGS, f"{find_home_directory_or_empty()}/{below}/cortex-policy"


def may_hold_settings(directory: str) -> bool:
    """Whether a directory holds a settings file, or cannot be examined, which counts as holding one."""
    return may_exist(f"{directory}/config.toml")


def may_exist(path: str) -> bool:
    """Whether a path exists, or cannot be examined; below what is not a directory nothing exists."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def find_home_directory_or_empty() -> str:
    """Return the home directory of the caller, '' unless it is absolute."""
    path = os.path.expanduser("~")  # INVARIANT: never relative: files in the working directory would become settings
    return path.rstrip("/") if path.startswith("/") else ""


def find_default_rate_state_directory() -> str:
    """Return the default directory of rate state: the same with or without a login session."""
    if sys.platform == "darwin":
        return f"{find_home_directory_or_empty()}/Library/Caches/cortex-policy"
    return f"/dev/shm/cortex-policy-{os.geteuid()}"  # noqa: S108 - checked when it is opened


def find_named_or_default_state_directory(path: str | None) -> str:
    """Return the state directory that settings name, the usual one for None; raise StateError unless it is absolute."""
    if path is None:
        return find_default_rate_state_directory()
    if not path.startswith("/") or "\0" in path:
        raise make_state_unavailable_error(f"{STATE_DIR} is not absolute", "set it to an absolute path, or unset it")
    return path


def read_json_object_or_none(directory: int, name: str) -> "dict[str, object] | None":
    """Return the members of a copy, None if there is none, or it is invalid."""
    try:
        descriptor = os.open(name, OPEN_FILE, dir_fd=directory) if directory >= 0 else -1
    except OSError:
        return None
    if descriptor < 0:
        return None
    try:
        status = os.fstat(descriptor)
        members = decode_json(read_up_to(descriptor, MAX_COPY_BYTES)) if status.st_uid == os.geteuid() else None
    except (OSError, MalformedError):  # perhaps after a loss of power
        return None
    finally:
        os.close(descriptor)
    return members if isinstance(members, dict) else None


_overflow_uids: list[int] = []


def read_overflow_uid() -> int:
    """Return the user id under which a user namespace shows every owner that it does not know."""
    if not _overflow_uids:
        if sys.platform != "linux":
            return NO_USER
        try:
            with open("/proc/sys/kernel/overflowuid", "rb", buffering=0) as file:
                _overflow_uids.append(int(file.read(16)))
        except (OSError, ValueError):
            return DEFAULT_OVERFLOW_UID
    return _overflow_uids[0]


def read_boot_id() -> bytes:
    """Return the id of this boot, as the system spells it: another one after each start of the host."""
    if sys.platform == "darwin":
        from subprocess import run  # noqa: PLC0415 - macOS has no file for it

        return run(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, check=True).stdout
    descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 64)
    finally:
        os.close(descriptor)


def read_time_namespace_id() -> int:
    """Return the id of the time namespace, which has its own clock since boot; 0 if the kernel has none."""
    try:
        return os.stat("/proc/self/ns/time").st_ino
    except FileNotFoundError:  # no time namespaces in this kernel
        return 0


def lock_within_one_second(descriptor: int) -> None:
    """Lock a file within a second; raise StateError if another process holds it longer."""
    nap, waited = 20e-6, 0.0
    for attempt in range(1 << 20):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waited >= MAX_LOCK_WAIT:
                raise make_state_unavailable_error("another process holds it", "look for a stopped process") from None
            if attempt < SPINS:
                continue
            if attempt < SPINS + YIELDS:
                os.sched_yield()  # to a holder that lost its processor in the middle of a hit
            else:
                time.sleep(nap)
                waited += nap
                nap = min(2 * nap, 1e-3)
        else:
            return


_locks_held: dict[int, int] = {}  # what is locked for one shot, and by which thread


def lock_file(descriptor: int, *, waits: bool = True) -> None:
    """Lock a file for one shot; raise BlockingIOError if another has it and this one does not wait."""
    _locks_held[descriptor] = get_ident()
    try:
        if waits:
            lock_within_one_second(descriptor)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        _locks_held.pop(descriptor, None)
        raise


def unlock_file(descriptor: int) -> None:
    """Unlock a file; closing it is not enough: a child that was forked in between may keep it open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    _locks_held.pop(descriptor, None)


def unlock_and_close(descriptor: int) -> None:
    """Unlock a file, then close it: `unlock_file` says why closing is not enough."""
    unlock_file(descriptor)
    os.close(descriptor)


def _close_locks_of_other_threads() -> None:
    """In a child, close the files that other threads of its parent have locked: nobody there would unlock them."""
    for descriptor, thread in list(_locks_held.items()):
        if thread != get_ident():
            del _locks_held[descriptor]
            os.close(descriptor)


os.register_at_fork(after_in_child=_close_locks_of_other_threads)
