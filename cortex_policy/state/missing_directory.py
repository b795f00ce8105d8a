"""What to do about a file that cannot be made because its directory does not exist: loaded only if that failed."""

import os
from shlex import quote

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause


def make_file_creation_error(file: str, error: OSError, failure: str, *, is_private: bool = False) -> NotDoneError:
    """Return the error for a file that failed to be made; if its directory does not exist, with what makes that."""
    directory = _find_missing_directory(file) if isinstance(error, FileNotFoundError) else ""
    if not directory:
        return NotDoneError(f"{failure}: {format_os_error_cause(error)}")
    return NotDoneError(
        f"{failure}: there is no directory `{directory}`", format_mkdir_hint(directory, is_private=is_private)
    )


def _find_missing_directory(file: str) -> str:
    """Return the directory of a file, as its name has it, if it can be made: nothing has its name yet; else ''."""
    directory = above = os.path.dirname(file)
    while above and not os.path.lexists(above):
        above = os.path.dirname(above)
    return directory if above != directory and os.path.isdir(above or os.curdir) else ""


def format_mkdir_hint(directory: str, *, is_private: bool = False) -> str:
    """Return a hint with the command that makes a directory, and those above it."""
    mode = "-m 700 " if is_private else ""
    name = f"./{directory}" if directory.startswith("-") else directory
    return f"make it with `mkdir -p {mode}{quote(name)}`"
