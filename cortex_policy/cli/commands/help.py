"""`help`: print the help of a command."""

from typing import Annotated, Any

import typer


def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="The command to explain.", show_default=False)
    ] = None,
) -> None:
    """Print the help of a command.

    $ cortex-policy help
    $ cortex-policy help check
    $ cortex-policy help rate watch
    """
    found: Any = context.find_root()
    for word in words or ():
        if not hasattr(found.command, "commands"):
            found.fail(f"'{found.command_path.partition(' ')[2]}' has no command '{word}'.")
        _, command, _ = found.command.resolve_command(found, [word])
        found = typer.Context(command, info_name=word, parent=found)
    typer.echo(found.get_help())
