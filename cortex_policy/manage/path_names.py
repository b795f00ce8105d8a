"""Paths as people see them."""

import os


def display_path(path: str) -> str:
    """Return an absolute path as people see it: relative if it is below the working directory."""
    try:
        return path.removeprefix(os.getcwd().rstrip("/") + "/")
    except OSError:  # it was removed
        return path
