"""Options that every command has."""

from math import isnan
from typing import Annotated

import typer

ROOT_HELP = "The directory that holds .cortex/policy."
JSON_HELP = "Output JSON on a single line."


def reject_nan(value: float | None) -> float | None:
    """Refuse NaN as the value of an option: Typer's bounds let it pass, and no comparison holds for it."""
    if value is not None and isnan(value):
        message = "nan is no number."
        raise typer.BadParameter(message)
    return value


RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help=ROOT_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
