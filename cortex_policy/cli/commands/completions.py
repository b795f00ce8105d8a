"""`completions`: print the script that completes commands, options, grant ids and actions in a shell."""

from enum import StrEnum
from typing import Annotated

import typer

from cortex_policy.cli.streams import write_stdout_bytes


class Shell(StrEnum):
    """A shell with a completion script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


FILES = {Shell.BASH: "cortex-policy.bash", Shell.ZSH: "_cortex-policy", Shell.FISH: "cortex-policy.fish"}


def completions(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print the completion script of a shell.

    If the program is in a virtual environment, shells do not find the script by themselves. Add the line of your shell
    to ~/.bashrc, ~/.zshrc (after compinit) or ~/.config/fish/config.fish.

    $ eval "$(cortex-policy completions bash)"
    $ source <(cortex-policy completions zsh)
    $ cortex-policy completions fish | source
    """
    from importlib.resources import files  # noqa: PLC0415 - 10 ms, and only this needs it

    package = files("cortex_policy")
    scripts = package / "completions"
    if not scripts.is_dir():  # an editable install: they are beside the package
        scripts = package / ".." / "completions"
    write_stdout_bytes((scripts / FILES[shell]).read_bytes())
