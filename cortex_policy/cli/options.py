"""Options that every command has."""

from typing import Annotated

import typer

ROOT_HELP = "The directory that holds .cortex/policy."
JSON_HELP = "Print one line of JSON."
RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help=ROOT_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
