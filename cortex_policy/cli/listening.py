"""What commands that listen have in common: the socket where none is named, and how they say where they listen."""

import os
import sys

import typer

from cortex_policy.cli.output.printing import print_json
from cortex_policy.core.text import escape_message_to_one_line


def find_default_socket_path(kind: str, root: str) -> str:
    """Return where a server of a kind listens for a root, if no place is named."""
    from cortex_policy.state import compute_sha256_hex, find_default_rate_state_directory  # noqa: PLC0415 - only servers need it

    return f"{find_default_rate_state_directory()}/{kind}-{compute_sha256_hex(os.fsencode(root))[:8]}.sock"


def print_listening(place: str, name: str, secret: str, file: str | None, *, json: bool) -> None:
    """Say where a server listens, and in which file the secret of its clients is, if there is one.

    `name` and `secret` are what JSON calls the two; whoever started the server may wait for the line.
    """
    if json:
        print_json({name: place, secret: file})
    else:
        typer.echo(escape_message_to_one_line(f"listening on `{place}`"))
        if file is not None:
            typer.echo(escape_message_to_one_line(f"the {secret} of its clients is in `{file}`"))
    sys.stdout.flush()
