"""The `.gitignore` of a policy directory: files that writers keep there and git must not track."""

from contextlib import suppress
from fnmatch import fnmatchcase

from cortex_policy.state.atomic_write import TEMPORARY_PREFIX, create_file_atomically

NAME = ".gitignore"
IGNORED_NAMES = (".lock", ".edit-*", "stop", "history/")
_TEXT = "".join(f"{name}\n" for name in (*IGNORED_NAMES, f"{TEMPORARY_PREFIX}*")).encode()


def create_git_ignore(policy: int) -> None:
    """Create the file in an open policy directory; never change an existing one."""
    with suppress(OSError):  # FileExistsError: the operator's file counts. Other errors must not stop a write
        create_file_atomically(policy, NAME, _TEXT)


def find_unignored_names(text: str) -> tuple[str, ...]:
    """Return the names that the text of such a file does not ignore."""
    lines = [line.strip() for line in text.splitlines()]
    patterns = [_pattern_of_line(line) for line in lines if line and not line.startswith(("#", "!"))]
    return tuple(name for name in IGNORED_NAMES if not any(fnmatchcase(name.rstrip("/"), each) for each in patterns))


def _pattern_of_line(line: str) -> str:
    """Return a line of a `.gitignore` as a pattern of names in this directory."""
    for end in ("/**", "/*", "/"):
        line = line.removesuffix(end)
    return line.removeprefix("**").removeprefix("/")
