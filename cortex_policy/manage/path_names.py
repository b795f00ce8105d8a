"""How paths are shown to people."""

import os


def display_path(path: str) -> str:
    """Return how an absolute path is shown: from the working directory on, if it lies there."""
    try:
        return path.removeprefix(os.getcwd().rstrip("/") + "/")
    except OSError:  # it is gone
        return path
