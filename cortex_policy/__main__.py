"""`python -m cortex_policy`: the same program, once the working directory is no place to import from."""

import sys
from os import getcwd


def _drop_working_directory(path: list[str]) -> None:
    """Remove from the path what `-m` put first: a file there could be imported in place of one of our modules."""
    try:
        is_first = path[:1] == [getcwd()]
    except OSError:  # it was removed, and so `-m` put nothing
        return
    if is_first:
        del path[0]


# `python DIRECTORY` and `python app.pyz` put themselves first, not the working directory
if not sys.flags.safe_path and __spec__ is not None and __spec__.name != "__main__":
    _drop_working_directory(sys.path)

from cortex_policy.main import main  # noqa: E402 - only now

main()
