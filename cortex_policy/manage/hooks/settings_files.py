"""Read and write the settings file of an agent: atomically, and never through what another user could change."""

import errno
import os
import stat

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.path_names import find_existing_part
from cortex_policy.state import OPEN_FILE, read_up_to
from cortex_policy.state.atomic_write import create_file_atomically, replace_file_atomically
from cortex_policy.state.safe_directories import (
    is_private_path,
    make_directory,
    open_child_directory,
    open_directory_without_links,
)

MAX_BYTES = 8 << 20


class AgentSettingsFile(Value):
    """A settings file as it was read: the path of the file itself, behind links, and its bytes; None if missing."""

    path: str
    data: bytes | None

    @property
    def text(self) -> str | None:
        """The text; raises NotDoneError unless it is UTF-8."""
        try:
            return self.data.decode() if self.data is not None else None
        except UnicodeDecodeError:
            raise NotDoneError(f"`{self.path}` is not UTF-8", "save it as UTF-8 first") from None


def read_agent_settings_file(file: str, *, follows: bool = True) -> AgentSettingsFile:
    """Read a settings file; raise NotDoneError if it cannot be read, or if a link to it must not be followed."""
    path = _follow_links(file, follows=follows)
    try:
        data = _read_regular(path)
    except FileNotFoundError:
        return AgentSettingsFile(path, None)
    except OSError as error:
        raise NotDoneError(f"`{file}` cannot be read: {format_os_error_cause(error)}") from None
    if len(data) > MAX_BYTES:
        raise NotDoneError(f"`{file}` is larger than {MAX_BYTES >> 20} MiB")
    return AgentSettingsFile(path, data)


def replace_agent_settings_file(old: AgentSettingsFile, data: bytes | None, mode: int) -> None:
    """Replace the bytes that were read, None to remove the file; raise NotDoneError if it has changed since.

    Owner, mode and access control list stay; `mode` is that of a new file. Missing directories are made.
    """
    directory, name = os.path.split(old.path)
    try:
        opened = _open_directory(directory)
        try:
            _write_in_directory(opened, name, old, data, mode)
        finally:
            os.close(opened)
    except OSError as error:
        raise NotDoneError(f"`{old.path}` cannot be written: {format_os_error_cause(error)}") from None


def _write_in_directory(directory: int, name: str, old: AgentSettingsFile, data: bytes | None, mode: int) -> None:
    def verify() -> None:
        """Raise NotDoneError if the file is no longer the one that was read."""
        if read_agent_settings_file(old.path) != old:
            raise NotDoneError(f"`{old.path}` was changed at the same time", "run the command again")

    if data is None:
        verify()
        os.unlink(name, dir_fd=directory)
    elif old.data is None:
        verify()
        create_file_atomically(directory, name, data, mode)
    else:
        replace_file_atomically(directory, name, data, mode, verify)


def _open_directory(path: str) -> int:
    """Open a directory, and make what is missing of its path."""
    existing = find_existing_part(path)
    descriptor = open_directory_without_links(existing)
    for name in [part for part in path[len(existing) :].split("/") if part]:
        above = descriptor
        try:
            make_directory(above, name)
            descriptor = open_child_directory(above, name)
        finally:
            os.close(above)
    return descriptor


def _follow_links(file: str, *, follows: bool) -> str:
    path = os.path.realpath(file)
    if os.path.islink(file) and not follows:
        raise NotDoneError(f"`{file}` is a link, and the agent does not follow links", f"put a real file at `{file}`")
    if os.path.islink(file) and not os.path.exists(path):
        raise NotDoneError(f"`{file}` is a link that leads nowhere", f"make `{path}`, or remove the link")
    if path != file and not is_private_path(find_existing_part(file)):
        raise NotDoneError(f"another user can change the target of `{file}`", f"put a real file at `{file}`")
    return path


def _read_regular(path: str) -> bytes:
    descriptor = os.open(path, OPEN_FILE)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return read_up_to(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
