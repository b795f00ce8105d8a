"""Paths as people see them, and as far as they exist."""

import os


def make_path_relative_if_below_cwd(path: str) -> str:
    """Return an absolute path as people see it: relative if it is below the working directory."""
    try:
        return path.removeprefix(os.getcwd().rstrip("/") + "/")
    except OSError:  # it was removed
        return path


def find_existing_part(path: str) -> str:
    """Return the longest part of an absolute path that exists; a link exists without its target."""
    while path != "/" and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path
