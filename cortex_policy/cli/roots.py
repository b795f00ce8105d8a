"""Find the root of a command that does not decide."""

import os
import sys
from contextlib import suppress

from cortex_policy.core.model import ROOT_NOT_FOUND, GrantError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state import roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state import Root


def find_inner_root(named: str | None) -> "Root":
    """Find the innermost root and print a note if there are outer ones; raise GrantError if there is none."""
    root, outer = roots.find_inner_root_and_paths_above(named)
    if outer:
        others = " and ".join(f"`{path}`" for path in outer)
        sys.stderr.write(
            escape_message_to_one_line(f"note: the root is `{root.path}`; name another with `--root`: {others}") + "\n"
        )
    return root


def find_inner_root_or_none(named: str | None) -> "Root | None":
    """Find the root as `find_inner_root` does; None if there is none and none is named."""
    try:
        return find_inner_root(named)
    except GrantError as error:
        if named is not None or error.reason is not ROOT_NOT_FOUND:
            raise
        return None


def name_inner_root_if_ambiguous(named: str | None) -> str | None:
    """Return the innermost root as a name for functions that find the root themselves; None if there is none."""
    try:
        root = find_inner_root(named)
    except GrantError as error:
        if error.reason is not ROOT_NOT_FOUND:
            raise
        return named
    return root.path if root.is_explicit and named is None else named


def find_root_or_working_directory_path(named: str | None) -> str:
    """Return the absolute path of the innermost root, the working directory if there is none and none is named."""
    try:
        return find_inner_root(named).path
    except GrantError as error:
        if named is None and error.reason is ROOT_NOT_FOUND:
            with suppress(OSError):  # it may be deleted, as the error says
                return os.getcwd()
        raise
