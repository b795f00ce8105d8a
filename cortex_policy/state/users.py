"""Users by name and number, and who may change the file at a path: the caller, or its owner."""

import os
import pwd
from shlex import quote

from cortex_policy.core import Value


class UserWithWriteAccess(Value):
    """A user who may change the files in a directory: the caller, if the system lets them write there."""

    name: str
    is_caller: bool
    directory: str


def find_user_with_write_access(path: str) -> UserWithWriteAccess:
    """Return the user who may replace the file at a path, by the directory that holds it or would hold it."""
    directory = os.path.dirname(path)
    while not os.path.isdir(directory) and directory not in ("", "/"):
        directory = os.path.dirname(directory)
    directory = directory or os.curdir
    effective = os.access in os.supports_effective_ids
    if os.access(directory, os.W_OK | os.X_OK, effective_ids=effective):
        return UserWithWriteAccess(format_user(os.geteuid()), is_caller=True, directory=directory)
    try:
        owner = os.stat(directory).st_uid
    except OSError:  # it is gone
        owner = 0
    return UserWithWriteAccess(format_user(owner), is_caller=False, directory=directory)


def format_mkdir_command(directory: str, *, is_private: bool = False) -> str:
    """Return the command that makes a directory in which the caller may write, also where only root may make it."""
    mode, name = "-m 700 " if is_private else "", quote(f"./{directory}" if directory.startswith("-") else directory)
    if find_user_with_write_access(directory).is_caller:
        return f"mkdir -p {mode}{name}"
    user = find_user_name_or_empty(os.geteuid()) or str(os.geteuid())
    return f"sudo install -d {mode}-o {quote(user)} {name}"


def format_user(number: int) -> str:
    """Return the name of a user, else their number."""
    return find_user_name_or_empty(number) or f"user {number}"


def find_user_name_or_empty(number: int) -> str:
    """Return the name of a user, '' if there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OSError, OverflowError):
        return ""


def format_replace_by_copy_command(path: str, options: str = "") -> str | None:
    """Return the command that replaces a file by its copy, None if another user could choose what it writes."""
    try:
        is_ours = os.stat(os.path.dirname(path)).st_uid in (0, os.geteuid())
    except OSError:
        return None
    old, new = quote(path), quote(f"{path}.new")
    return f"cp {options}{old} {new} && mv {new} {old}" if is_ours else None
