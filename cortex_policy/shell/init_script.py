"""The scripts that a shell sources: a function that asks a co-process, and runs the program for all else."""

import os

from cortex_policy.state import find_default_rate_state_directory, read_up_to

SHELLS = ("bash", "zsh", "fish", "sh")
_DIRECTORY = "@DIRECTORY@"  # in single quotes in the scripts
_MAX_BYTES = 1 << 16


def make_init_script(shell: str) -> str:
    """Return the script for a shell, with the state directory of this user in it."""
    descriptor = os.open(f"{os.path.dirname(__file__)}/init.{shell}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = read_up_to(descriptor, _MAX_BYTES).decode()
    finally:
        os.close(descriptor)
    return text.replace(_DIRECTORY, find_default_rate_state_directory().replace("'", "'\\''"))


def print_init_script(shell: str) -> int:
    """Print the script for a shell, and return the exit code: 3 if somebody reads it and it could not be printed."""
    data = make_init_script(shell).encode("utf-8", "surrogateescape")
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        return 0
    except OSError as error:
        os.write(2, f"cortex-policy: the output cannot be written: {os.strerror(error.errno or 0).lower()}\n".encode())
        return 3
    return 0
