"""`shell-init`: print or write the script that answers checks without a process for each; `main` prints it, too."""

import os
from shlex import quote
from typing import Annotated

import typer
from platformdirs import user_data_path

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_guess_hint, format_os_error_cause
from cortex_policy.shell.init_script import SHELLS, make_init_script
from cortex_policy.state.atomic_write import replace_file_atomically

_NAMES = "bash, zsh, fish or sh"


def shell_init(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"{_NAMES}.", show_default=False)],
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write the function to a file; print the line that sources this file.")
    ] = False,
) -> None:
    """Print a shell function that makes checks faster.

    The function is called `cortex-policy`, in sh `cortex_policy`. In bash 5 and zsh on Linux, the function asks a
    process for each `check`. The process starts at the first check and ends with the shell. Arguments, output and exit
    codes are the same as those of the program. For all other commands, and if anything goes wrong, the function runs
    the program. In fish and sh it always runs the program, because these shells cannot limit how long they wait for an
    answer.

    $ eval "$(cortex-policy shell-init bash)"
    $ cortex-policy shell-init zsh --write >> ~/.zshrc
    """
    if shell not in SHELLS:
        hint = format_guess_hint(find_closest_word(shell, SHELLS)) or f"use {_NAMES}"
        raise UsageError(f"unknown shell `{shell}`", hint)
    script = make_init_script(shell)
    if not write:
        typer.echo(script, nl=False)
        return
    path = user_data_path("cortex-policy")
    try:
        path.mkdir(parents=True, exist_ok=True)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            replace_file_atomically(directory, f"init.{shell}", script.encode())
        finally:
            os.close(directory)
    except OSError as error:
        raise NotDoneError(f"`{path}/init.{shell}` cannot be written: {format_os_error_cause(error)}") from None
    typer.echo(f"source {quote(f'{path}/init.{shell}')}" if shell != "sh" else f". {quote(f'{path}/init.{shell}')}")
