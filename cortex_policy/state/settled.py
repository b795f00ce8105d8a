"""What is set, kept beside the rate state and bound to the identity of the files that say it: nothing is read twice.

A copy is found by a name made of all it depends on. Whatever is done to a settings file, or to a directory on the way
to it, changes that name, so that no copy is ever stale: the files are read again, and the next copy has another name.
"""

import os
from time import time_ns

from cortex_policy.core.decode import Malformed, decode_json
from cortex_policy.core.model import Settings
from cortex_policy.state.grants import read_all, sha256
from cortex_policy.state.ledger import STATE_DIR, may_hold_settings, settings_directories, usual_state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    Identity = tuple[int, ...]

FORMAT = 1  # goes up with each change of what settings mean
NAME = "config.toml"
PREFIX = "settings-"
LARGEST = 1 << 14
MARK = 8  # how many digits of a name tell of the files and variables
FINE, COARSE = 20_000_000, 2_000_000_000  # nanoseconds in which a file may change twice under one time stamp
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def settled(root: str, variables: "dict[str, str]") -> Settings:
    """Return what a check of a root goes by, and these variables; raise GrantError (settings_invalid)."""
    system, user = settings_directories()
    directory = -1 if may_hold_settings(system) else _state()
    if directory < 0:  # who could lock something is read each time: the environment names where copies are
        return _read(root)
    try:
        before = _identities(root, user)
        name = _name(root, user, variables, before)
        found = _recalled(directory, name)
        if found is None:
            found = _read(root)
            if _identities(root, user) == before and _lie_still(before[-2:]):
                from cortex_policy.state.settling import remember  # noqa: PLC0415 - once for each edit

                remember(directory, name, found)
        return found
    finally:
        os.close(directory)


def _read(root: str) -> Settings:
    from cortex_policy.state.settings import effective  # noqa: PLC0415 - only where there is no copy

    return effective(root)


def _state() -> int:
    """Open the directory of rate state; -1 where it is not there, or not ours alone, which the ledger tells."""
    named = os.environ.get(STATE_DIR)
    where = usual_state_directory() if named is None else named
    try:
        directory = os.open(where, _DIRECTORY) if where.startswith("/") else -1
    except (OSError, ValueError):
        return -1
    if directory < 0:
        return directory
    status = os.fstat(directory)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
        return directory
    os.close(directory)
    return -1


def _identities(root: str, user: str) -> "tuple[Identity, ...]":
    """Return what tells the settings files, and the directories that lead to them, from all they may become."""
    holder = f"{root.rstrip('/')}/.cortex"
    policy = f"{holder}/policy"
    return (*map(_directory, (user, holder, policy)), *map(_file, (f"{user}/{NAME}", f"{policy}/{NAME}")))


def _directory(name: str) -> "Identity":
    try:
        return _trusted(os.lstat(name))
    except OSError as error:
        return (error.errno or 0,)


def _file(name: str) -> "Identity":
    try:
        descriptor = os.open(name, _FILE)  # a network's file system asks its server then
    except OSError as error:
        return (error.errno or 0,)
    status = os.fstat(descriptor)
    os.close(descriptor)
    return (*_trusted(status), status.st_nlink, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _trusted(status: os.stat_result) -> "Identity":
    return (status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid)


def _lie_still(files: "tuple[Identity, ...]") -> bool:
    """Whether the next change of each file must get another time stamp than the last one had."""
    now = time_ns()
    ages = ((file[-1], now - file[-1]) for file in files if len(file) > 1)
    return all(age > (FINE if changed % 1_000_000 else COARSE) for changed, age in ages)


def _name(root: str, user: str, variables: "dict[str, str]", found: "tuple[Identity, ...]") -> str:
    sources = (root, user, os.environ.get(STATE_DIR), sorted(variables.items()))
    depends = (FORMAT, Settings.__match_args__, os.geteuid(), os.getegid(), sources, found)
    mark = sha256(repr(sources).encode()).hexdigest()[:MARK]
    return f"{PREFIX}{mark}-{sha256(repr(depends).encode()).hexdigest()[:32]}"


def _recalled(directory: int, name: str) -> Settings | None:
    """Return what a copy says, None where there is none, or it is none of ours."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=directory)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        members = decode_json(read_all(descriptor, LARGEST)) if status.st_uid == os.geteuid() else None
        is_whole = isinstance(members, dict) and tuple(members) == Settings.__match_args__
        return Settings(**members) if is_whole else None  # type: ignore[arg-type] # as `remember` wrote them
    except (OSError, Malformed):  # a disk that lost power, perhaps
        return None
    finally:
        os.close(descriptor)
