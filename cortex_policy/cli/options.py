"""Options that every command has."""

from typing import Annotated

import typer

RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help="What holds .cortex/policy.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
