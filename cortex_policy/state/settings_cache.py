"""A copy of the effective settings beside the rate state, so that a check need not decode, check and resolve them.

The name of a copy is a hash of all that it depends on: the bytes of the files, who may write them, the variables. If
any of that changes, the name changes too, so that a copy is never stale. Other decoded files have copies there as well.
"""

import os

from cortex_policy.core.model import Settings
from cortex_policy.state import (
    OPEN_FILE,
    STATE_DIR,
    find_system_and_user_settings_directories,
    make_dot_cortex_path,
    make_policy_directory_path,
    may_hold_settings,
    read_json_object_or_none,
    read_up_to,
    sha256,
)
from cortex_policy.state.ledger import open_state_directory_or_minus_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    FileState = tuple[int | bytes, ...]

FORMAT = 3  # goes up with each change in the meaning of settings
NAME = "config.toml"
PREFIX = "settings-"
MAX_BYTES = 1 << 16
COMPARED_FIELDS = 8  # parts of a file's state that a copy depends on; the others are times
SOURCE_DIGITS = 8  # digits of a name that are the hash of the files and variables
MAX_COPIES = 64  # copies, of as many roots
_NEW = ".new-"
_WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def load_cached_settings(root: str, variables: "dict[str, str]") -> Settings:
    """Return the effective settings for a root and these variables; raise GrantError (settings_invalid)."""
    system, user = find_system_and_user_settings_directories()
    directory = -1 if may_hold_settings(system) else open_state_directory_or_minus_one(os.environ.get(STATE_DIR))
    if directory < 0:  # without a safe directory there are no copies: the files are read each time
        return _read_settings(root)
    try:
        before = _state_of_all_files(root, user)
        name = _copy_name(root, user, variables, before)
        settings = _settings_or_none(read_json_object_or_none(directory, name))
        if settings is None:
            settings = _read_settings(root)
            if _state_of_all_files(root, user) == before:  # else the settings may be newer than the name
                members: dict[str, Any] = {field: getattr(settings, field) for field in settings.__match_args__}
                store_in_disk_cache(directory, PREFIX, name, members)
        return settings
    finally:
        os.close(directory)


def _read_settings(root: str) -> Settings:
    from cortex_policy.state.settings import read_uncached_settings  # noqa: PLC0415 - only if there is no copy

    return read_uncached_settings(root)


def _settings_or_none(members: "dict[str, Any] | None") -> Settings | None:
    is_whole = members is not None and tuple(members) == Settings.__match_args__
    return Settings(**members) if is_whole else None  # type: ignore[arg-type] # as they were stored


def _state_of_all_files(root: str, user: str) -> "list[FileState]":
    """Return the state of the settings files, and of the directories above them; it differs after any change."""
    policy = make_policy_directory_path(root)
    return [
        *map(_directory_state, (user, make_dot_cortex_path(root), policy)),
        *map(_file_state, (f"{user}/{NAME}", f"{policy}/{NAME}")),
    ]


def _directory_state(name: str) -> "FileState":
    try:
        return _permissions_of(name, os.lstat(name))
    except OSError as error:
        return (error.errno or 0,)


def _file_state(name: str) -> "FileState":
    try:
        descriptor = os.open(name, OPEN_FILE)
    except OSError as error:
        return (error.errno or 0,)
    try:
        status = os.fstat(descriptor)
        trusted = _permissions_of(descriptor, status)
        data = read_up_to(descriptor, MAX_BYTES + 1)
    except OSError as error:  # a directory
        return (error.errno or 0,)
    finally:
        os.close(descriptor)
    return (*trusted, status.st_nlink, data, status.st_mtime_ns, status.st_ctime_ns)


def _permissions_of(target: int | str, status: os.stat_result) -> "FileState":
    """Return everything that decides who may write an object."""
    acl = b""
    if status.st_mode & 0o020:
        from cortex_policy.state.possible_writers import read_acl_bytes  # noqa: PLC0415 - only if a group may write

        acl = read_acl_bytes(target)
    return (status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid, acl)


def _copy_name(root: str, user: str, variables: "dict[str, str]", seen: "list[FileState]") -> str:
    sources = (root, user, os.environ.get(STATE_DIR), sorted(variables.items()))
    depends = (
        FORMAT,
        Settings.__match_args__,
        os.geteuid(),
        os.getegid(),
        sources,
        [one[:COMPARED_FIELDS] for one in seen],
    )
    prefix = format_cached_settings_name_prefix(root, user, os.environ.get(STATE_DIR), variables)
    return prefix + str(sha256(repr(depends).encode()).hexdigest()[:32])


def format_cached_settings_name_prefix(root: str, user: str, state_dir: str | None, variables: "dict[str, str]") -> str:
    """Return how the names of all copies from these sources begin: a root, the user's directory, and variables."""
    sources = (root, user, state_dir, sorted(variables.items()))
    return f"{PREFIX}{sha256(repr(sources).encode()).hexdigest()[:SOURCE_DIGITS]}-"


def store_in_disk_cache(directory: int, kind: str, name: str, members: "dict[str, Any]") -> None:
    """Write a copy to the directory of rate state, in place of earlier ones of the same sources.

    `name` begins with `kind`, and eight digits for the sources. If it cannot be written, the files are read the next
    time as well.
    """
    if directory < 0:
        return
    from json import dumps  # noqa: PLC0415 - once for each edit

    try:
        _prune_copies(directory, kind, name)
        temporary = f"{_NEW}{kind}{os.getpid()}"
        descriptor = os.open(temporary, _WRITE_NEW, 0o600, dir_fd=directory)
        try:
            os.write(descriptor, dumps(members).encode())  # a partial copy is invalid
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            os.close(descriptor)
    except OSError:
        return


def _prune_copies(directory: int, kind: str, name: str) -> None:
    """Remove the stale copies of these sources and those of a crash, and all copies if there are too many."""
    new = f"{_NEW}{kind}"
    others = [other for other in os.listdir(directory) if other.startswith((kind, new))]
    of_these = name[: len(kind) + SOURCE_DIGITS]
    for other in others:
        if other.startswith((of_these, new)) or len(others) > MAX_COPIES:
            try:
                os.unlink(other, dir_fd=directory)
            except OSError:  # another process was faster
                continue
