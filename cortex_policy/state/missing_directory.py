"""What to do about a file that cannot be made because its directory does not exist: loaded only if that failed."""

import os

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state.users import format_mkdir_command


def make_file_creation_error(file: str, error: OSError, failure: str, *, is_private: bool = False) -> NotDoneError:
    """Return the error for a file that failed to be made; if its directory does not exist, with what makes that."""
    directory = _find_missing_directory(file) if isinstance(error, FileNotFoundError) else ""
    if not directory:
        return NotDoneError(f"{failure}: {format_os_error_cause(error)}")
    hint = f"make it with `{format_mkdir_command(directory, is_private=is_private)}`"
    return NotDoneError(f"{failure}: there is no directory `{directory}`", hint)


def _find_missing_directory(file: str) -> str:
    """Return the directory of a file, as its name has it, if it can be made: nothing has its name yet; else ''."""
    directory = above = os.path.dirname(file)
    while above and not os.path.lexists(above):
        above = os.path.dirname(above)
    return directory if above != directory and os.path.isdir(above or os.curdir) else ""
