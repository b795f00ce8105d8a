"""Read the records of commands: those of a root, and of the settings of the system and of users."""

import os
import pwd
import stat

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.settings import PROJECT, USER
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import OPEN_FILE, read_up_to
from cortex_policy.state.control_command_record import (
    MAX_BYTES,
    RECORD_NAME,
    CommandRecord,
    decode_command_record,
    find_command_records_directory,
)
from cortex_policy.state.grants import find_trust_problems
from cortex_policy.state.history import COMMANDS, NAME, CorruptEntry
from cortex_policy.state.other_user_settings import open_user_settings_directory
from cortex_policy.state.safe_directories import open_child_directory
from cortex_policy.state.settings import open_settings_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def iterate_command_records_newest_first(place: str, root: str | None) -> "Iterator[CommandRecord | CorruptEntry]":
    """Yield the records of a place, newest first, and files that are not records; raise OSError or GrantError."""
    with open_settings_directory(place, root) as top:
        owners = {0, os.geteuid(), *([os.fstat(top).st_uid] if place == PROJECT else [])}
        yield from _read_records(top, place, find_command_records_directory(place, root), owners)


def iterate_command_records_of_other_user(user: pwd.struct_passwd) -> "Iterator[CommandRecord | CorruptEntry]":
    """Yield the same of the settings of another user, for root; raise OSError."""
    top = open_user_settings_directory(user)
    try:
        path = f"the settings of {user.pw_name}: {NAME}/{COMMANDS}"
        yield from _read_records(top, USER, path, {0, user.pw_uid})
    finally:
        os.close(top)


def _read_records(top: int, place: str, path: str, owners: set[int]) -> "Iterator[CommandRecord | CorruptEntry]":
    history = open_child_directory(top, NAME)
    try:
        directory = open_child_directory(history, COMMANDS)
    finally:
        os.close(history)
    try:
        for name in sorted(os.listdir(directory), reverse=True):
            if RECORD_NAME.fullmatch(name):
                yield _read_or_report(directory, name, place, path, owners)
    finally:
        os.close(directory)


def _read_or_report(directory: int, name: str, place: str, path: str, owners: set[int]) -> CommandRecord | CorruptEntry:
    try:
        return decode_command_record(_read_record_bytes(directory, name, owners), place, name)
    except OSError as error:
        why = format_os_error_cause(error)
    except MalformedError as error:
        why = str(error)
    return CorruptEntry(f"{path}/{name}", why)


def _read_record_bytes(directory: int, name: str, owners: set[int]) -> bytes:
    """Return the bytes of a record; raise MalformedError if another user could have written them."""
    descriptor = os.open(name, OPEN_FILE, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        if problems := find_trust_problems(descriptor, status, owners):
            raise MalformedError(f"it {problems[0][1]}")
        return read_up_to(descriptor, MAX_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
    finally:
        os.close(descriptor)
