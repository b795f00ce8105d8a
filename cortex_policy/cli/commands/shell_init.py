"""`shell-init`: print or write the script that answers checks without a process for each; `main` prints it, too."""

import os
from shlex import quote
from typing import Annotated

import typer
from platformdirs import user_data_path

from cortex_policy.core.closest_match import closest_word
from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import did_you_mean, os_error_text
from cortex_policy.shell.init_script import SHELLS, init_script
from cortex_policy.state.atomic_write import atomic_replace

_NAMES = "bash, zsh, fish or sh"


def shell_init(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"{_NAMES}.", show_default=False)],
    *,
    write: Annotated[bool, typer.Option("--write", help="Write it to a file; print the line that sources it.")] = False,
) -> None:
    """Print the script that lets a shell ask a co-process.

    It defines a function `cortex-policy`. In bash 5 and zsh on Linux, `check` then asks a process that starts at the
    first check and ends with the shell: the words, the output and the exit codes are the same. Whatever goes wrong, the
    program answers, as it does for all other commands. In fish and sh, which cannot wait for an answer for a limited
    time, it answers everything; the function of sh is called `cortex_policy`.

    $ eval "$(cortex-policy shell-init bash)"
    $ cortex-policy shell-init zsh --write >> ~/.zshrc
    """
    if shell not in SHELLS:
        message = f"`{shell}` is not {_NAMES}"
        raise UsageError(message, did_you_mean(closest_word(shell, SHELLS)))
    script = init_script(shell)
    if not write:
        typer.echo(script, nl=False)
        return
    path = user_data_path("cortex-policy")
    try:
        path.mkdir(parents=True, exist_ok=True)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            atomic_replace(directory, f"init.{shell}", script.encode())
        finally:
            os.close(directory)
    except OSError as error:
        raise NotDoneError(f"`{path}/init.{shell}` cannot be written: {os_error_text(error)}") from None
    typer.echo(f"source {quote(f'{path}/init.{shell}')}" if shell != "sh" else f". {quote(f'{path}/init.{shell}')}")
